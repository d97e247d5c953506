import ArgumentParser
import Dispatch
import Foundation
import Gateway
import Logging
import SallyportConfiguration

/// `sallyport serve`: runs the gateway until it is told to stop.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the gateway.",
    discussion: """
      Prints `listening postgres ADDRESS` when it is ready. SIGTERM takes no new sessions and waits for what is under way, \
      at most gateway.drain; SIGINT, and a second SIGTERM, stop it at once. SIGHUP reads the configuration again, and so \
      does a change of its files; sessions go on.
      """)

  @Option(help: "The configuration: a file, or a folder of YAML files.")
  var config = "sallyport.yaml"
  @Option(help: "The data folder; overrides gateway.data.")
  var data: String?
  @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
  var logLevel = "notice"

  @Option(name: .customLong("log-format"), help: "text, or json: one object a line.")
  var logFormat = "text"

  func run() throws {
    let (configuration, origin) = try ConfigurationFile.open(config)
    guard let format = LineLogHandler.Format(rawValue: logFormat) else {
      throw ValidationError("there is no log format \"\(logFormat)\"; there are text and json")
    }
    LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format) }
    var logger = Logger(label: "sallyport")
    guard let level = Logger.Level(rawValue: logLevel) else {
      throw ValidationError("there is no log level \"\(logLevel)\"")
    }
    logger.logLevel = level
    signal(SIGPIPE, SIG_IGN)
    raiseDescriptorLimit()
    let signals = SignalQueue([(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")])
    let folder = data ?? configuration.path(of: configuration.gateway.data)
    var options = GatewayServer.Options()
    options.origin = origin
    let server = try GatewayServer(configuration, data: folder, logger: logger, options: options)
    if let console = server.consoleAddress {
      Output.line("listening console \(console.ipAddress ?? "?"):\(console.port ?? 0)")
    }
    if let ssh = server.sshAddress { Output.line("listening ssh \(ssh.ipAddress ?? "?"):\(ssh.port ?? 0)") }
    Output.line("listening postgres \(server.address.ipAddress ?? "?"):\(server.address.port ?? 0)")
    ServiceManager.notify("READY=1")
    let name = awaitEnd(server, signals)
    logger.notice("stopping", metadata: ["signal": "\(name)"])
    ServiceManager.notify("STOPPING=1")
    if name == "SIGTERM" { drain(server, signals, server.patience) }
    server.stop(reason: name)
  }

  /// The signal that ends the gateway; SIGHUP reads the configuration again.
  private func awaitEnd(_ server: GatewayServer, _ signals: SignalQueue) -> String {
    while let name = signals.next() {
      guard name == "SIGHUP" else { return name }
      server.reload()
    }
    return ""
  }

  /// Waits until every session has ended, time is up, or another signal comes.
  private func drain(_ server: GatewayServer, _ signals: SignalQueue, _ patience: Duration) {
    server.startDraining()
    let clock = ContinuousClock()
    let end = clock.now + patience
    while clock.now < end, server.connectionCount > 0 {
      if let name = signals.next(within: 0.05), name != "SIGHUP" { return }
    }
  }

  /// Each session takes two descriptors, and the usual limit of 1,024 is soft: the hard one is what was meant.
  private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

import ArgumentParser
import Dispatch
import Foundation
import Gateway
import Logging
import SallyportConfiguration
import Synchronization

/// `sallyport serve`: runs the gateway until it is told to stop.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the gateway.",
    discussion: "Prints `listening postgres ADDRESS` when it is ready. SIGTERM and SIGINT stop it.")

  @Option(help: "The configuration: a file, or a folder of YAML files.")
  var config = "sallyport.yaml"
  @Option(help: "The data folder; overrides gateway.data.")
  var data: String?
  @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
  var logLevel = "notice"

  func run() throws {
    let configuration = try ConfigurationFile.load(config)
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    var logger = Logger(label: "sallyport")
    guard let level = Logger.Level(rawValue: logLevel) else {
      throw ValidationError("there is no log level \"\(logLevel)\"")
    }
    logger.logLevel = level
    signal(SIGPIPE, SIG_IGN)
    raiseDescriptorLimit()
    let folder = data ?? configuration.path(of: configuration.gateway.data)
    let server = try GatewayServer(configuration, data: folder, logger: logger)
    Output.line("listening postgres \(server.address.ipAddress ?? "?"):\(server.address.port ?? 0)")
    let name = SignalWait.forEnd()
    logger.notice("stopping", metadata: ["signal": "\(name)"])
    server.stop(reason: name)
  }

  /// Each session takes two descriptors, and the usual limit of 1,024 is soft: the hard one is what was meant.
  private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

/// Waits for the signals that end a server.
enum SignalWait {
  static func forEnd() -> String {
    let arrived = DispatchSemaphore(value: 0)
    let name = Mutex("")
    let sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, label in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        name.withLock { $0 = label }
        arrived.signal()
      }
      source.resume()
      return source
    }
    arrived.wait()
    for source in sources { source.cancel() }
    return name.withLock { $0 }
  }
}

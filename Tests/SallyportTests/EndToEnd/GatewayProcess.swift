import Foundation
import Glibc
import Testing

/// A running `sallyport serve` with a data folder of its own.
final class GatewayProcess {
  let folder: String
  private(set) var process: ChildProcess
  private(set) var port = 0
  private let environment: [String: String]
  /// A program that becomes the gateway, if it is not started at once.
  private let starter: String?
  /// What must never be found in logs and records: the tokens that were made, too.
  private(set) var secrets: [String]
  private var earlierLogs = ""
  /// False where the test harms recordings, so that not even what was kept is still what the trail says.
  var hasSoundRecordings = true

  let data: String
  var log: String { earlierLogs + process.errors }
  var pid: pid_t { process.pid }

  /// `data` is the data folder; by default one beside the configuration. `more` is added to the gateway's environment.
  init(
    _ configuration: String, data: String? = nil, environment more: [String: String] = [:], by starter: String? = nil
  ) throws {
    let cluster = try TestCluster.shared()
    folder = try TestRun.newFolder("gateway")
    self.data = data ?? "\(folder)/data"
    environment = [
      "SALLYPORT_DEMO_OWNER_PASSWORD": cluster.ownerPassword, "SALLYPORT_DEMO_APP_PASSWORD": cluster.appPassword,
    ].merging(more) { $1 }
    secrets = cluster.secrets
    self.starter = starter
    try configuration.write(toFile: "\(folder)/sallyport.yaml", atomically: false, encoding: .utf8)
    process = try GatewayProcess.launch(folder, self.data, environment, starter)
    port = try awaitListening()
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private static func launch(
    _ folder: String, _ data: String, _ environment: [String: String], _ starter: String?
  ) throws -> ChildProcess {
    guard TestRun.watcher else { throw TestFailure("nothing would end the gateway if this run were killed") }
    let arguments = ["serve", "--config", "\(folder)/sallyport.yaml", "--data", data]
    let binary = try TestRun.binary()
    let process = try ChildProcess(
      starter ?? binary, starter == nil ? arguments : [binary] + arguments, environment: environment)
    try "\(process.pid)".write(toFile: "\(folder)/pid", atomically: false, encoding: .utf8)
    return process
  }

  private func awaitListening() throws -> Int {
    try eventually("the gateway to listen", within: 30) {
      if let line = process.output.split(separator: "\n").first(where: { $0.hasPrefix("listening postgres ") }) {
        return line.split(separator: ":").last.flatMap { Int($0) }
      }
      guard process.isRunning else { throw TestFailure("the gateway did not start: \(process.errors)") }
      return nil
    }
  }

  /// `host:port` where health and metrics are asked for.
  var console: String {
    process.output.split(separator: "\n").first { $0.hasPrefix("listening console ") }
      .map { String($0.dropFirst("listening console ".count)) } ?? ""
  }

  /// Starts it again on the same data folder, after its end.
  func restart() throws {
    earlierLogs += process.errors
    process = try GatewayProcess.launch(folder, data, environment, starter)
    port = try awaitListening()
  }

  /// SIGTERM; it has to end by itself, and well.
  func stop() throws {
    process.send(SIGTERM)
    let end = try process.wait(within: 15)
    #expect(end.status == 0, "the gateway's end: \(end.errors.suffix(2000))")
  }

  func killNow() throws {
    process.send(SIGKILL)
    #expect(try process.wait(within: 5).status == 128 + SIGKILL)
  }

  /// Runs another command of the binary on this data folder.
  @discardableResult
  func command(_ arguments: String..., as token: String = "", within seconds: Double = 30) throws -> ProcessEnd {
    try ChildProcess.run(
      try TestRun.binary(), arguments + ["--data", data], environment: ["SALLYPORT_TOKEN": token], within: seconds)
  }

  func token(_ user: String, expires: String = "1h", connections: String? = nil) throws -> String {
    // A person's live tokens have different names.
    var arguments = [
      "token", "create", "--user", user, "--name", "test-\(secrets.count)", "--expires", expires, "--data", data,
    ]
    if let connections { arguments += ["--connections", connections] }
    let end = try ChildProcess.run(try TestRun.binary(), arguments)
    let token = end.output.trimmingCharacters(in: .newlines)
    guard end.status == 0, token.hasPrefix("spt_") else { throw TestFailure("no token for \(user): \(end.errors)") }
    secrets.append(token)
    return token
  }

  /// What libpq connects with.
  func dsn(_ user: String, _ token: String, database: String = "shop", options: String = "sslmode=disable") -> String {
    "host=127.0.0.1 port=\(port) user=\(user) password=\(token) dbname=\(database) connect_timeout=20 \(options)"
  }

  /// Resident memory in bytes.
  func residentBytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    guard let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) else {
      throw TestFailure("the gateway is gone")
    }
    return kilobytes << 10
  }

  /// What holds after every test: the trail is sound, and no secret is in it, in the log or in the errors of others.
  func checkTraces() throws {
    let report =
      hasSoundRecordings ? try command("audit", "verify") : try command("audit", "verify", "--no-recordings")
    #expect(report.status == 0, "audit verify: \(report.output)\(report.errors)")
    for secret in secrets where secret.count > 8 {
      #expect(!log.contains(secret), "a secret is in the log")
    }
    let needles = secrets.filter { $0.count > 8 }.map { Data($0.utf8) }
    let files = FileManager.default.enumerator(atPath: "\(data)/audit")
    while let file = files?.nextObject() as? String {
      guard file.hasSuffix(".seg"), let bytes = FileManager.default.contents(atPath: "\(data)/audit/\(file)") else {
        continue
      }
      for needle in needles { #expect(bytes.range(of: needle) == nil, "a secret is in \(file)") }
    }
  }
}

/// Runs a gateway around a test; afterwards it has to stop well and leave a sound trail without secrets.
func withGateway(
  _ configuration: String, data: String? = nil, environment: [String: String] = [:], by starter: String? = nil,
  _ body: (GatewayProcess) throws -> Void
) throws {
  let gateway = try GatewayProcess(configuration, data: data, environment: environment, by: starter)
  do {
    try body(gateway)
  } catch {
    Issue.record("\(error)\nthe gateway's log: \(gateway.log.suffix(3000))")
  }
  if gateway.process.isRunning { try gateway.stop() }
  try gateway.checkTraces()
}

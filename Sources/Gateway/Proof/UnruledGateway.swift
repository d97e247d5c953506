import AccessModel
import Foundation
import Logging
import PolicyEngine
import SallyportConfiguration

/// A gateway of a command's own, on loopback, without rules and with state in a folder that goes with it: how commands reach
/// a backend by the accounts of a connection, with its TLS and secrets.
final class UnruledGateway {
  private static let user = "sallyport-command"
  private let folder: String
  private let server: GatewayServer
  private let token: String

  /// Starts it. Blocks; throws `GatewayFailure`.
  ///
  /// - Parameter accounts: by the names that sessions ask for.
  init(
    _ configuration: GatewayConfiguration, _ settings: ConnectionSettings,
    accounts: [(name: String, credential: BackendCredential)], logger: Logger
  ) throws {
    guard var somebody = configuration.users.values.min(by: { $0.name < $1.name }) else {
      throw GatewayFailure("the configuration has no users")
    }
    somebody.name = UnruledGateway.user
    somebody.kind = .person
    somebody.owner = nil
    somebody.groups = []
    somebody.authentication = .token
    var open = UnruledGateway.isolated(configuration)
    open.functions = []
    open.roles = [:]
    open.users = [UnruledGateway.user: somebody]
    open.connections = [:]
    for (name, credential) in accounts {
      var target = settings
      var everybody = credential
      everybody.groups = nil
      target.name = name
      target.credentials = [everybody]
      target.limits = SessionLimits()
      target.recording = RecordingSettings()
      open.connections[name] = target
    }
    open.policy = PolicyDocument(
      grants: [
        AccessGrant(
          users: [UnruledGateway.user], connections: .names([NameGlob("*")]),
          allow: [settings.protocolName: .unknown])
      ])
    folder = try UnruledGateway.makeFolder()
    do {
      server = try GatewayServer(open, data: folder, logger: logger)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
    do {
      token = try UnruledGateway.token(for: UnruledGateway.user, data: folder)
    } catch {
      server.stop(reason: "the command could not begin")
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  /// A session with one of the accounts. Throws `GatewayFailure`.
  func session(_ account: String) throws -> ProofClient {
    try ProofClient(server.address, user: UnruledGateway.user, token: token, database: account)
  }

  func stop() {
    server.stop(reason: "the command is over")
    try? FileManager.default.removeItem(atPath: folder)
  }

  // MARK: What such gateways share

  /// That configuration, on loopback and without anything that would tell others of the command.
  static func isolated(_ configuration: GatewayConfiguration) -> GatewayConfiguration {
    var isolated = configuration
    isolated.gateway.listenPostgres = Endpoint(host: "127.0.0.1", port: 0)
    isolated.gateway.listenConsole = nil
    isolated.gateway.tls = nil
    isolated.gateway.threads = 1
    isolated.gateway.balancers = []
    isolated.gateway.limits = SessionLimits()
    isolated.gateway.audit = AuditSettings()
    isolated.gateway.recording = RecordingSettings()
    isolated.approvals = ApprovalSettings()
    return isolated
  }

  static func makeFolder() throws -> String {
    var template = Array((NSTemporaryDirectory() + "sallyport.XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw GatewayFailure("could not make a folder for the command's state") }
    return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func token(for user: String, data: String) throws -> String {
    let response = try ControlClient.send(
      ControlRequest(.tokenCreate, ["user": user, "name": "command", "lifetime": "86400"]),
      socket: ControlClient.socketPath(data: data))
    guard let secret = response.secret else {
      throw GatewayFailure("no token for \(user): \(response.error ?? "no answer")")
    }
    return secret
  }
}

import AccessModel
import Foundation
import Logging
import NIOCore
import PolicyEngine
import SallyportConfiguration

/// Two gateways of the proof's own, on loopback, with state in a folder that goes with them: one with the policy of the
/// configuration and a mask on the canaries, and one without rules, to plant and to compare with.
final class ProofGateways {
  /// The rule that masks the canaries.
  static let rule = "sallyport-mask-prove"
  private static let observer = "sallyport-prove"

  let person: String
  private let folder: String
  private let masked: GatewayServer
  private let plain: GatewayServer
  private var tokens: (masked: String, plain: String) = ("", "")
  private let connection: String
  /// Connections of the second gateway that plant, one for each account.
  let planters: [String]
  let account: String

  /// Starts both. Blocks; throws `GatewayFailure`.
  init(
    _ configuration: GatewayConfiguration, connection: String, person: String, columns: [String], predicates: String,
    hides: Bool, logger: Logger
  ) throws {
    guard let settings = configuration.connections[connection], let user = configuration.users[person],
      let credential = settings.credential(for: user.groups)
    else { throw GatewayFailure("\(person) has no account on the connection \"\(connection)\"") }
    self.person = person
    self.connection = connection
    account = credential.user
    var template = Array((NSTemporaryDirectory() + "sallyport-prove.XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw GatewayFailure("could not make a folder for the proof's state") }
    folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let base = ProofGateways.isolated(configuration, connection: connection)
    planters = settings.credentials.indices.map { "plant-\($0)" }
    do {
      masked = try GatewayServer(
        ProofGateways.masking(base, person: person, columns: columns, predicates: predicates, hides: hides),
        data: "\(folder)/masked",
        logger: logger)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
    do {
      plain = try GatewayServer(
        ProofGateways.open(base, user, settings, credential), data: "\(folder)/plain", logger: logger)
    } catch {
      masked.stop(reason: "the proof could not begin")
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
    tokens = (
      try ProofGateways.token(for: person, data: "\(folder)/masked"),
      try ProofGateways.token(for: ProofGateways.observer, data: "\(folder)/plain")
    )
  }

  /// A session of the person under the mask.
  func maskedSession() throws -> ProofClient {
    try ProofClient(masked.address, user: person, token: tokens.masked, database: connection)
  }

  /// A session with the same account and no mask; or one that plants.
  func plainSession(_ name: String = "plain") throws -> ProofClient {
    try ProofClient(plain.address, user: ProofGateways.observer, token: tokens.plain, database: name)
  }

  func stop() {
    masked.stop(reason: "the proof is over")
    plain.stop(reason: "the proof is over")
    try? FileManager.default.removeItem(atPath: folder)
  }

  // MARK: Configurations

  /// That configuration, on loopback and without anything that would tell others of the proof.
  private static func isolated(_ configuration: GatewayConfiguration, connection: String) -> GatewayConfiguration {
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
    isolated.connections = isolated.connections.filter { $0.key == connection }
    isolated.connections[connection]?.limits = SessionLimits()
    isolated.connections[connection]?.recording = RecordingSettings()
    return isolated
  }

  private static func masking(
    _ base: GatewayConfiguration, person: String, columns: [String], predicates: String, hides: Bool
  ) -> GatewayConfiguration {
    var masking = base
    masking.users[person]?.authentication = .token
    if hides {
      let mask = ColumnMask(
        columns: columns.compactMap(NamePattern.init), mask: .redact,
        predicates: predicates == "allow" ? .allow : .deny)
      masking.policy.rules.append(Rule(name: rule, then: .mask(mask)))
    }
    return masking
  }

  private static func open(
    _ base: GatewayConfiguration, _ user: UserSettings, _ settings: ConnectionSettings, _ credential: BackendCredential
  ) -> GatewayConfiguration {
    var open = base
    open.functions = []
    open.roles = [:]
    var somebody = user
    somebody.name = observer
    somebody.groups = []
    somebody.authentication = .token
    open.users = [observer: somebody]
    open.connections = [:]
    let all = [("plain", credential)] + settings.credentials.enumerated().map { ("plant-\($0)", $1) }
    for (name, credential) in all {
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
          users: [observer], connections: .names([NameGlob("*")]), allow: [settings.protocolName: .unknown])
      ])
    return open
  }

  private static func token(for user: String, data: String) throws -> String {
    let response = try ControlClient.send(
      ControlRequest(.tokenCreate, ["user": user, "name": "mask prove", "lifetime": "86400"]),
      socket: ControlClient.socketPath(data: data))
    guard let secret = response.secret else {
      throw GatewayFailure("no token for \(user): \(response.error ?? "no answer")")
    }
    return secret
  }
}

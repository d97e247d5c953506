import AccessModel
import Foundation
import Logging
import PolicyEngine
import SallyportConfiguration

/// Two gateways of the proof's own, on loopback: one with the policy of the configuration and a mask on the canaries, and
/// one without rules, to plant and to compare with.
final class ProofGateways {
  /// What the rule on the canaries says.
  struct Masking {
    var columns: [String]
    var predicates: String
    /// Whether there is such a rule.
    var hides: Bool
  }
  /// What a rule can say of predicates.
  static let predicates: [String: ColumnMask.Predicates] = [
    "deny": .deny, "allow": .allow,
    "equality": .equality(constants: ColumnMask.Predicates.mostConstants, perHour: 1_000_000),
  ]
  /// The rule that masks the canaries.
  static let rule = "sallyport-mask-prove"

  let person: String
  /// The backend's account that this person uses.
  let account: String
  /// Accounts of the second gateway that may plant, in the order of the credentials.
  let planters: [String]
  private let connection: String
  private let folder: String
  private let masked: GatewayServer
  private let plain: UnruledGateway
  private let token: String

  /// Starts both. Blocks; throws `GatewayFailure`.
  init(
    _ configuration: GatewayConfiguration, connection: String, person: String, _ masking: Masking, logger: Logger
  ) throws {
    guard let settings = configuration.connections[connection], let user = configuration.users[person],
      let credential = settings.credential(for: user.groups)
    else { throw GatewayFailure("\(person) has no account on the connection \"\(connection)\"") }
    self.person = person
    self.connection = connection
    account = credential.user
    let planters = settings.credentials.enumerated().map { (name: "plant-\($0)", credential: $1) }
    self.planters = planters.map(\.name)
    folder = try UnruledGateway.makeFolder()
    do {
      plain = try UnruledGateway(
        configuration, settings, accounts: [("plain", credential)] + planters, logger: logger)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
    do {
      masked = try GatewayServer(
        ProofGateways.governed(configuration, connection: connection, person: person, masking), data: folder,
        logger: logger)
    } catch {
      plain.stop()
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
    do {
      token = try UnruledGateway.token(for: person, data: folder)
    } catch {
      plain.stop()
      masked.stop(reason: "the proof could not begin")
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  /// A session of the person under the mask.
  func maskedSession() throws -> ProofClient {
    try ProofClient(masked.address, user: person, token: token, database: connection)
  }

  /// A session with the same account and no mask; or one that plants.
  func plainSession(_ name: String = "plain") throws -> ProofClient { try plain.session(name) }

  func stop() {
    masked.stop(reason: "the proof is over")
    plain.stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func governed(
    _ configuration: GatewayConfiguration, connection: String, person: String, _ masking: Masking
  ) -> GatewayConfiguration {
    var governed = UnruledGateway.isolated(configuration)
    governed.connections = governed.connections.filter { $0.key == connection }
    governed.connections[connection]?.limits = SessionLimits()
    governed.connections[connection]?.recording = RecordingSettings()
    governed.users[person]?.authentication = .token
    guard masking.hides else { return governed }
    let mask = ColumnMask(
      columns: masking.columns.compactMap(NamePattern.init), mask: .redact,
      predicates: predicates[masking.predicates] ?? .deny)
    governed.policy.rules.append(Rule(name: rule, then: .mask(mask)))
    return governed
  }
}

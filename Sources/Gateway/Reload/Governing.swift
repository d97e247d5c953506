import AccessModel
import PolicyEngine
import SQLAnalysis
import SallyportConfiguration

/// What is in force: the configuration with all that is made of it. It never changes, and is replaced as a whole.
final class Governing: Sendable {
  let configuration: GatewayConfiguration
  let policy: Policy
  let functions: FunctionCatalog
  /// Users by the public keys that are theirs.
  let keyOwners: [[UInt8]: String]
  /// nil when clients are not offered TLS.
  let clientTLS: ClientTLSContext?

  init(_ configuration: GatewayConfiguration, clientTLS: ClientTLSContext?) {
    self.configuration = configuration
    self.clientTLS = clientTLS
    keyOwners = configuration.users.values.reduce(into: [:]) { owners, user in
      for key in user.keys { owners[key.blob] = user.name }
    }
    policy = Policy(configuration.policy, hash: configuration.policyHash, clock: ZoneClock.now)
    functions = FunctionCatalog(
      configuration.functions.map { FunctionCatalog.Entry(name: $0.name, effects: $0.effects, reads: $0.reads) })
  }

  /// What a person who has signed in may do there by now; nil when nothing, and when they are not to be there as this
  /// account or in this database any more.
  func rights(of person: Subject, at target: BackendTarget) -> (subject: Subject, policy: ScopedPolicy)? {
    guard let settings = configuration.connections[person.connection],
      target.database == settings.database || settings.databases.contains(target.database),
      let subject = configuration.subject(
        user: person.user, connection: person.connection, clientAddress: person.clientAddress),
      settings.credential(for: subject.groups)?.user == target.account.user
    else { return nil }
    let policy = policy.scoped(to: subject)
    return policy.hasAccess ? (subject, policy) : nil
  }
}

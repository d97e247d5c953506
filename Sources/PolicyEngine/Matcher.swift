import AccessModel
import Residency

/// The conditions of one `when` or `unless`: within a key one value is enough, and every key must hold.
///
/// nil is a key that was not written and holds always. An empty list is a "one of" of nothing and never holds.
public struct Matcher: Sendable, Hashable {
  public var users: [String]?
  public var groups: [String]?
  public var connections: [NameGlob]?
  /// Every key must be there with one of its values.
  public var labels: [String: [String]]?
  public var protocols: [String]?
  public var effects: EffectSelector?
  public var resources: [ResourcePattern]?
  /// Where the client is.
  public var networks: [NetworkRange]?
  public var hours: [Hours]?
  /// The command's whole text.
  public var text: [TextPattern]?
  public var sql: SQLMatcher?
  public var ssh: SSHMatcher?

  public init(
    users: [String]? = nil, groups: [String]? = nil, connections: [NameGlob]? = nil,
    labels: [String: [String]]? = nil, protocols: [String]? = nil, effects: EffectSelector? = nil,
    resources: [ResourcePattern]? = nil, networks: [NetworkRange]? = nil, hours: [Hours]? = nil,
    text: [TextPattern]? = nil, sql: SQLMatcher? = nil, ssh: SSHMatcher? = nil
  ) {
    self.users = users
    self.groups = groups
    self.connections = connections
    self.labels = labels
    self.protocols = protocols
    self.effects = effects
    self.resources = resources
    self.networks = networks
    self.hours = hours
    self.text = text
    self.sql = sql
    self.ssh = ssh
  }

  /// True when no key was written at all.
  public var isEmpty: Bool { self == Matcher() }

  /// True when the keys about who and where may hold. They are facts of the session, so that *may* and *must* are one,
  /// except where the client's address is not known.
  func mayFit(_ subject: Subject) -> Bool { fits(subject, unknownAddress: true) }

  /// True when the keys about who and where certainly hold.
  func mustFit(_ subject: Subject) -> Bool { fits(subject, unknownAddress: false) }

  private func fits(_ subject: Subject, unknownAddress: Bool) -> Bool {
    if let users, !users.contains(subject.user) { return false }
    if let groups, !groups.contains(where: subject.groups.contains) { return false }
    if let connections, !connections.contains(where: { $0.matches(subject.connection) }) { return false }
    if let labels, !subject.carries(labels) { return false }
    if let protocols, !protocols.contains(subject.protocolName) { return false }
    // A key of one protocol speaks of that protocol's commands only.
    if sql != nil, subject.protocolName != "postgres" { return false }
    if ssh != nil, subject.protocolName != "ssh" { return false }
    if let networks {
      guard let address = NetworkAddress(subject.clientAddress) else { return unknownAddress && !networks.isEmpty }
      return networks.contains { $0.contains(address) }
    }
    return true
  }

  /// The keys about what a command does, which are looked at for every command.
  var command: CommandMatcher {
    CommandMatcher(effects: effects, sql: sql, ssh: ssh, resources: resources, text: text, hours: hours)
  }
}

extension Subject {
  /// True when every label is there with one of its values.
  func carries(_ wanted: [String: [String]]) -> Bool {
    wanted.allSatisfy { key, values in labels[key].map(values.contains) ?? false }
  }
}

/// Which effects a rule is about.
public struct EffectSelector: Sendable, Hashable {
  /// The effects that were named, each a known one.
  public var named: Effects
  /// Whether `unknown` was named: it means commands that could not be worked out, and only those.
  public var unknown: Bool

  public init(_ named: Effects = [], unknown: Bool = false) {
    self.named = named
    self.unknown = unknown
  }

  /// True when something with these effects may do one of those selected.
  func mayMatch(_ effects: Effects) -> Bool {
    !named.isDisjoint(with: effects) || (unknown && effects.isUnknown)
  }

  /// True when all that something with these effects may do is selected.
  func mustCover(_ effects: Effects) -> Bool { unknown || named.isSuperset(of: effects) }
}

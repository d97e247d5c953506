import AccessModel

/// Refusals that have no record of their own because there were too many of them (DECISIONS 23): how many, and a hash by
/// which whoever has what was refused can show it. Nothing that was let through is ever counted together.
public struct RepeatedRefusals: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Commands of one session, refused by one rule of one policy; `first` and `last` of them. `inPlace` is how often the
    /// backend was sent the statement that always fails in place of one (DECISIONS 2).
    case commands(
      session: String, rule: String, policy: String, first: CommandID, last: CommandID, inPlace: UInt64)
    /// Sign-ins from one address, as these users, of whom some may be missing.
    case signIns(client: String, users: [String])
  }
  public var kind: Kind
  public var count: UInt64
  /// Of the first.
  public var reason: String
  /// When the first and the last were, µs since 1970.
  public var since: Int64
  public var until: Int64
  /// SHA-256 in lower-case hex, of commands over number (u64, little-endian), length (the same) and text of each in order;
  /// of sign-ins over user, a zero byte, reason, a zero byte.
  public var hash: String

  public init(kind: Kind, count: UInt64, reason: String, since: Int64, until: Int64, hash: String) {
    self.kind = kind
    self.count = count
    self.reason = reason
    self.since = since
    self.until = until
    self.hash = hash
  }
}

/// The right to send one decided and recorded command to the backend.
///
/// It cannot be copied, only consumed; and only the enforcer can make one: the initialiser is SPI that the target
/// Enforcement alone imports, which an architecture test holds.
public struct Permit: ~Copyable, Sendable {
  public let command: CommandID
  /// How many rows of its results may reach the client; nil for all. Whoever consumes the permit keeps to it.
  public let limit: RowLimit?

  @_spi(Minting) public init(for command: CommandID, limit: RowLimit? = nil) {
    self.command = command
    self.limit = limit
  }
}

/// The right to send what is not a command but belongs to the protocol's own traffic (DECISIONS 12).
///
/// The list is closed: what is not on it needs a `Permit`.
public struct ControlPermit: ~Copyable, Sendable {
  public enum Purpose: String, Hashable, Sendable, CaseIterable {
    /// The gateway's own start-up and authentication towards the backend.
    case handshake
    /// Sync, Flush and Terminate: ends of segments and of the session.
    case synchronize
    /// Describe and Close of statements and portals that were decided before.
    case describe, close
    /// Execute of a portal: its Bind was the command, decided and recorded before.
    case execute
    /// CopyData, CopyDone and CopyFail of a COPY that was decided before.
    case copyData
    /// The statement that always fails, in place of a refused one (DECISIONS 2).
    case failingStatement
    /// CancelRequest, on a connection of its own.
    case cancel
    /// The gateway's own look-ups of what names stand for: in the system catalogue, on a connection of their own, and
    /// SHOW of the settings that decide it, whose answer does not reach the client (DECISIONS 5, 6).
    case catalog
    /// EXPLAIN of a command that is held, for those who decide on it: in a read-only transaction, on a connection of its own
    /// (DECISIONS 16).
    case estimate
  }
  public let purpose: Purpose

  public init(_ purpose: Purpose) { self.purpose = purpose }
}

/// The enforcer's answer to a session about one command.
public enum Verdict: ~Copyable, Sendable {
  case forward(Permit)
  case refuse(Refusal)
}

/// Why a command does not reach the backend, in terms that each protocol can say in its own way.
public struct Refusal: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// A rule, or the lack of an access grant.
    case denied
    /// The text is not understood, and that is the only reason.
    case misunderstood(SQLMisunderstanding)
    /// The text names a relation that is not there, and that is the only reason.
    case absent(AbsentRelation)
    /// The message is not what its type says, so that nothing in it could be decided: the error that its protocol has for
    /// it, with its SQLSTATE or the like.
    case malformed(code: String, message: String)
    /// Nobody approved in time, or an approver said no.
    case notApproved
    /// The person cancelled while waiting.
    case cancelled
    /// More rows than a rule lets one result have: so many have reached the client.
    case limited(rows: Int)
    /// The gateway is going down.
    case shutdown
    /// The audit trail or another part that must not be missing does not work.
    case unavailable
  }
  public var kind: Kind
  public var denial: Denial

  public init(_ kind: Kind, _ denial: Denial) {
    self.kind = kind
    self.denial = denial
  }
}

/// How a command ended.
public struct Outcome: Hashable, Sendable {
  public enum Ending: String, Hashable, Sendable {
    /// The backend says that it is complete.
    case completed
    /// A portal stopped at its row limit and can go on.
    case suspended
    /// The backend answered with an error, or an earlier error of the pipeline made it skip the command.
    case failed, skipped
    /// The connection to the backend or the client broke before the end.
    case lost
  }
  public var ending: Ending
  /// The backend's own words of success, `INSERT 0 3`; empty without.
  public var tag: String
  /// SQLSTATE of an error; empty without.
  public var errorCode: String
  public var rows: Int
  /// Bytes of results sent to the client.
  public var bytes: Int
  /// Names of masked columns of the result.
  public var masked: [String]
  /// Names of those in which rules in shadow would have hidden something; `*` for what has no name.
  public var wouldMask: [String]

  public init(
    ending: Ending, tag: String = "", errorCode: String = "", rows: Int = 0, bytes: Int = 0, masked: [String] = [],
    wouldMask: [String] = []
  ) {
    self.ending = ending
    self.tag = tag
    self.errorCode = errorCode
    self.rows = rows
    self.bytes = bytes
    self.masked = masked
    self.wouldMask = wouldMask
  }
}

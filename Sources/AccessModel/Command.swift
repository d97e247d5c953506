/// Names one command within its session; grows by one with each command.
public struct CommandID: Hashable, Sendable, Comparable {
  public let rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: CommandID, b: CommandID) -> Bool { a.rawValue < b.rawValue }
}

/// What a user asks a backend to do, in words that every protocol shares.
///
/// What all commands of one text have in common lies in `facts`, which they share: a copy costs next to nothing.
public struct Command: Hashable, Sendable {
  /// What stage of the command's life is being decided.
  public enum Stage: String, Hashable, Sendable {
    /// The text is handed over to be run later, perhaps never (PostgreSQL's Parse).
    case prepare
    /// The command runs now.
    case execute
  }
  public var stage: Stage
  /// The values bound to the text's parameters, empty without any.
  public var parameters: Parameters
  /// The text and what it may do.
  public var facts: CommandFacts
  /// How many rows the backend expects it to touch.
  public var estimate = RowEstimate.notAsked

  public init(stage: Stage = .execute, facts: CommandFacts, parameters: Parameters = .none) {
    self.stage = stage
    self.parameters = parameters
    self.facts = facts
  }

  public init(
    stage: Stage = .execute, effects: Effects, footprint: Footprint, text: String,
    parameters: Parameters = .none, detail: Detail
  ) {
    let shape = CommandShape(effects: effects, footprint: footprint, detail: detail)
    self.init(stage: stage, facts: CommandFacts(text: text, shape: shape), parameters: parameters)
  }

  /// What it may do; an upper bound.
  public var effects: Effects { facts.shape.effects }
  /// What it may touch; an upper bound.
  public var footprint: Footprint { facts.shape.footprint }
  /// What an approver reads and the audit trail keeps, exactly as the client sent it.
  public var text: String { facts.text }
  /// What only its protocol knows.
  public var detail: Detail { facts.shape.detail }

  /// The same command with other facts, such as those whose text shows no values.
  public func with(_ facts: CommandFacts) -> Command {
    var command = self
    command.facts = facts
    return command
  }
}

/// How many rows a backend expects a command to touch, asked for where a rule depends on it (DECISIONS 16).
public enum RowEstimate: Hashable, Sendable {
  case notAsked
  /// Asking would not be safe, or the backend did not answer: it may be any number.
  case none
  case rows(Int64)
}

/// The values bound to a command's parameters, as the client encoded them.
///
/// For PostgreSQL: the bytes of Bind from the parameter format codes to the last value, or those of FunctionCall behind
/// the routine's number. Of values too long to be kept only the front is here, and `byteCount` says how much there is:
/// two of those that are equal may stand for different values, so nothing may be bound to them (DECISIONS 14).
public struct Parameters: Hashable, Sendable {
  public var count: Int
  public var encoded: [UInt8]
  /// Bytes of all values; of `encoded` alone when it is whole.
  public var byteCount: Int
  /// Whether the session can still be asked for all of them; false also when they are here.
  public var isObtainable: Bool
  /// Their types by the protocol's numbers (PostgreSQL's OIDs, 0 where not known), for values that cannot be read without;
  /// empty where nothing is known, or nothing needs it.
  public var types: [UInt32] = []

  public static let none = Parameters(count: 0, encoded: [])

  public init(count: Int, encoded: [UInt8]) {
    self.count = count
    self.encoded = encoded
    byteCount = encoded.count
    isObtainable = false
  }

  /// Values of which `byteCount - front.count` bytes are still to come.
  public init(count: Int, front: [UInt8], byteCount: Int, isObtainable: Bool) {
    self.count = count
    encoded = front
    self.byteCount = byteCount
    self.isObtainable = isObtainable
  }

  /// Whether all values are here.
  public var isWhole: Bool { encoded.count >= byteCount }
}

/// What only one protocol knows of a command; closed, so that a rule's matcher can be total.
public enum Detail: Hashable, Sendable {
  case sql(SQLDetail)
  case ssh(SSHDetail)
}

/// What is known of an SQL command: its statements, or why it could not be understood.
public struct SQLDetail: Hashable, Sendable {
  public var statements: [SQLStatement]
  /// Why the text was not understood; nil when it was. Effects and footprint are then `.unknown` and `.everything`.
  public var misunderstood: SQLMisunderstanding?

  public init(statements: [SQLStatement], misunderstood: SQLMisunderstanding? = nil) {
    self.statements = statements
    self.misunderstood = misunderstood
  }
}

/// Why a text could not be analysed.
public enum SQLMisunderstanding: Hashable, Sendable {
  /// PostgreSQL's own parser refuses it; `position` counts characters from 1, as in ErrorResponse field P.
  case syntax(message: String, position: Int)
  /// Nested deeper than we follow.
  case tooDeep
  /// Longer than the limit, in bytes.
  case tooLong(limit: Int)
  /// Not valid UTF-8, or holds a zero byte.
  case notText
  /// The session's settings would make the backend read it differently from us.
  case unsafe(String)
  /// A message that names a routine by OID (FunctionCall), or a statement that the session does not know.
  case opaque(String)
}

/// A relation that a statement names and that is not there.
public struct AbsentRelation: Hashable, Sendable {
  /// As the statement has it, with its schema where it says one.
  public var name: String
  /// Where it stands in the text, in characters from 1, as in ErrorResponse field P.
  public var position: Int

  public init(name: String, position: Int) {
    self.name = name
    self.position = position
  }
}

/// One statement of an SQL text.
public struct SQLStatement: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case select, insert, update, delete, merge, truncate, copyTo = "copy_to", copyFrom = "copy_from", create, alter,
      drop, grant, call, `do`, explain, prepare, execute, deallocate, declare, fetch, close, set, show, begin, commit,
      rollback, savepoint, lock, listen, notify, analyze, vacuum, replicate, other
  }
  /// Whether an UPDATE or DELETE says which rows it means.
  public enum Predicate: String, Hashable, Sendable {
    /// The statement has no such clause (a SELECT, a CREATE).
    case notApplicable
    /// No WHERE, or one that is true whatever the row holds (DECISIONS 10).
    case absent
    case present
  }
  public var kind: Kind
  public var effects: Effects
  public var footprint: Footprint
  /// The worst predicate of all the UPDATEs and DELETEs in it, those inside CTEs included.
  public var predicate: Predicate
  /// Kinds of all statements nested in it (CTEs, EXPLAIN, PREPARE, DECLARE), itself included.
  public var kinds: Set<Kind>
  /// Where its values come from and go to.
  public var lineage: StatementLineage
  /// Functions and procedures that it calls, those of PostgreSQL and those in views and bodies of others included;
  /// operators and casts are not. All there are when the footprint is everything.
  public var functions: Set<Resource>
  /// How its rows are written, if it copies them to the client.
  public var copy: CopyTerms?
  /// The first relation in it that a new reading of the catalogue does not have; nil where all are there, or may be.
  public var absent: AbsentRelation?

  public init(
    kind: Kind, effects: Effects, footprint: Footprint, predicate: Predicate = .notApplicable,
    kinds: Set<Kind>? = nil, lineage: StatementLineage = .unresolved, functions: Set<Resource> = [],
    copy: CopyTerms? = nil
  ) {
    self.kind = kind
    self.effects = effects
    self.footprint = footprint
    self.predicate = predicate
    self.kinds = kinds ?? [kind]
    self.lineage = lineage
    self.functions = functions
    self.copy = copy
  }
}

/// What of a text matters to the session that runs it, beyond what it does to data: which names it leans on, and what
/// it changes for the texts behind it.
public struct SessionTraits: Hashable, Sendable {
  /// It names relations, routines or operators that only the catalogue can tell apart. While nothing is known of the
  /// catalogue, PostgreSQL's own functions are believed to be what their names say.
  public var needsNames = false
  /// The session's search_path would settle what is left open.
  public var needsPath = false
  /// A name was met that the catalogue does not have: it may be newer than the catalogue.
  public var hasAbsentNames = false
  /// The `NameContext` in which names were resolved; 0 for none.
  public var context: UInt64 = 0
  /// Relations that it may make or change, unseen by anybody else until it is committed, or for good.
  public var defines = OwnDefinitions.none
  /// It may make or change these routines, unseen by anybody else until it is committed.
  public var definesRoutines = RoutineNames.none
  /// The name in a text that is one PREPARE and nothing else.
  public var prepares: String?
  /// The name in a text that is one EXECUTE, or one EXPLAIN or CREATE TABLE AS of it, and nothing else; its effects are
  /// unknown to whoever does not know the name.
  public var executes: String?
  /// The cursor in a text that is one DECLARE and nothing else.
  public var declares: String?
  /// That cursor outlives its transaction.
  public var declaresHold = false
  /// The cursor in a text that is one FETCH or MOVE and nothing else.
  public var fetches: String?
  /// Columns are told by their places alone, so that a catalogue of some seconds ago does not do.
  public var countsColumns = false
  /// All cursors that it declares.
  public var declaredCursors: [DeclaredCursor] = []
  /// Names of all cursors that it fetches from.
  public var fetchedCursors: [String] = []
  /// For each COPY to the client in it, in order: whether a line of column names comes first.
  public var copyHeaders: [Bool] = []

  public init() {}
}

/// A cursor by the name that DECLARE gives it.
public struct DeclaredCursor: Hashable, Sendable {
  public var name: String
  /// WITH HOLD: it outlives its transaction.
  public var isHeld: Bool

  public init(name: String, isHeld: Bool) {
    self.name = name
    self.isHeld = isHeld
  }
}

/// Names of routines, of which some are not known.
public enum RoutineNames: Hashable, Sendable {
  case none
  case some(Set<String>)
  /// Any.
  case all

  /// Names that are kept; more of them are all.
  private static let limit = 1_000

  public mutating func formUnion(_ other: RoutineNames) {
    switch (self, other) {
    case (_, .none), (.all, _): break
    case (.none, _), (_, .all): self = other
    case (.some(let mine), .some(let theirs)):
      let joined = mine.union(theirs)
      self = joined.count > RoutineNames.limit ? .all : .some(joined)
    }
  }

  func contains(_ name: String) -> Bool {
    switch self {
    case .none: false
    case .some(let names): names.contains(name)
    case .all: true
    }
  }
}

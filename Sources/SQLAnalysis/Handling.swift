import AccessModel

/// How one kind of node is looked at.
enum Handling {
  /// Means nothing by itself; its children may.
  case parts
  /// Nothing in it matters.
  case leaf
  /// A statement of which the kind of node tells all.
  case plain(StatementRule)
  /// A statement or part with a method of its own.
  case select, insert, update, delete, merge, relation, function, operation, column, indirection, sample, subselect
  case copy, explain, declare, wrapper(SQLStatement.Kind), createAs, view, transaction, set, discard, vacuum, drop,
    comment
  case grant, truncate, call, rename
  /// Not known, or not where it belongs: touches everything.
  case unknown
}

/// What a kind of statement does whatever it says.
struct StatementRule {
  var kind: SQLStatement.Kind
  var effects: Effects
  /// What happens to the relations that it names.
  var access: Effects
  /// Touches more than it names, so that its footprint is everything.
  var everything = false

  static let unknown = StatementRule(kind: .other, effects: .unknown, access: .unknown, everything: true)

  /// Changes the schema of what it names.
  static func define(_ kind: SQLStatement.Kind, everything: Bool = false) -> Handling {
    .plain(StatementRule(kind: kind, effects: .define, access: .define, everything: everything))
  }

  /// Manages the backend itself.
  static func administer(
    _ kind: SQLStatement.Kind, _ more: Effects = [], everything: Bool = false
  ) -> Handling {
    .plain(
      StatementRule(
        kind: kind, effects: more.union(.administer), access: more.union(.administer), everything: everything))
  }

  /// Does that, and to nothing that has a name.
  static func only(_ kind: SQLStatement.Kind, _ effects: Effects) -> Handling {
    .plain(StatementRule(kind: kind, effects: effects, access: effects))
  }

  /// Runs what cannot be seen.
  static func unknown(_ kind: SQLStatement.Kind) -> Handling {
    .plain(StatementRule(kind: kind, effects: .unknown, access: .unknown, everything: true))
  }
}

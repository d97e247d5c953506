/// What all commands with one text have in common, worked out once and shared by reference.
///
/// Whoever meets the same facts again, by identity, has met the same content: they never change.
public final class CommandFacts: Sendable {
  /// What an approver reads and the audit trail keeps, exactly as the client sent it.
  public let text: String
  public let shape: CommandShape
  /// What was taken out of the text, where it is not as the client sent it; nil where it is.
  public let concealed: ConcealedValues?

  public init(text: String, shape: CommandShape, concealed: ConcealedValues? = nil) {
    self.text = text
    self.shape = shape
    self.concealed = concealed
  }
}

/// Values that a stored text does not show (DECISIONS 15).
public struct ConcealedValues: Hashable, Sendable {
  public var count: Int
  /// Of the exact text, under a key of the gateway's, in lower-case hex: equal texts can be told to be equal.
  public var proof: String

  public init(count: Int, proof: String) {
    self.count = count
    self.proof = proof
  }
}

/// What a text may do. Texts that differ only in their constants may share one shape.
public final class CommandShape: Sendable {
  /// What it may do; an upper bound.
  public let effects: Effects
  /// What it may touch; an upper bound.
  public let footprint: Footprint
  /// What only its protocol knows.
  public let detail: Detail
  /// What the cheapest tests ask, gathered once.
  public let summary: CommandSummary

  public init(effects: Effects, footprint: Footprint, detail: Detail) {
    self.effects = effects
    self.footprint = footprint
    self.detail = detail
    summary = CommandSummary(effects, footprint, detail)
  }
}

extension CommandFacts: Hashable {
  public static func == (a: CommandFacts, b: CommandFacts) -> Bool {
    a === b || a.text == b.text && a.shape == b.shape
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

extension CommandShape: Hashable {
  public static func == (a: CommandShape, b: CommandShape) -> Bool {
    a === b || a.effects == b.effects && a.footprint == b.footprint && a.detail == b.detail
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(effects)
    hasher.combine(footprint)
  }
}

/// What the cheapest tests of a command need to know of all its statements together.
public struct CommandSummary: Hashable, Sendable {
  public let effects: Effects
  /// Kinds of all statements and of those nested in them.
  public private(set) var kinds: KindSet = []
  /// Some UPDATE or DELETE does not say which rows it means.
  public private(set) var anyAbsent = false
  /// Nothing can be said of the command as a whole, so that every description fits it and no exemption does.
  public let couldBeAnything: Bool
  /// Some part of it is not understood, so that only a full look can tell.
  public private(set) var isOpaque: Bool
  /// Why the text was not understood; nil when it was.
  public let misunderstood: SQLMisunderstanding?

  fileprivate init(_ effects: Effects, _ footprint: Footprint, _ detail: Detail) {
    self.effects = effects
    switch detail {
    case .sql(let sql):
      misunderstood = sql.misunderstood
      switch footprint {
      case .everything: couldBeAnything = true
      // Without a statement it must not do anything either.
      case .resources(let accesses):
        couldBeAnything =
          sql.misunderstood != nil || effects.isUnknown
          || sql.statements.isEmpty && !(effects.isEmpty && accesses.isEmpty)
      }
      isOpaque = couldBeAnything
      for statement in sql.statements {
        if statement.couldBeAnything { isOpaque = true }
        if statement.predicate == .absent { anyAbsent = true }
        kinds.formUnion(KindSet(statement.kind))
        for kind in statement.kinds { kinds.formUnion(KindSet(kind)) }
      }
    case .ssh(let ssh):
      misunderstood = nil
      couldBeAnything = ssh.misunderstood != nil || effects.isUnknown || footprint == .everything
      isOpaque = couldBeAnything
    }
  }
}

extension SQLStatement {
  /// True when nothing can be said of it.
  public var couldBeAnything: Bool {
    switch footprint {
    case .everything: true
    case .resources: effects.isUnknown
    }
  }
}

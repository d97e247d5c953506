import AccessModel

/// What one SQL text may do, worked out once and shared by every command that has this text.
public final class Analysis: Sendable {
  /// What every command with this text shares.
  public let facts: CommandFacts
  public let detail: SQLDetail
  /// The session settings that it changes, in order, as far as they are literal.
  public let settings: [SettingChange]
  /// What else matters to the session that runs it.
  public let traits: SessionTraits
  /// True when it holds a COMMIT or ROLLBACK, also one to a savepoint.
  public let endsTransactions: Bool
  /// True when running it changes nothing of what later texts and messages mean: it reads and writes rows, and that is
  /// all.
  public let isOrdinary: Bool
  /// What the arguments of a lone EXECUTE do.
  let arguments: Part?
  /// True when it holds nothing but BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the like, and at least one of them.
  public let isTransactionControl: Bool
  /// True when every text of the same normal form has this analysis too, see `PlainLiterals`.
  let isTemplate: Bool

  init(
    text: String, effects: Effects, footprint: Footprint, detail: SQLDetail, settings: [SettingChange] = [],
    traits: SessionTraits = SessionTraits(), arguments: Part? = nil, isTemplate: Bool = false
  ) {
    facts = CommandFacts(
      text: text, shape: CommandShape(effects: effects, footprint: footprint, detail: .sql(detail)))
    self.detail = detail
    self.settings = settings
    self.traits = traits
    self.arguments = arguments
    self.isTemplate = isTemplate
    endsTransactions = detail.statements.contains { $0.kind == .commit || $0.kind == .rollback }
    isOrdinary =
      effects.isSubset(of: [.read, .write]) && settings.isEmpty && traits.defines.isEmpty && !endsTransactions
      && !detail.statements.contains { $0.kind == .deallocate || $0.kind == .other || $0.kinds.contains(.declare) }
    isTransactionControl =
      !detail.statements.isEmpty && detail.statements.allSatisfy { Analysis.transactionKinds.contains($0.kind) }
  }

  /// The analysis of another text of the same normal form: all of it but the text.
  init(text: String, like template: Analysis) {
    facts = CommandFacts(text: text, shape: template.facts.shape)
    detail = template.detail
    settings = template.settings
    traits = template.traits
    arguments = template.arguments
    endsTransactions = template.endsTransactions
    isOrdinary = template.isOrdinary
    isTransactionControl = template.isTransactionControl
    isTemplate = template.isTemplate
  }

  public var text: String { facts.text }
  /// The effects of all statements together; `[]` for BEGIN, SET, an empty text.
  public var effects: Effects { facts.shape.effects }
  public var footprint: Footprint { facts.shape.footprint }

  /// The analysis of a text that was not understood: it may do everything.
  public convenience init(text: String, misunderstood: SQLMisunderstanding) {
    self.init(
      text: text, effects: .unknown, footprint: .everything,
      detail: SQLDetail(statements: [], misunderstood: misunderstood))
  }

  private static let transactionKinds: Set<SQLStatement.Kind> = [.begin, .commit, .rollback, .savepoint]

  /// The first setting change after which the analyser and the backend would read texts differently.
  public var unsafeSetting: SettingChange? { settings.first(where: \.isUnsafe) }

  /// The command that runs or prepares this text.
  public func command(stage: Command.Stage = .execute, parameters: Parameters = .none) -> Command {
    Command(stage: stage, facts: facts, parameters: parameters)
  }
}

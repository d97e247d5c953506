import AccessModel

/// What a routine in SQL does when it is called, worked out once per `NameContext`.
enum RoutineBody: Sendable {
  case known(Analysis.Part)
  case unknown
}

/// Which reading of a body: under the session's search_path, or under one that is not known.
struct RoutineKey: Hashable, Sendable {
  var oid: UInt32
  var usesPath: Bool
}

/// Calls of routines that are not PostgreSQL's own.
extension StatementWalk {
  /// Routines that call each other, one inside the other, as far as that is followed.
  static let routineDepth = 8

  /// Adds what this routine may do: what is declared of it, what its body says, or anything.
  mutating func run(_ routine: CatalogSnapshot.Routine, in names: NameContext) {
    note(call: routine.schema, routine.name)
    if let declared = functions.effects(schema: routine.schema, name: routine.name) {
      return declared.isUnknown ? unknown() : touch(.routine(schema: routine.schema, routine.name), declared)
    }
    switch routine.body {
    case .trusted: break
    case .unknown: unknown()
    case .sql(let text):
      switch body(of: routine, text, in: names) {
      case .known(let part): add(part)
      case .unknown: unknown()
      }
    }
  }

  private func body(of routine: CatalogSnapshot.Routine, _ text: String, in names: NameContext) -> RoutineBody {
    let key = RoutineKey(oid: routine.oid, usesPath: usesPath && !routine.hasOwnSettings)
    if let known = names.bodies.withLock({ $0[key] }) { return known }
    // One that calls itself, by whatever way, is not followed.
    guard callers.count < StatementWalk.routineDepth, !callers.contains(routine.oid) else { return .unknown }
    let body = SQLAnalyzer.body(
      text, functions, names, callers: callers + [routine.oid], usesPath: key.usesPath)
    names.bodies.withLock { $0[key] = body }
    return body
  }

  /// Adds what another text does that this one runs.
  mutating func add(_ part: Analysis.Part) {
    effects.formUnion(part.effects)
    inheritedKinds.formUnion(part.kinds)
    called.formUnion(part.functions)
    settings += part.settings
    if part.predicate == .absent || predicate == .notApplicable { predicate = part.predicate }
    traits.inherit(part.traits)
    switch part.footprint {
    case .everything: everything = true
    case .resources(let all):
      if everything { return }
      accesses.formUnion(all)
      if accesses.count > StatementWalk.accessLimit { everything = true }
    }
  }
}

extension SessionTraits {
  /// Takes over what holds for a text when it holds for a part of it.
  mutating func inherit(_ part: SessionTraits) {
    needsNames = needsNames || part.needsNames
    needsPath = needsPath || part.needsPath
    hasAbsentNames = hasAbsentNames || part.hasAbsentNames
    countsColumns = countsColumns || part.countsColumns
    defines.formUnion(part.defines)
    definesRoutines.formUnion(part.definesRoutines)
    if !part.declaredCursors.isEmpty { declaredCursors += part.declaredCursors }
    if !part.fetchedCursors.isEmpty { fetchedCursors += part.fetchedCursors }
    if !part.copyHeaders.isEmpty { copyHeaders += part.copyHeaders }
  }
}

extension Analysis {
  /// What one piece of a text does, or a text that another one runs.
  public struct Part: Hashable, Sendable {
    var effects: Effects = []
    var footprint = Footprint.nothing
    var predicate = SQLStatement.Predicate.notApplicable
    var kinds: Set<SQLStatement.Kind> = []
    var functions: Set<Resource> = []
    var settings: [SettingChange] = []
    var traits = SessionTraits()
    /// Of all statements together.
    var lineage = StatementLineage.none
    /// What an EXECUTE is part of.
    var execution = Execution()

    static func sum(_ walks: [(SQLStatement, StatementWalk)]) -> Part {
      var part = Part()
      for (statement, walk) in walks {
        part.effects.formUnion(statement.effects)
        part.footprint = part.footprint.union(statement.footprint)
        part.kinds.formUnion(statement.kinds)
        part.functions.formUnion(statement.functions)
        part.settings += walk.settings
        part.traits.inherit(walk.traits)
        part.lineage.formUnion(statement.lineage)
        if statement.predicate == .absent || part.predicate == .notApplicable { part.predicate = statement.predicate }
      }
      return part
    }
  }
}

/// Cursors.
extension Analysis {
  /// What fetching from a cursor does, given the text that declared it. nil when this is no lone FETCH.
  public func fetching(_ declared: Analysis) -> Analysis? {
    guard let name = traits.fetches, declared.traits.declares == name, detail.statements.count == 1,
      let cursor = declared.detail.statements.first
    else { return nil }
    var statement = detail.statements[0]
    statement.footprint = statement.footprint.union(cursor.footprint)
    statement.lineage = cursor.lineage
    // They were compared by whoever declared it.
    statement.lineage.testedConstants = 0
    return Analysis(
      text: text, effects: effects, footprint: statement.footprint, detail: SQLDetail(statements: [statement]),
      settings: settings, traits: traits)
  }
}

/// Cursors that statements of one text declare, for those behind them in it.
struct DeclaredCursors {
  private var known: [String: SQLStatement] = [:]

  /// The statement at that node, which follows those before; a FETCH then says where its rows come from.
  mutating func follow(_ statement: inout SQLStatement, _ node: UInt32, in tape: Tape) {
    switch tape.kind(node) {
    case .declareCursorStmt: if let name = tape.text(node, .portalname) { known[name] = statement }
    case .fetchStmt:
      guard let cursor = tape.text(node, .portalname).flatMap({ known[$0] }) else { break }
      statement.footprint = statement.footprint.union(cursor.footprint)
      statement.lineage = cursor.lineage
      statement.lineage.testedConstants = 0
    case _:
      // It may give names to other cursors.
      if statement.effects.isUnknown || !statement.effects.isDisjoint(with: [.execute, .call]) { known.removeAll() }
    }
  }
}

extension NameContext {
  /// What a routine's body does, once something has called it; nil when that was not looked at.
  func body(of routine: CatalogSnapshot.Routine, usesPath: Bool) -> RoutineBody? {
    bodies.withLock { $0[RoutineKey(oid: routine.oid, usesPath: usesPath && !routine.hasOwnSettings)] }
  }
}

extension SQLAnalyzer {
  /// Finds where the values of a statement come from and go to, if names are resolved.
  static func addLineage(
    of node: UInt32, to statement: inout SQLStatement, _ walk: StatementWalk, mayHaveMade: Bool = false
  ) {
    statement.lineage = .unresolved
    guard let names = walk.names else { return }
    var lineage = LineageWalk(walk, names, mayHaveMade: mayHaveMade)
    statement.lineage = lineage.run(node, statement)
    statement.copy = lineage.copyTerms
    statement.absent = lineage.absent.map { lineage.named($0, in: walk.source) }
  }

  /// What the statements of a routine's body do together.
  static func body(
    _ text: String, _ functions: FunctionCatalog, _ names: NameContext, callers: [UInt32], usesPath: Bool
  ) -> RoutineBody {
    guard text.utf8.count <= inlineLimit, !text.utf8.contains(0), LexerCost.isBearable(text) else { return .unknown }
    return withParserOutput(text) { tree, why in
      guard why == nil, let tape = try? Tape(tree) else { return .unknown }
      let list = tape.child(0, .stmts)
      if list == 0 { return .known(Analysis.Part()) }
      var walks: [(SQLStatement, StatementWalk)] = []
      for entry in tape.children(list) {
        let node = tape.child(entry, .stmt)
        if node == 0 { return .unknown }
        var walk = StatementWalk(tape: tape, source: text, functions: functions, names: names)
        walk.callers = callers
        walk.usesPath = usesPath
        var statement = walk.run(node)
        if walk.isTooDeep { return .unknown }
        addLineage(of: node, to: &statement, walk)
        walks.append((statement, walk))
      }
      return .known(Analysis.Part.sum(walks))
    }
  }
}

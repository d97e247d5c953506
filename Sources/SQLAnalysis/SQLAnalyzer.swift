import AccessModel
import CPgQuery

/// Turns an SQL text into what it may do, with PostgreSQL 15's own grammar.
public enum SQLAnalyzer {
  /// Bytes of text that may be analysed on an event loop's stack.
  ///
  /// libpg_query calls itself once per operator of a chain: 8 KiB of the worst texts known (`1+1+…`, `1::a::a…`) need
  /// between 0.5 and 1 MiB of stack, while Linux gives a thread 8.
  public static let inlineLimit = 8 << 10

  /// Bytes of text that are analysed at all (DECISIONS 21); needs `LargeStackAnalyzer.stackSize`.
  public static let textLimit = 1 << 20

  /// What this text may do. Total: whatever is not understood may do everything.
  ///
  /// A text longer than `inlineLimit` must be analysed on a large stack, see `LargeStackAnalyzer`.
  /// Names are resolved as `names` has them; without it they stay as they are written, and names of PostgreSQL's own
  /// functions are taken for those.
  public static func analyze(
    _ text: String, functions: FunctionCatalog = .empty, names: NameContext? = nil
  ) -> Analysis {
    guard text.utf8.count <= textLimit else { return Analysis(text: text, misunderstood: .tooLong(limit: textLimit)) }
    guard !text.utf8.contains(0) else { return Analysis(text: text, misunderstood: .notText) }
    guard LexerCost.isBearable(text) else { return Analysis(text: text, misunderstood: .tooDeep) }
    return withParserOutput(text) { tree, why in
      if let why { return Analysis(text: text, misunderstood: why) }
      return analyze(text, tree: tree, functions, names)
    }
  }

  /// Runs libpg_query and hands over its JSON, or why there is none. The bytes are valid in `body` only.
  static func withParserOutput<Value>(
    _ text: String, _ body: (UnsafeBufferPointer<UInt8>, SQLMisunderstanding?) -> Value
  ) -> Value {
    let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    return text.withCString { source in
      let result = pg_query_parse(source)
      defer { pg_query_free_parse_result(result) }
      if let error = result.error?.pointee { return body(none, misunderstanding(error)) }
      guard let json = result.parse_tree else { return body(none, unreadable) }
      let bytes = UnsafeRawBufferPointer(start: json, count: length(json)).assumingMemoryBound(to: UInt8.self)
      return body(bytes, nil)
    }
  }

  /// The same for bytes as they came; those that are not UTF-8 are not understood.
  public static func analyze(
    bytes: UnsafeRawBufferPointer, functions: FunctionCatalog = .empty, names: NameContext? = nil
  ) -> Analysis {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return Analysis(text: String(decoding: bytes, as: UTF8.self), misunderstood: .notText)
    }
    return analyze(text, functions: functions, names: names)
  }

  private static let unreadable = SQLMisunderstanding.opaque("the parser's output could not be read")

  private static func length(_ json: UnsafePointer<CChar>) -> Int {
    var count = 0
    while json[count] != 0 { count += 1 }
    return count
  }

  private static func misunderstanding(_ error: PgQueryError) -> SQLMisunderstanding {
    let message = error.message.map { String(cString: $0) } ?? "syntax error"
    // Bison's own stack is full, at some 10,000 open parentheses.
    if message == "memory exhausted" || message.hasPrefix("memory exhausted at") { return .tooDeep }
    return .syntax(message: message, position: max(1, Int(error.cursorpos)))
  }

  /// Reads the parser's output.
  static func analyze(
    _ text: String, tree: UnsafeBufferPointer<UInt8>, _ functions: FunctionCatalog, _ names: NameContext? = nil
  ) -> Analysis {
    let tape: Tape
    do { tape = try Tape(tree) } catch {
      switch error {
      case .tooDeep: return Analysis(text: text, misunderstood: .tooDeep)
      case .malformed: return Analysis(text: text, misunderstood: unreadable)
      }
    }
    var statements: [SQLStatement] = []
    var settings: [SettingChange] = []
    var traits = SessionTraits()
    traits.context = names?.id ?? 0
    var arguments: Analysis.Part?
    // Relations that an earlier statement of the text makes are not in the catalogue.
    var hasMade = false
    var cursors = DeclaredCursors()
    // What names mean to the next statement of the text.
    var inForce = names
    let list = tape.child(0, .stmts)
    if list != 0 {
      for entry in tape.children(list) {
        let node = tape.child(entry, .stmt)
        if node == 0 { return Analysis(text: text, misunderstood: unreadable) }
        var walk = StatementWalk(tape: tape, source: text, functions: functions, names: inForce)
        var statement = walk.run(node)
        if walk.isTooDeep { return Analysis(text: text, misunderstood: .tooDeep) }
        addLineage(of: node, to: &statement, walk, mayHaveMade: hasMade)
        cursors.follow(&statement, node, in: tape)
        hasMade = hasMade || statement.effects.contains(.define)
        inForce = inForce?.after(walk, statement)
        statements.append(statement)
        settings += walk.settings
        traits.inherit(walk.traits)
      }
      if statements.count == 1 { arguments = named(tape, list, text, functions, names, &traits) }
    }
    return Analysis(
      text: text, effects: statements.reduce(into: []) { $0.formUnion($1.effects) }, footprint: union(statements),
      detail: SQLDetail(statements: statements), settings: settings, traits: traits, arguments: arguments,
      // Options of COPY are no constants to take out.
      isTemplate: !statements.contains { $0.copy != nil } && PlainLiterals.areAll(in: tape, text))
  }

  /// The name in a text that is one PREPARE or one EXECUTE; returns what the arguments of the latter do.
  private static func named(
    _ tape: Tape, _ list: UInt32, _ text: String, _ functions: FunctionCatalog, _ names: NameContext?,
    _ traits: inout SessionTraits
  ) -> Analysis.Part? {
    guard let entry = tape.children(list).first(where: { _ in true }) else { return nil }
    let node = tape.child(entry, .stmt)
    switch tape.kind(node) {
    case .prepareStmt: traits.prepares = tape.text(node, .name)
    case .declareCursorStmt:
      traits.declares = tape.text(node, .portalname)
      let options = tape.child(node, .options)
      // CURSOR_OPT_HOLD (parsenodes.h).
      traits.declaresHold = options != 0 && (Int(tape.text(options)) ?? 0) & 0x20 != 0
    case .fetchStmt: traits.fetches = tape.text(node, .portalname)
    case .executeStmt, .explainStmt, .createTableAsStmt:
      guard let (execute, form) = execution(node, tape) else { return nil }
      var walk = StatementWalk(tape: tape, source: text, functions: functions, names: names)
      var statement = walk.runParts(of: execute)
      if walk.isTooDeep { return nil }
      statement.lineage = arguments(of: execute, walk)
      var walks = [(statement, walk)]
      if execute != node {
        // What stands around it; arguments are worked out even where nothing else is run.
        var around = StatementWalk(tape: tape, source: text, functions: functions, names: names)
        around.opensExecute = true
        var whole = around.run(node)
        if around.isTooDeep { return nil }
        whole.lineage = .none
        walks.append((whole, around))
      }
      traits.executes = tape.text(execute, .name)
      var part = Analysis.Part.sum(walks)
      part.execution = form
      return part
    default: break
    }
    return nil
  }

  /// The EXECUTE that a statement is, or that it explains or stores the rows of; nil for any other.
  private static func execution(_ node: UInt32, _ tape: Tape) -> (node: UInt32, form: Analysis.Part.Execution)? {
    var node = node
    var form = Analysis.Part.Execution()
    if tape.kind(node) == .explainStmt {
      form.kind = .explain
      form.plan = LineageWalk.runs(explain: node, tape) ? .shown : .only
      node = tape.child(node, .query)
    }
    if node != 0, tape.kind(node) == .createTableAsStmt {
      if form.plan == nil { form.kind = .create }
      form.isStored = true
      node = tape.child(node, .query)
    }
    return node != 0 && tape.kind(node) == .executeStmt ? (node, form) : nil
  }

  /// Where the arguments of an EXECUTE come from.
  private static func arguments(of node: UInt32, _ walk: StatementWalk) -> StatementLineage {
    guard let names = walk.names else { return .unresolved }
    var lineage = LineageWalk(walk, names)
    return lineage.run(arguments: walk.tape.child(node, .params))
  }

  /// All footprints together, joined once: a text may hold a hundred thousand statements.
  private static func union(_ statements: [SQLStatement]) -> Footprint {
    if statements.count == 1 { return statements[0].footprint }
    var all: Set<ResourceAccess> = []
    for statement in statements {
      guard case .resources(let accesses) = statement.footprint else { return .everything }
      all.formUnion(accesses)
      if all.count > StatementWalk.accessLimit { return .everything }
    }
    return Footprint(all)
  }
}

/// What PostgreSQL's lexer would pay for a text.
enum LexerCost {
  /// Steps of a few nanoseconds each that are borne.
  static let limit = 1 << 21

  /// False for texts with long runs of plus and minus signs: the lexer takes each run for one operator, gives back all
  /// but the first sign, and starts again, which is quadratic (scan.l, rule `operator`). A minute for 1 MiB of `+`.
  static func isBearable(_ text: String) -> Bool {
    var cost = 0
    var run = 0
    var before: UInt8 = 0
    for byte in text.utf8 {
      defer { before = byte }
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") {
        // Two minus signs begin a comment, where the lexer stops.
        run = byte == UInt8(ascii: "-") && before == byte ? 0 : run + 1
        cost += run
        if cost > limit { return false }
      } else {
        run = 0
      }
    }
    return true
  }
}

import AccessModel

/// A walk over one statement's tree that adds up what it may do.
///
/// No method calls itself: what is left to visit stands on `work`, so that no text can exhaust the stack.
struct StatementWalk {
  /// A node to visit, and what its surroundings mean for it.
  struct Item {
    var node: UInt32
    /// The WITH clauses in sight.
    var tables: Int32 = CommonTables.none
    /// What happens to relations named right here.
    var access: Effects = .read
    var lock = Lock.none
    /// In the place of a statement, not of a subquery.
    var isStatement = false
    /// The relation named right here is made, by this statement.
    var maker: UInt32 = 0
    /// Right under INSERT, where VALUES reads nothing.
    var isRowSource = false
  }

  /// Which relations of a FROM clause a FOR UPDATE or FOR SHARE locks.
  enum Lock: Hashable {
    case none
    case all
    /// Those named after OF, in this list of locking clauses.
    case named(UInt32)
  }

  /// Relations that are counted one by one; a statement with more touches everything.
  static let accessLimit = 4_096

  let tape: Tape
  let source: String
  let functions: FunctionCatalog
  let names: NameContext?
  /// Routines in whose bodies this stands, outermost first.
  var callers: [UInt32] = []
  /// False in the body of a routine that runs under a search_path of its own.
  var usesPath = true
  var work: [Item] = []
  var tables = CommonTables()
  var isTooDeep = false

  var effects: Effects = []
  var accesses: Set<ResourceAccess> = []
  /// Functions and procedures that it calls.
  var called: Set<Resource> = []
  var everything = false
  var kinds: Set<SQLStatement.Kind> = []
  var predicate = SQLStatement.Predicate.notApplicable
  var predicateSteps = 0
  var settings: [SettingChange] = []
  var traits = SessionTraits()
  /// Kinds of the statements in views and routines that it runs.
  var inheritedKinds: Set<SQLStatement.Kind> = []
  /// Of an EXECUTE only the arguments are looked at: what it runs is known from elsewhere.
  var opensExecute = false
  /// Plain EXPLAIN: planned, not run.
  var isPlanned = false
  /// It changes a system catalogue by itself.
  var changesCatalog = false
  /// Rows of what it defines come from, or go to, what else it names: a view, a rule, a child.
  var passesOn = false
  /// Relations that get another name.
  var renames: [(old: String, new: String)] = []

  init(tape: Tape, source: String, functions: FunctionCatalog, names: NameContext? = nil) {
    self.tape = tape
    self.source = source
    self.functions = functions
    self.names = names
  }

  /// What the statement at that node may do. Sets `isTooDeep` when it could not be followed.
  mutating func run(_ node: UInt32) -> SQLStatement {
    work.append(Item(node: node, isStatement: true))
    return finish(node)
  }

  /// What the parts of that node may do, without the statement that it is.
  mutating func runParts(of node: UInt32) -> SQLStatement {
    pushChildren(of: node, Item(node: 0))
    var statement = finish(node)
    statement.kinds.remove(.other)
    return statement
  }

  private mutating func finish(_ node: UInt32) -> SQLStatement {
    var kind: SQLStatement.Kind?
    while let item = work.popLast() {
      visit(item)
      if kind == nil { kind = statementKind(node) }
    }
    runHiddenRoutines()
    settleDefinitions(node)
    settleRenames()
    if kinds.isEmpty { kinds.insert(.other) }
    kinds.formUnion(inheritedKinds)
    let footprint = everything ? Footprint.everything : Footprint(accesses)
    let statement = SQLStatement(
      kind: kind ?? .other, effects: effects, footprint: footprint, predicate: predicate, kinds: kinds,
      functions: called)
    return isPlanned ? planned(statement) : statement
  }

  /// The kind of the statement itself: when only its own node has been visited, it is the only kind there is.
  private func statementKind(_ node: UInt32) -> SQLStatement.Kind {
    if tape.kind(node) == .selectStmt { return .select }
    return kinds.first ?? .other
  }

  /// Planning reads; only what is unknown stays so, for the planner runs immutable functions.
  private func planned(_ statement: SQLStatement) -> SQLStatement {
    var statement = statement
    statement.predicate = .notApplicable
    if statement.effects.isUnknown { return statement }
    statement.effects = .read
    if case .resources(let all) = statement.footprint {
      statement.footprint = Footprint(all.map { ResourceAccess($0.resource, .read) })
    }
    return statement
  }

  mutating func unknown() {
    effects = .unknown
    everything = true
  }

  mutating func touch(_ resource: Resource, _ access: Effects) {
    effects.formUnion(access)
    if everything { return }
    accesses.insert(ResourceAccess(resource, access))
    if accesses.count > StatementWalk.accessLimit { everything = true }
  }

  mutating func note(call schema: String?, _ name: String) {
    if everything { return }
    called.insert(.routine(schema: schema, name))
    if called.count > StatementWalk.accessLimit { everything = true }
  }

  // MARK: work

  mutating func push(_ node: UInt32, _ item: Item) {
    if node == 0 { return }
    var item = item
    item.node = node
    work.append(item)
  }

  /// Leaves all children to be visited in order, except those in `skipped` fields.
  mutating func pushChildren(of node: UInt32, _ item: Item, except skipped: Field...) {
    let start = work.count
    for child in tape.children(node) where !skipped.contains(tape[child].field) { push(child, item) }
    work[start...].reverse()
  }

  /// What children of a part inherit: nothing of its place.
  func inner(_ item: Item) -> Item {
    Item(node: 0, tables: item.tables, access: item.access, lock: item.lock)
  }
}

/// One step.
extension StatementWalk {
  mutating func visit(_ item: Item) {
    let node = item.node
    switch tape.kind(node).handling {
    case .leaf: break
    case .parts:
      var inner = inner(item)
      if tape.kind(node) == .tableLikeClause { inner.access = .read }
      pushChildren(of: node, inner)
    case .unknown:
      // `{}` stands for a missing element of a list.
      if tape.kind(node) != .structure || tape[node].firstChild != 0 { unknown() }
    case .plain(let rule): plain(item, rule)
    case .select: select(item)
    case .insert: insert(item)
    case .update: change(item, .update)
    case .delete: change(item, .delete)
    case .merge: merge(item)
    case .relation: relation(item)
    case .subselect: subselect(item)
    case .function: function(item)
    case .operation: operation(item)
    case .column: column(node)
    case .indirection: indirection(item)
    case .sample: sample(item)
    case .copy: copy(item)
    case .explain: explain(item)
    case .declare: declare(item)
    case .wrapper(let kind):
      kinds.insert(kind)
      push(tape.child(node, .query), Item(node: 0, isStatement: true))
    case .createAs: createAs(item)
    case .view: view(item)
    case .transaction: transaction(node)
    case .set: set(item)
    case .discard: discard(node)
    case .vacuum: vacuum(item)
    case .drop: drop(node)
    case .comment: comment(node)
    case .grant: grant(item)
    case .truncate: truncate(item)
    case .call: call(item)
    case .rename: rename(item)
    }
  }

  /// A statement of which the kind of node tells all but names and expressions.
  private mutating func plain(_ item: Item, _ rule: StatementRule) {
    kinds.insert(rule.kind)
    if opensExecute, tape.kind(item.node) == .executeStmt {
      return pushChildren(of: item.node, Item(node: 0, tables: item.tables))
    }
    effects.formUnion(rule.effects)
    let kind = tape.kind(item.node)
    if kind == .fetchStmt { traits.fetchedCursors.append(tape.text(item.node, .portalname) ?? "") }
    noteRoutines(item.node, kind)
    noteDefinition(item.node, kind)
    let needsRelation = kind == .clusterStmt || kind == .reindexStmt
    if rule.everything || (needsRelation && !tape.has(item.node, .relation)) {
      // Nothing inside can add to that; and the bodies of functions are not run now.
      everything = true
      return
    }
    pushChildren(of: item.node, Item(node: 0, tables: item.tables, access: rule.access))
    if kind == .createStmt || kind == .createSeqStmt { markMade(of: item.node) }
  }

  /// What a definition makes is not what its name stands for now.
  private mutating func markMade(of node: UInt32) {
    let made = tape.child(node, .relation) != 0 ? tape.child(node, .relation) : tape.child(node, .sequence)
    for index in work.indices.reversed() where work[index].node == made && made != 0 {
      work[index].maker = node
      return
    }
  }

  /// Notes of a definition what its relations do not tell.
  private mutating func noteDefinition(_ node: UInt32, _ kind: NodeKind) {
    switch kind {
    case .createStmt: if tape.has(node, .inhRelations) { passesOn = true }
    case .ruleStmt: passesOn = true
    case .alterTableStmt:
      let commands = tape.child(node, .cmds)
      for command in commands == 0 ? [] : Array(tape.children(commands)) {
        let type = tape.text(command, .subtype) ?? ""
        if type == "AT_AddInherit" || type == "AT_AttachPartition" { passesOn = true }
      }
    case .createSchemaStmt:
      guard let name = tape.text(node, .schemaname) else {
        traits.defines.relations = .all
        return
      }
      traits.defines.schemas.insert(name)
    case .alterObjectSchemaStmt: noteMove(node)
    case _: break
    }
  }
}

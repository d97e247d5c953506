/// Where the columns of a view come from, read off the tree that PostgreSQL stores for it: there each name is resolved,
/// and reading it takes no lock (as pg_get_viewdef does).
struct StoredQuery {
  /// A column of a relation; attribute 0 is the whole row, negative ones are system columns.
  struct Base: Hashable {
    var relation: UInt32
    var attribute: Int16
  }

  /// What one column may carry.
  struct Output: Hashable {
    var bases: Set<Base> = []
    /// Routines that its value goes through.
    var routines: Set<UInt32> = []
    /// Its value is one of the bases' as it stands.
    var isCopy = false
    /// Something was not understood: it may carry anything.
    var isOpen = false

    mutating func formUnion(_ other: Output) {
      bases.formUnion(other.bases)
      routines.formUnion(other.routines)
      isOpen = isOpen || other.isOpen
    }
  }

  /// A query under way.
  private struct Level {
    var node: Int
    var tables: [Int]
  }

  private let tree: StoredTree
  private var steps = 0
  /// Queries whose columns are known; their nodes lie in one place each, so that the levels around them are the same.
  private var known: [Int: [Output]] = [:]
  private var open: Set<Int> = []
  private var recursive: Set<Int> = []
  /// What is known so far of the columns of queries that read themselves.
  private var partial: [Int: [Output]] = [:]

  private static let stepLimit = 2_000_000
  private static let depthLimit = 48

  private init(tree: StoredTree) { self.tree = tree }

  /// The columns of a view by its rule's `ev_action`; nil when that cannot be read.
  static func outputs(of text: String) -> [Output]? {
    guard let tree = StoredTree(text) else { return nil }
    // A list of one query.
    let list = tree.nodes[0].firstChild
    guard list != 0 else { return nil }
    let query = tree.nodes[list].firstChild
    guard query != 0, tree.isLabelled(query, "QUERY") else { return nil }
    var reader = StoredQuery(tree: tree)
    let outputs = reader.outputs(query, [])
    return reader.steps > stepLimit ? nil : outputs
  }

  private mutating func outputs(_ query: Int, _ outer: [Level]) -> [Output] {
    if let found = known[query] { return found }
    guard outer.count < StoredQuery.depthLimit else { return [] }
    let levels = outer + [Level(node: query, tables: tree.children(tree.child(query, "rtable")))]
    var found: [Output]
    let set = tree.child(query, "setOperations")
    if set != 0, tree.nodes[set].kind == .object {
      found = combined(set, levels)
    } else {
      found = []
      for entry in tree.children(tree.child(query, "targetList")) {
        if tree.word(tree.child(entry, "resjunk")) == "true" { continue }
        found.append(expression(tree.child(entry, "expr"), levels))
      }
    }
    known[query] = found
    return found
  }

  /// UNION and the like: the arms are subqueries in the range table.
  private mutating func combined(_ set: Int, _ levels: [Level]) -> [Output] {
    var found: [Output] = []
    var work = [set]
    while let node = work.popLast() {
      guard tree.isLabelled(node, "RANGETBLREF") else {
        for field in ["larg", "rarg"] as [StaticString] {
          let arm = tree.child(node, field)
          if arm != 0 { work.append(arm) }
        }
        continue
      }
      let arm = columns(of: tree.number(node, "rtindex") ?? 0, levels)
      if found.isEmpty {
        found = arm
      } else {
        for (index, output) in arm.enumerated() where index < found.count {
          let isCopy = found[index].isCopy && output.isCopy
          found[index].formUnion(output)
          found[index].isCopy = isCopy
        }
      }
    }
    return found
  }

  /// All columns of a subquery in the range table.
  private mutating func columns(of number: Int, _ levels: [Level]) -> [Output] {
    guard let tables = levels.last?.tables, number > 0, number <= tables.count else { return [] }
    let query = tree.child(tables[number - 1], "subquery")
    return query == 0 ? [] : outputs(query, levels)
  }

  /// All that an expression may carry.
  private mutating func expression(_ root: Int, _ levels: [Level]) -> Output {
    var output = Output()
    if root == 0 { return output }
    var work = [root]
    while let node = work.popLast() {
      steps += 1
      if steps > StoredQuery.stepLimit {
        output.isOpen = true
        break
      }
      if tree.isLabelled(node, "VAR") {
        let column = variable(node, levels)
        output.formUnion(column)
        if node == root { output.isCopy = column.isCopy }
      } else if tree.isLabelled(node, "QUERY") {
        for column in outputs(node, levels) { output.formUnion(column) }
      } else if tree.nodes[node].kind == .word {
        noteRoutine(node, &output)
      } else {
        work += tree.children(node)
      }
    }
    return output
  }

  private func noteRoutine(_ word: Int, _ output: inout Output) {
    let field = tree.nodes[word].field
    for name in ["funcid", "aggfnoid", "winfnoid", "opfuncid"] as [StaticString] where tree.isEqual(field, name) {
      if let oid = tree.word(word).flatMap({ UInt32($0) }) { output.routines.insert(oid) }
    }
  }

  private mutating func variable(_ node: Int, _ levels: [Level]) -> Output {
    var unknown = Output()
    unknown.isOpen = true
    guard let number = tree.number(node, "varno"), let attribute = tree.number(node, "varattno"),
      let up = tree.number(node, "varlevelsup"), up >= 0, up < levels.count,
      let attribute = Int16(exactly: attribute)
    else { return unknown }
    let seen = Array(levels.dropLast(up))
    guard let level = seen.last, number > 0, number <= level.tables.count else { return unknown }
    return column(attribute, of: level.tables[number - 1], seen) ?? unknown
  }

  /// nil when the table is of a kind that is not known.
  private mutating func column(_ attribute: Int16, of table: Int, _ levels: [Level]) -> Output? {
    switch tree.number(table, "rtekind") {
    case 0:
      guard let oid = tree.word(tree.child(table, "relid")).flatMap({ UInt32($0) }) else { return nil }
      return Output(bases: [Base(relation: oid, attribute: attribute)], isCopy: attribute > 0)
    case 1: return pick(attribute, outputs(tree.child(table, "subquery"), levels))
    case 2: return listed(attribute, tree.child(table, "joinaliasvars"), levels)
    case 3: return expression(tree.child(table, "functions"), levels)
    case 4: return expression(tree.child(table, "tablefunc"), levels)
    case 5: return expression(tree.child(table, "values_lists"), levels)
    case 6: return commonTable(attribute, table, levels)
    case 8: return Output()
    // A grouping step, since PostgreSQL 18.
    case 9: return listed(attribute, tree.child(table, "groupexprs"), levels)
    case _: return nil
    }
  }

  private func pick(_ attribute: Int16, _ outputs: [Output]) -> Output? {
    if attribute > 0 { return attribute <= outputs.count ? outputs[Int(attribute) - 1] : nil }
    return attribute == 0 ? outputs.reduce(into: Output()) { $0.formUnion($1) } : Output()
  }

  private mutating func listed(_ attribute: Int16, _ list: Int, _ levels: [Level]) -> Output? {
    if attribute == 0 { return expression(list, levels) }
    let items = list == 0 ? [] : tree.children(list)
    guard attribute > 0, attribute <= items.count else { return nil }
    return expression(items[Int(attribute) - 1], levels)
  }

  /// A WITH query, which may read itself.
  private mutating func commonTable(_ attribute: Int16, _ table: Int, _ levels: [Level]) -> Output? {
    guard let name = tree.word(tree.child(table, "ctename")), let up = tree.number(table, "ctelevelsup"), up >= 0,
      up < levels.count
    else { return nil }
    let seen = Array(levels.dropLast(up))
    guard let level = seen.last,
      let entry = tree.children(tree.child(level.node, "cteList"))
        .first(where: { tree.word(tree.child($0, "ctename")) == name })
    else { return nil }
    let query = tree.child(entry, "ctequery")
    if query == 0 { return nil }
    // SEARCH and CYCLE add columns behind those of the query.
    func column(of found: [Output]) -> Output? {
      attribute > found.count ? found.reduce(into: Output()) { $0.formUnion($1) } : pick(attribute, found)
    }
    guard open.insert(query).inserted else {
      recursive.insert(query)
      return column(of: partial[query] ?? [])
    }
    defer { open.remove(query) }
    if known[query] == nil { known[query] = settled(query, seen) }
    return column(of: known[query] ?? [])
  }

  /// The columns of a WITH query; of one that reads itself, again until nothing is added.
  private mutating func settled(_ query: Int, _ levels: [Level]) -> [Output] {
    let before = known
    for _ in 0..<8 {
      // What was read with less known counts for nothing.
      known = before
      var found = outputs(query, levels)
      guard recursive.contains(query) else { return found }
      let last = partial[query] ?? []
      for index in found.indices {
        if index < last.count { found[index].formUnion(last[index]) }
        found[index].isCopy = false
      }
      if found == last { return found }
      partial[query] = found
    }
    let columns = partial[query] ?? []
    let all = columns.reduce(into: Output()) { $0.formUnion($1) }
    return columns.map { _ in all }
  }
}

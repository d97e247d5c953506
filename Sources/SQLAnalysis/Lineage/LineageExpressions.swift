import AccessModel

/// Expressions: which stored columns their values may carry.
extension LineageWalk {
  /// A node to visit, with what is done to its value.
  private struct Part {
    var node: UInt32
    var use: ValueUse
  }

  /// All that the value may carry; what is compared on the way goes to `predicates`. No chain of operators makes it
  /// call itself, only queries do.
  mutating func expression(_ root: UInt32, _ scope: LineageScope, _ use: ValueUse = .plain) -> ColumnSet {
    var value = ColumnSet.none
    if root == 0 { return value }
    var work = [Part(node: root, use: use)]
    while let part = work.popLast() {
      steps += 1
      if steps > LineageWalk.stepLimit { return .everything }
      let node = part.node
      switch tape.kind(node) {
      case .columnRef:
        let source = column(node, scope)
        noteShape(source, part.use)
        take(source.columns, part.use, &value)
      case .subLink: subLink(part, scope, &value, &work)
      case .funcCall: function(part, scope, &value, &work)
      case .aExpr:
        let use = part.use.subtracting(.shaped).union(operands(node))
        push(part, use, &work, except: .name)
      case .aArrayExpr: push(part, part.use.union(.shaped), &work)
      case .boolExpr: push(part, part.use.union(.predicate), &work)
      case .caseExpr:
        for child in tape.children(node) {
          let decides = tape[child].field == .arg
          work.append(Part(node: child, use: decides ? part.use.union(.predicate) : part.use))
        }
      case .caseWhen:
        for child in tape.children(node) {
          let decides = tape[child].field == .expr
          work.append(Part(node: child, use: decides ? part.use.union(.predicate) : part.use))
        }
      case .windowDef, .sortBy, .inferClause, .indexElem: push(part, part.use.union(.predicate), &work)
      case .aIndirection: indirection(part, scope, &value, &work)
      case .typeCast:
        push(
          part, isTotal(cast: node) ? part.use.subtracting(.shaped) : part.use.union(.predicate), &work,
          except: .typeName)
      case .collateClause: push(part, part.use, &work, except: .collname)
      case .xmlExpr:
        let isTotal = ["IS_XMLELEMENT", "IS_XMLCONCAT", "IS_XMLFOREST"].contains(tape.text(node, .op) ?? "")
        push(part, isTotal ? part.use : part.use.union(.predicate), &work)
      case .selectStmt: take(query(node, scope).all, part.use, &value)
      case .aConst, .paramRef, .setToDefault, .currentOfExpr, .sqlValueFunction, .typeName, .text, .number, .yes, .no,
        .null, .string, .integer, .float, .boolean, .bitString, .aStar, .alias, .columnDef:
        break
      case .unrecognized: take(scope.everything, part.use, &value)
      case _: push(part, part.use, &work)
      }
    }
    return value
  }

  private mutating func take(_ columns: ColumnSet, _ use: ValueUse, _ value: inout ColumnSet) {
    note(columns, use)
    value.formUnion(columns)
  }

  private func push(_ part: Part, _ use: ValueUse, _ work: inout [Part], except skipped: Field...) {
    for child in tape.children(part.node) where !skipped.contains(tape[child].field) {
      work.append(Part(node: child, use: use))
    }
  }

  /// One column of a result: its source, and whether it is passed on as it stands.
  mutating func value(_ node: UInt32, _ scope: LineageScope) -> ValueSource {
    switch tape.kind(node) {
    case .columnRef:
      let source = column(node, scope)
      note(source.columns, .plain)
      return source
    case .subLink where tape.text(node, .subLinkType) == "EXPR_SUBLINK":
      let rows = query(tape.child(node, .subselect), scope)
      note(rows.all, .plain)
      return rows.columns.count == 1 && rows.rest == nil ? rows.columns[0].source : ValueSource(rows.all)
    case _: return ValueSource(expression(node, scope))
    }
  }
}

/// Names.
extension LineageWalk {
  private static let systemColumns: Set<String> = ["ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"]

  /// What a reference stands for; whole rows carry all their columns.
  func column(_ node: UInt32, _ scope: LineageScope) -> ValueSource {
    let fields = tape.child(node, .fields)
    if fields == 0 { return ValueSource(scope.everything) }
    var parts: [String] = []
    for field in tape.children(fields) {
      if tape.kind(field) == .aStar { return ValueSource(wholeRow(parts, scope)) }
      guard tape.kind(field) == .string, let name = tape.text(field, .sval) else {
        return ValueSource(scope.everything)
      }
      parts.append(name)
    }
    guard let name = parts.popLast() else { return ValueSource(scope.everything) }
    if parts.isEmpty { return bare(name, scope) }
    let schema = parts.count > 1 ? parts[parts.count - 2] : nil
    guard let rows = scope.table(schema, parts[parts.count - 1]) else { return ValueSource(scope.everything) }
    let (found, maybe) = rows.find(name)
    if let found {
      return maybe.map { ValueSource(found.columns.union($0)) } ?? found
    }
    if LineageWalk.systemColumns.contains(name) { return ValueSource(maybe ?? .none) }
    // `t.f` calls f with the row.
    var all = rows.all.union(maybe ?? .none)
    if !names.routines(nil, name, usesPath: usesPath).isEmpty { all.formUnion(.everything) }
    return ValueSource(all)
  }

  private func bare(_ name: String, _ scope: LineageScope) -> ValueSource {
    let found = scope.column(name)
    if let found, found.isCertain { return found.source }
    var columns = found?.source.columns
    if let rows = scope.table(nil, name) { columns = (columns ?? .none).union(rows.all) }
    if let columns { return ValueSource(columns) }
    return LineageWalk.systemColumns.contains(name) ? .constant : ValueSource(scope.everything)
  }

  private func wholeRow(_ parts: [String], _ scope: LineageScope) -> ColumnSet {
    guard let name = parts.last else { return scope.everything }
    return scope.table(parts.count > 1 ? parts[parts.count - 2] : nil, name)?.all ?? scope.everything
  }

  /// `(row).field`, subscripts, `(row).*`.
  private mutating func indirection(
    _ part: Part, _ scope: LineageScope, _ value: inout ColumnSet, _ work: inout [Part]
  ) {
    let argument = tape.child(part.node, .arg)
    let steps = tape.child(part.node, .indirection)
    if argument != 0, steps != 0, let rows = row(argument, scope),
      let first = tape.children(steps).first(where: { _ in true }), tape.kind(first) == .string,
      let name = tape.text(first, .sval), let found = rows.find(name).found
    {
      take(found.columns, part.use, &value)
      return
    }
    // An element is no array any more, a part of one is.
    let isElement =
      steps != 0 && tape.children(steps).contains { tape.kind($0) == .aIndices && !tape.flag($0, .isSlice) }
    push(part, isElement ? part.use.subtracting(.shaped) : part.use, &work)
  }

  /// The table whose row this is, when it names one and no column goes by that name.
  private func row(_ node: UInt32, _ scope: LineageScope) -> SourceRows? {
    guard let name = bareName(node), scope.column(name) == nil else { return nil }
    return scope.table(nil, name)
  }
}

/// What decides something, and what calls code.
extension LineageWalk {
  /// What an operator does with its operands: it decides something where it compares, can fail, or is not known.
  private func operands(_ node: UInt32) -> ValueUse {
    guard tape.text(node, .kind) == "AEXPR_OP", let parts = tape.names(tape.child(node, .name)), let last = parts.last,
      TotalFunctions.operators.contains(tape.text(last))
    else { return .predicate }
    return tape.isEqual(last, "||") ? .shaped : .plain
  }

  /// True when the cast gives a value for each that there is.
  private func isTotal(cast node: UInt32) -> Bool {
    let type = tape.child(node, .typeName)
    guard type != 0, !tape.has(type, .arrayBounds), let parts = tape.names(tape.child(type, .names)),
      let last = parts.last
    else { return false }
    return TotalFunctions.types.contains(tape.text(last))
  }

  private mutating func subLink(
    _ part: Part, _ scope: LineageScope, _ value: inout ColumnSet, _ work: inout [Part]
  ) {
    let rows = query(tape.child(part.node, .subselect), scope)
    switch tape.text(part.node, .subLinkType) {
    // Whether there is a row: its predicates tell.
    case "EXISTS_SUBLINK": note(rows.all, .plain)
    case "EXPR_SUBLINK", "ARRAY_SUBLINK", "MULTIEXPR_SUBLINK":
      let isArray = tape.text(part.node, .subLinkType) == "ARRAY_SUBLINK"
      if rows.rest == nil, rows.columns.count == 1 {
        noteShape(rows.columns[0].source, isArray ? part.use.union(.shaped) : part.use)
      }
      take(rows.all, part.use, &value)
    case _:
      take(rows.all, part.use.union(.predicate), &value)
      let tested = tape.child(part.node, .testexpr)
      if tested != 0 { work.append(Part(node: tested, use: part.use.union(.predicate))) }
    }
  }

  /// Functions of PostgreSQL's own by which a value can be told without being seen: they take as long as it says. Those
  /// that return sets make as many rows as it says.
  private static let telling: Set<String> = [
    "pg_sleep", "pg_sleep_for", "pg_sleep_until", "starts_with", "texteq", "textlike", "like", "notlike", "regexp_like",
  ]
  /// Those that leave it where others can find it.
  private static let leaving: Set<String> = [
    "set_config", "setseed", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared", "pg_notify",
  ]

  /// Those that return what others have sent.
  private static let quoting: Set<String> = ["pg_stat_get_activity", "pg_stat_get_backend_activity"]

  private mutating func function(
    _ part: Part, _ scope: LineageScope, _ value: inout ColumnSet, _ work: inout [Part]
  ) {
    guard let parts = tape.names(tape.child(part.node, .funcname)), let last = parts.last else {
      return take(.everything, .sink, &value)
    }
    let name = tape.text(last)
    let schema = parts.count > 1 ? tape.text(parts[parts.count - 2]) : nil
    let isAsLong = unnestsRows(part.node, name)
    let (carried, use) = call(schema, name, isTelling: !isAsLong)
    take(carried, part.use.subtracting(.rows), &value)
    var outer = part.use.subtracting([.rows, .shaped])
    if name == "array_agg" { outer.formUnion(.shaped) }
    if part.use.contains(.rows), !isAsLong { outer.formUnion(.predicate) }
    var total = schema == nil || schema == "pg_catalog" ? TotalFunctions.arguments(name) : nil
    if total == nil || name == "substring", schema == nil || schema == "pg_catalog" {
      if name == "format", formatsPlainly(part.node) { total = .rest }
      // From a place on, and not what a pattern finds.
      if name == "substring", !takesNumbers(part.node) { total = nil }
    }
    for child in tape.children(part.node) where tape[child].field != .funcname {
      if tape[child].field == .args, !use.contains(.predicate) {
        push(arguments: child, outer.union(use), total, &work)
        continue
      }
      let decides = tape[child].field == .aggFilter || tape[child].field == .aggOrder || tape[child].field == .over
      work.append(Part(node: child, use: outer.union(use).union(decides ? .predicate : .plain)))
    }
  }

  /// Arguments of a function; those that can make it fail decide something.
  private func push(
    arguments list: UInt32, _ use: ValueUse, _ total: TotalFunctions.Arguments?, _ work: inout [Part]
  ) {
    let isBesideConstants =
      total == .firstBesideConstants && tape.children(list).dropFirst().allSatisfy(isShortConstant)
    for (index, argument) in tape.children(list).enumerated() {
      let isPlain =
        switch total {
        case .all: true
        case .first: index == 0
        case .rest: index > 0
        case .values: index.isMultiple(of: 2) == false
        case .firstBesideConstants: index == 0 && isBesideConstants
        case nil: false
        }
      work.append(Part(node: argument, use: isPlain ? use : use.union(.predicate)))
    }
  }

  /// True for unnest of an array that has an element for each row or each term, whatever these hold.
  private func unnestsRows(_ call: UInt32, _ name: String) -> Bool {
    guard name == "unnest" else { return false }
    let arguments = tape.child(call, .args)
    return arguments != 0
      && tape.children(arguments).allSatisfy { argument in
        switch tape.kind(argument) {
        case .aArrayExpr: true
        case .subLink: tape.text(argument, .subLinkType) == "ARRAY_SUBLINK"
        case _: false
        }
      }
  }

  /// What a call brings besides its arguments, and what becomes of those.
  private mutating func call(_ schema: String?, _ name: String, isTelling: Bool) -> (ColumnSet, ValueUse) {
    var carried = ColumnSet.none
    var use = ValueUse.plain
    if schema == "information_schema", BuiltinFunction.informationSchema.contains(name) { return (carried, use) }
    let builtin = schema == nil || schema == "pg_catalog" ? BuiltinFunction.named(name) : nil
    switch builtin {
    case .harmless:
      if LineageWalk.telling.contains(name) || isTelling && BuiltinFunction.returnsSet(name) {
        use.formUnion(.predicate)
      }
      if LineageWalk.leaving.contains(name) { use = .sink }
      // Other people's statements, with the values in them.
      if LineageWalk.quoting.contains(name) { carried = .everything }
    case .writes, .administers: use = .sink
    case .dangerous: return (.everything, .sink)
    case nil: break
    }
    if schema == "pg_catalog", builtin != nil { return (carried, use) }
    if names.scope.routines.contains(name) { return (.everything, .sink) }
    let found = names.routines(schema, name, usesPath: usesPath)
    if found.isEmpty, builtin == nil {
      // What is declared without a schema covers what is not found, too.
      guard functions.effects(schema: schema, name: name) != nil else { return (.everything, .sink) }
      return (functions.reads(schema: schema, name: name), .predicate)
    }
    for routine in found {
      if functions.effects(schema: routine.schema, name: routine.name) != nil {
        carried.formUnion(functions.reads(schema: routine.schema, name: routine.name))
        use.formUnion(.predicate)
        continue
      }
      switch routine.body {
      case .trusted: use.formUnion(.predicate)
      case .unknown:
        carried.formUnion(.everything)
        use = .sink
      case .sql(let text): join(routine, text, &carried, &use)
      }
    }
    return (carried, use)
  }

  /// A routine in SQL brings what its body touches; its arguments go wherever that wants them.
  private mutating func join(
    _ routine: CatalogSnapshot.Routine, _ text: String, _ carried: inout ColumnSet, _ use: inout ValueUse
  ) {
    use.formUnion(.predicate)
    guard case .known(let body)? = names.body(of: routine, usesPath: usesPath) else {
      carried.formUnion(.everything)
      use = .sink
      return
    }
    if body.effects.isUnknown || !body.effects.isSubset(of: .read) { use = .sink }
    carried.formUnion(body.effects.isUnknown ? .everything : body.lineage.touched)
    predicates.formUnion(body.lineage.predicates)
    // Whoever calls it gives the constants, as many as there are rows.
    predicates.formUnion(body.lineage.tests)
    copies.formUnion(body.lineage.copies)
    touched.formUnion(body.lineage.touched)
  }
}

/// The columns of a result.
extension LineageWalk {
  /// A target list, or that of RETURNING.
  mutating func outputs(_ list: UInt32, _ scope: LineageScope) -> SourceRows {
    var rows = SourceRows.empty
    if list == 0 { return rows }
    for target in tape.children(list) {
      let node = tape.child(target, .val)
      if node == 0 { continue }
      if let expanded = star(node, scope) {
        note(expanded.all, .plain)
        rows.columns += expanded.columns
        if let rest = expanded.rest { rows.rest = rows.rest.map { .any($0.all.union(rest.all)) } ?? rest }
        continue
      }
      let name = tape.text(target, .name) ?? outputName(node)
      rows.columns.append(SourceColumn(name: name, source: value(node, scope)))
    }
    return rows
  }

  /// The columns that `*`, `t.*` or `(row).*` stands for; nil for anything else.
  private mutating func star(_ node: UInt32, _ scope: LineageScope) -> SourceRows? {
    if tape.kind(node) == .aIndirection {
      var last: UInt32 = 0
      for step in tape.children(tape.child(node, .indirection)) { last = step }
      guard last != 0, tape.kind(last) == .aStar else { return nil }
      let argument = tape.child(node, .arg)
      if let rows = row(argument, scope) { return rows }
      return SourceRows(rest: .any(expression(argument, scope)))
    }
    guard tape.kind(node) == .columnRef else { return nil }
    var parts: [String] = []
    for field in tape.children(tape.child(node, .fields)) {
      if tape.kind(field) == .aStar {
        guard let name = parts.last else { return scope.tables.rows }
        return scope.table(parts.count > 1 ? parts[parts.count - 2] : nil, name)
          ?? SourceRows(rest: .any(scope.everything))
      }
      parts.append(tape.text(field, .sval) ?? "")
    }
    return nil
  }

  /// What PostgreSQL calls an output without AS (FigureColname, parse_target.c); empty where that is not followed.
  private func outputName(_ root: UInt32) -> String {
    var node = root
    var fallback = ""
    for _ in 0..<64 {
      switch tape.kind(node) {
      case .columnRef:
        guard let parts = tape.names(tape.child(node, .fields)), let last = parts.last else { return "" }
        return tape.text(last)
      case .funcCall:
        guard let parts = tape.names(tape.child(node, .funcname)), let last = parts.last else { return "" }
        return tape.text(last)
      case .collateClause: node = tape.child(node, .arg)
      case .typeCast:
        if let parts = tape.names(tape.child(tape.child(node, .typeName), .names)), let last = parts.last {
          fallback = tape.text(last)
        }
        node = tape.child(node, .arg)
      case .aExpr: return tape.text(node, .kind) == "AEXPR_NULLIF" ? "nullif" : fallback.isEmpty ? "?column?" : fallback
      case .aConst, .paramRef, .boolExpr, .nullTest, .booleanTest: return fallback.isEmpty ? "?column?" : fallback
      case .coalesceExpr: return "coalesce"
      case .rowExpr: return "row"
      case .aArrayExpr: return "array"
      case _: return ""
      }
      if node == 0 { return fallback }
    }
    return ""
  }
}

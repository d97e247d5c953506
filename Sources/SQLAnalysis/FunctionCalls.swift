import AccessModel

/// Functions, and what calls them without looking like a call.
extension StatementWalk {
  mutating func function(_ item: Item) {
    let list = tape.child(item.node, .funcname)
    guard let names = tape.names(list), let last = names.last else { return unknown() }
    let schema = names.count > 1 ? tape.text(names[names.count - 2]) : nil
    let name = tape.text(last)
    apply(schema, name, arguments: tape.child(item.node, .args))
    pushChildren(of: item.node, Item(node: 0, tables: item.tables), except: .funcname)
  }

  /// Adds what a call of this function may do; `arguments` is 0 when they cannot be seen.
  mutating func apply(_ schema: String?, _ name: String, arguments: UInt32) {
    if schema == "information_schema", BuiltinFunction.informationSchema.contains(name) {
      return note(call: schema, name)
    }
    let builtin = schema == nil || schema == "pg_catalog" ? BuiltinFunction.named(name) : nil
    if schema == "pg_catalog", let builtin { return apply(builtin, name, arguments) }
    traits.needsNames = true
    guard let names else {
      if let builtin { return apply(builtin, name, arguments) }
      return declared(schema, name)
    }
    if names.scope.routines.contains(name) { return unknown() }
    let found = routines(schema, name, in: names)
    if let builtin { apply(builtin, name, arguments) }
    if found.isEmpty, builtin == nil {
      traits.hasAbsentNames = true
      return declared(schema, name)
    }
    for routine in found { run(routine, in: names) }
  }

  /// What users made that a call of this name may reach: one that shadows PostgreSQL's own, or an overload of it.
  private mutating func routines(
    _ schema: String?, _ name: String, in names: NameContext
  ) -> [CatalogSnapshot.Routine] {
    let found = names.routines(schema, name, usesPath: usesPath)
    if schema == nil, usesPath, !found.isEmpty, names.scope.path == nil { traits.needsPath = true }
    return found
  }

  private mutating func apply(_ builtin: BuiltinFunction, _ name: String, _ arguments: UInt32) {
    note(call: "pg_catalog", name)
    switch builtin {
    case .harmless:
      if name == "set_config" { setConfig(arguments) }
    case .writes:
      effects.insert(.write)
      if name == "nextval" || name == "setval" { touchSequence(arguments) }
    case .administers: effects.insert(.administer)
    case .dangerous: unknown()
    }
  }

  /// A function that is not PostgreSQL's: what the configuration says of it, or anything.
  private mutating func declared(_ schema: String?, _ name: String) {
    note(call: schema, name)
    guard let declared = functions.effects(schema: schema, name: name) else { return unknown() }
    if declared.isUnknown { return unknown() }
    touch(.routine(schema: schema, name), declared)
  }

  mutating func call(_ item: Item) {
    kinds.insert(.call)
    effects.insert(.call)
    let call = tape.child(item.node, .funccall)
    guard call != 0, let names = tape.names(tape.child(call, .funcname)), let last = names.last else {
      return unknown()
    }
    apply(names.count > 1 ? tape.text(names[names.count - 2]) : nil, tape.text(last), arguments: 0)
    pushChildren(of: call, Item(node: 0, tables: item.tables), except: .funcname)
  }

  /// The sequence that the first argument names, or one that cannot be told.
  private mutating func touchSequence(_ arguments: UInt32) {
    let first = arguments == 0 ? 0 : tape[arguments].firstChild
    guard first != 0, let literal = literal(first, casts: ["text", "regclass"]) else {
      return touch(Resource(.relation, [nil, nil]), .write)
    }
    let parts = literal.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let isPlain = literal.utf8.allSatisfy { byte in
      (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5f || byte == 0x2e
    }
    guard isPlain, parts.count <= 2, let name = parts.last else {
      return touch(Resource(.relation, [nil, nil]), .write)
    }
    touchRelation(schema: parts.count == 2 ? parts[0] : nil, name, .write)
  }

  /// A constant, bare or cast to one of these types, none of which may cut it; nil for anything else.
  ///
  /// Other casts change what it says: `'roleX'::varchar(4)` is `role`.
  func literal(_ node: UInt32, casts: [StaticString] = ["text"]) -> String? {
    var node = node
    while tape.kind(node) == .typeCast {
      let type = tape.child(node, .typeName)
      guard type != 0, !tape.has(type, .typmods), !tape.has(type, .arrayBounds),
        let name = tape.names(tape.child(type, .names))?.last, casts.contains(where: { tape.isEqual(name, $0) })
      else { return nil }
      node = tape.child(node, .arg)
      if node == 0 { return nil }
    }
    return tape.kind(node) == .aConst ? constant(node) : nil
  }

  /// set_config(name, value, is_local): the same as SET.
  private mutating func setConfig(_ arguments: UInt32) {
    let parts = arguments == 0 ? [] : Array(tape.children(arguments))
    guard parts.count == 3, let name = literal(parts[0])?.lowercased() else { return unknown() }
    let value = literal(parts[1])
    if SettingChange.isIdentity(name) { effects.insert(.administer) }
    if value == nil, SettingChange.isSensitive(name) { return unknown() }
    let isSessionWide = literal(parts[2]).map { ["f", "false", "off", "no", "0"].contains($0.lowercased()) } ?? false
    settings.append(SettingChange(name: name, value: value, isLocal: !isSessionWide))
  }
}

/// Operators, and columns that may be functions.
extension StatementWalk {
  /// An operator of a schema of its own is a function of its own; of those without a schema, `runHiddenRoutines` has
  /// what users made.
  mutating func operation(_ item: Item) {
    traits.needsNames = true
    for field in [Field.name, .operName, .useOp] {
      let list = tape.child(item.node, field)
      if list == 0 { continue }
      guard let names = tape.names(list) else {
        unknown()
        continue
      }
      if names.count > 1, !tape.isEqual(names[names.count - 2], "pg_catalog") { unknown() }
    }
    pushChildren(of: item.node, Item(node: 0, tables: item.tables), except: .name, .operName, .useOp)
  }

  /// `g.pg_read_file` calls the function when g has no such column (PostgreSQL 15 docs, 4.2.6 and 38.5.3).
  ///
  /// Whether `g.total` is a column is not looked at: where the users have a function `total` of one argument, it counts
  /// as called.
  mutating func column(_ node: UInt32) {
    let fields = tape.child(node, .fields)
    if fields == 0 { return unknown() }
    var last: UInt32 = 0
    var count = 0
    for field in tape.children(fields) {
      last = field
      count += 1
    }
    guard count > 1, tape.kind(last) == .string, let name = tape.text(last, .sval) else { return }
    if let builtin = BuiltinFunction.named(name) { apply(builtin, name, 0) }
    traits.needsNames = true
    runAsColumn(name)
  }

  /// Adds what users' functions of this name may do when they are called as if they were columns.
  private mutating func runAsColumn(_ name: String) {
    guard let names else { return }
    if names.scope.routines.contains(name) { return unknown() }
    for routine in names.snapshot.routines(named: name) where routine.takesOneArgument {
      run(routine, in: names)
    }
  }

  /// `(expression).name` reads a field of a row, or calls a function.
  mutating func indirection(_ item: Item) {
    let argument = tape.child(item.node, .arg)
    let steps = tape.child(item.node, .indirection)
    if argument == 0 || steps == 0 { return unknown() }
    for step in tape.children(steps) where tape.kind(step) == .string {
      guard let name = tape.text(step, .sval) else {
        unknown()
        continue
      }
      if let builtin = BuiltinFunction.named(name) {
        apply(builtin, name, 0)
      } else if !mayBeRow(argument) {
        apply(nil, name, arguments: 0)
        continue
      }
      traits.needsNames = true
      runAsColumn(name)
    }
    pushChildren(of: item.node, Item(node: 0, tables: item.tables))
  }

  /// True for expressions whose fields are fields as a rule: a column, a row, a function of PostgreSQL's that returns
  /// rows, a cast to a type of the user's.
  private func mayBeRow(_ node: UInt32) -> Bool {
    switch tape.kind(node) {
    case .columnRef, .rowExpr: return true
    case .funcCall:
      guard let names = tape.names(tape.child(node, .funcname)), let last = names.last else { return false }
      let name = tape.text(last)
      if names.count == 1 || tape.isEqual(names[0], "pg_catalog") { return BuiltinFunction.returnsRow(name) }
      return tape.isEqual(names[0], "information_schema")
    case .typeCast:
      let type = tape.child(node, .typeName)
      guard type != 0, let names = tape.names(tape.child(type, .names)), let last = names.last else { return false }
      return BuiltinFunction.named(tape.text(last)) == nil
    default: return false
    }
  }

  /// TABLESAMPLE method (arguments): the method is a function.
  mutating func sample(_ item: Item) {
    guard let names = tape.names(tape.child(item.node, .method)), let last = names.last else { return unknown() }
    let name = tape.text(last)
    if names.count > 1 || (name != "system" && name != "bernoulli") {
      apply(names.count > 1 ? tape.text(names[names.count - 2]) : nil, name, arguments: 0)
    }
    pushChildren(of: item.node, inner(item), except: .method)
  }
}

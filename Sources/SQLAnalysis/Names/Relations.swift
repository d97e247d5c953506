import AccessModel

/// Relations that a statement names, and what stands behind them.
extension StatementWalk {
  mutating func relation(_ item: Item) {
    guard let name = tape.text(item.node, .relname) else { return unknown() }
    if item.maker != 0 { return made(item.node, .define, listedColumns(item.maker)) }
    let schema = tape.text(item.node, .schemaname)
    if schema == nil, tables.contains(name, at: item.tables) { return }
    var access = item.access
    if item.lock != .none {
      let alias = tape.child(item.node, .alias)
      let known = alias == 0 ? tape.child(item.node, .relname) : tape.child(alias, .aliasname)
      if locks(item.lock, known) { access.insert(.write) }
    }
    touchRelation(schema: schema, name, access)
  }

  /// A change to a system catalogue is more than a change of data.
  mutating func touchRelation(schema: String?, _ name: String, _ access: Effects) {
    var access = access
    if access.contains(.write), schema == "pg_catalog" || (schema == nil && name.hasPrefix("pg_")) {
      // The rule behind pg_settings calls set_config with whatever the query yields.
      if name == "pg_settings" { return unknown() }
      access.insert(.administer)
      changesCatalog = true
    }
    if let schema {
      if schema == "pg_catalog" || schema == "information_schema" {
        return touch(.relation(schema: schema, name), access)
      }
      if schema.hasPrefix("pg_temp") {
        touch(.relation(schema: schema, name), access)
        if access.contains(.define) { note(defined: name, in: [schema]) }
        if let own = names?.scope.own.temporaries.find(name) { reachBehind(own, access) }
        return
      }
    }
    traits.needsNames = true
    let defines = access.contains(.define)
    guard let names else {
      if defines { note(defined: name, in: [schema]) }
      return touch(.relation(schema: schema, name), access)
    }
    switch names.relation(schema, name, usesPath: usesPath) {
    case .known(let relation):
      touch(.relation(schema: relation.schema, relation.name), access)
      if defines { note(defined: name, in: [relation.schema]) }
      touchFormer(relation.oid, access, in: names.snapshot)
      follow(relation, access, in: names)
    case .own(let own, let candidates):
      for schema in own.schemas { touch(.relation(schema: schema, name), access) }
      for relation in candidates {
        touch(.relation(schema: relation.schema, relation.name), access)
        touchFormer(relation.oid, access, in: names.snapshot)
        follow(relation, access, in: names)
      }
      if defines { note(defined: name, in: own.schemas.union(candidates.map(\.schema))) }
      reachBehind(own, access)
    case .open(let candidates, let own):
      if defines { note(defined: name, in: [schema]) }
      if let own { reachBehind(own, access) }
      touch(.relation(schema: schema, name), access)
      if schema == nil, usesPath, names.scope.path == nil { traits.needsPath = true }
      // What is made now cannot be there yet.
      if candidates.isEmpty, own == nil, !defines { traits.hasAbsentNames = true }
      for relation in candidates {
        touchFormer(relation.oid, access, in: names.snapshot)
        follow(relation, access, in: names)
      }
    }
  }

  /// A relation with columns that are known by what it was called before is touched by that name, too.
  private mutating func touchFormer(_ oid: UInt32, _ access: Effects, in catalog: CatalogSnapshot) {
    guard let former = catalog.formerNames[oid] else { return }
    for path in Set(former.values.joined().map { Array($0.path.dropLast()) }) where path.count == 2 {
      touch(.relation(schema: path[0], path[1]), access)
    }
  }

  /// Adds what is touched through a relation: what a view reads or passes on, what its rules do, the partitions of a
  /// table, and the table that a partition belongs to (DECISIONS 7).
  private mutating func follow(_ relation: CatalogSnapshot.Relation, _ access: Effects, in names: NameContext) {
    let catalog = names.snapshot
    if everything { return }
    let through = access.intersection([.read, .write])
    if through.isEmpty || catalog.standsAlone(relation.oid) { return }
    var seen: [UInt32: Effects] = [relation.oid: through]
    var open = [(oid: relation.oid, access: through, goesDown: true)]
    while let (oid, access, goesDown) = open.popLast() {
      if seen.count > StatementWalk.accessLimit {
        everything = true
        return
      }
      for routine in catalog.viewRoutines[oid] ?? [] { apply(routine.schema, routine.name, arguments: 0) }
      for routine in catalog.viewBuiltins[oid] ?? [] { note(call: routine.schema, routine.name) }
      if goesDown {
        for link in catalog.links(from: oid) {
          guard let passed = link.access(access) else { continue }
          reach(link.to, passed, goesDown: true, catalog, &seen, &open)
        }
      }
      for parent in catalog.parents(of: oid) { reach(parent, access, goesDown: false, catalog, &seen, &open) }
    }
  }

  private mutating func reach(
    _ oid: UInt32, _ access: Effects, goesDown: Bool, _ catalog: CatalogSnapshot, _ seen: inout [UInt32: Effects],
    _ open: inout [(oid: UInt32, access: Effects, goesDown: Bool)]
  ) {
    let known = seen[oid] ?? []
    guard !known.isSuperset(of: access) else { return }
    seen[oid] = known.union(access)
    // A relation that is not there any more cannot be touched.
    guard let relation = catalog.relationsByOID[oid] else { return }
    touch(.relation(schema: relation.schema, relation.name), access)
    touchFormer(oid, access, in: catalog)
    open.append((oid, access, goesDown))
    // The session may have put something behind it that the catalogue does not show.
    if let own = names?.scope.own.relations.find(relation.name) { reachBehind(own, access) }
  }

  /// Adds what is behind a relation of the session's own, and behind that.
  mutating func reachBehind(_ own: OwnRelations.Relation, _ access: Effects) {
    let passed = access.intersection([.read, .write])
    if passed.isEmpty || own.behind.isEmpty && !own.mayBeAnything { return }
    let through: Effects = passed.contains(.write) ? [.read, .write] : passed
    var seen: Set<String> = []
    var open = [own]
    while let next = open.popLast() {
      if next.mayBeAnything { return unknown() }
      for behind in next.behind {
        guard behind.resource.kind == .relation else {
          touch(behind.resource, behind.effects)
          continue
        }
        touch(behind.resource, through)
        guard let name = behind.resource.path.last ?? nil, seen.insert(name).inserted else { continue }
        if let more = names?.scope.own.relations.find(name) { open.append(more) }
        if let more = names?.scope.own.temporaries.find(name) { open.append(more) }
      }
    }
  }
}

extension CatalogSnapshot.Link {
  /// What happens to the second when this happens to the first; nil for nothing.
  fileprivate func access(_ access: Effects) -> Effects? {
    switch kind {
    case .child: access
    case .view: access.contains(.write) ? [.read, .write] : access
    case .rule: access.contains(.write) ? [.read, .write] : nil
    }
  }
}

/// Routines that appear without being called by name.
extension StatementWalk {
  /// Operators and casts of the users' own may be used wherever values of their types are, and the text does not show it.
  mutating func runHiddenRoutines() {
    guard let names, callers.isEmpty, traits.needsNames, !effects.isUnknown else { return }
    for routine in names.snapshot.hiddenRoutines { apply(routine.schema, routine.name, arguments: 0) }
  }

  /// Remembers which routines a statement makes or changes.
  mutating func noteRoutines(_ node: UInt32, _ kind: NodeKind) {
    if kind == .createFunctionStmt, let name = tape.names(tape.child(node, .funcname))?.last {
      traits.definesRoutines.formUnion(.some([tape.text(name)]))
    } else if kind == .createFunctionStmt || StatementWalk.makersOfRoutines.contains(kind) {
      traits.definesRoutines = .all
    }
  }

  private static let makersOfRoutines: Set<NodeKind> = [
    .defineStmt, .createCastStmt, .createConversionStmt, .createOpClassStmt, .createOpFamilyStmt, .createRangeStmt,
    .alterFunctionStmt, .alterOpFamilyStmt, .alterOperatorStmt, .alterObjectSchemaStmt, .alterTypeStmt,
    .createExtensionStmt, .alterExtensionStmt, .alterExtensionContentsStmt, .createTransformStmt, .createPLangStmt,
    .alterTSConfigurationStmt, .alterTSDictionaryStmt, .createAmStmt, .doStmt, .loadStmt,
  ]
}

import AccessModel

/// Statements that handle more than rows, or hold another statement.
extension StatementWalk {
  /// COPY to and from the client; files and programs of the backend's are out of sight.
  mutating func copy(_ item: Item) {
    let node = item.node
    let isFrom = tape.flag(node, .isFrom)
    kinds.insert(isFrom ? .copyFrom : .copyTo)
    if !isFrom { traits.countsColumns = true }
    effects.insert(isFrom ? .write : .read)
    if !isFrom { traits.copyHeaders.append(hasHeader(tape.child(node, .options))) }
    if tape.has(node, .filename) || tape.has(node, .isProgram) { unknown() }
    let relation = tape.child(node, .relation)
    if relation != 0 { self.relation(Item(node: relation, access: isFrom ? .write : .read)) }
    push(tape.child(node, .query), Item(node: 0, isStatement: true))
    push(tape.child(node, .whereClause), Item(node: 0))
  }

  mutating func explain(_ item: Item) {
    kinds.insert(.explain)
    var runs = false
    let options = tape.child(item.node, .options)
    if options != 0 {
      for option in tape.children(options) where tape.text(option, .defname)?.lowercased() == "analyze" {
        // The last one would win; any one is enough for us.
        if !isOff(tape.child(option, .arg)) { runs = true }
      }
    }
    if !runs {
      isPlanned = true
      effects.insert(.read)
    }
    push(tape.child(item.node, .query), Item(node: 0, isStatement: true))
  }

  /// Whether COPY begins with a line of column names. Options that are there twice are an error of the backend's.
  private func hasHeader(_ options: UInt32) -> Bool {
    options != 0
      && tape.children(options).contains { tape.text($0, .defname) == "header" && !isOff(tape.child($0, .arg)) }
  }

  /// DECLARE, which wraps a query.
  mutating func declare(_ item: Item) {
    kinds.insert(.declare)
    // CURSOR_OPT_HOLD (parsenodes.h).
    let isHeld = (tape.number(item.node, .options) ?? 0) & 0x20 != 0
    traits.declaredCursors.append(DeclaredCursor(name: tape.text(item.node, .portalname) ?? "", isHeld: isHeld))
    push(tape.child(item.node, .query), Item(node: 0, isStatement: true))
  }

  /// True when a boolean option says no, in the ways of defGetBoolean (define.c).
  private func isOff(_ argument: UInt32) -> Bool {
    if argument == 0 { return false }
    switch tape.kind(argument) {
    case .integer: return !tape.has(argument, .ival)
    case .string: return ["false", "off"].contains(tape.text(argument, .sval)?.lowercased() ?? "")
    default: return false
    }
  }

  mutating func createAs(_ item: Item) {
    let clause = tape.child(item.node, .into)
    if clause == 0 { return unknown() }
    into(clause)
    if tape.text(item.node, .objtype) == "OBJECT_MATVIEW" { passesOn = true }
    push(tape.child(item.node, .query), Item(node: 0, isStatement: true))
  }

  mutating func view(_ item: Item) {
    kinds.insert(.create)
    let view = tape.child(item.node, .view)
    if view == 0 { return unknown() }
    made(view)
    passesOn = true
    push(tape.child(item.node, .query), Item(node: 0))
  }

  mutating func transaction(_ node: UInt32) {
    let kind = tape.text(node, .kind) ?? ""
    switch kind {
    case "TRANS_STMT_BEGIN", "TRANS_STMT_START": kinds.insert(.begin)
    case "TRANS_STMT_COMMIT", "TRANS_STMT_COMMIT_PREPARED": kinds.insert(.commit)
    case "TRANS_STMT_ROLLBACK", "TRANS_STMT_ROLLBACK_TO", "TRANS_STMT_ROLLBACK_PREPARED": kinds.insert(.rollback)
    case "TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE": kinds.insert(.savepoint)
    case "TRANS_STMT_PREPARE": kinds.insert(.other)
    default:
      kinds.insert(.other)
      unknown()
    }
  }

  mutating func vacuum(_ item: Item) {
    kinds.insert(tape.flag(item.node, .isVacuumcmd) ? .vacuum : .analyze)
    effects.insert(.define)
    let relations = tape.child(item.node, .rels)
    if relations == 0 { everything = true }
    push(relations, Item(node: 0, access: .define))
  }

  mutating func truncate(_ item: Item) {
    kinds.insert(.truncate)
    effects.insert(.write)
    // It empties every table that refers to these too.
    if tape.text(item.node, .behavior) == "DROP_CASCADE" { everything = true }
    push(tape.child(item.node, .relations), Item(node: 0, access: .write))
  }

  mutating func grant(_ item: Item) {
    kinds.insert(.grant)
    effects.insert(.administer)
    if tape.text(item.node, .targtype) != "ACL_TARGET_OBJECT" { everything = true }
    if tape.text(item.node, .objtype) == "OBJECT_SCHEMA" { noteSchemas(item.node, tape.child(item.node, .objects)) }
    push(tape.child(item.node, .objects), Item(node: 0, access: .administer))
  }

  mutating func rename(_ item: Item) {
    kinds.insert(.alter)
    effects.insert(.define)
    switch tape.text(item.node, .renameType) ?? "" {
    case "OBJECT_DATABASE", "OBJECT_ROLE", "OBJECT_TABLESPACE", "OBJECT_FDW", "OBJECT_FOREIGN_SERVER",
      "OBJECT_SUBSCRIPTION", "OBJECT_PUBLICATION", "OBJECT_EVENT_TRIGGER", "OBJECT_LANGUAGE":
      effects.insert(.administer)
    case "OBJECT_SCHEMA": everything = true
    default: break
    }
    push(tape.child(item.node, .relation), Item(node: 0, access: .define))
    noteRename(item.node)
  }
}

/// DROP and COMMENT name their objects as lists of names.
extension StatementWalk {
  mutating func drop(_ node: UInt32) {
    kinds.insert(.drop)
    effects.insert(.define)
    // What depends on it goes too, and only the catalogue knows what that is.
    if tape.text(node, .behavior) == "DROP_CASCADE" {
      everything = true
      traits.defines.relations = .all
    }
    let objects = tape.child(node, .objects)
    if objects == 0 { return unknown() }
    let type = tape.text(node, .removeType) ?? ""
    if type == "OBJECT_SCHEMA" { noteSchemas(node, objects) }
    for object in tape.children(objects) { define(object, type) }
  }

  mutating func comment(_ node: UInt32) {
    kinds.insert(.other)
    effects.insert(.define)
    define(tape.child(node, .object), tape.text(node, .objtype) ?? "")
  }

  /// Adds a change of the object that has this name and this type.
  private mutating func define(_ object: UInt32, _ type: String) {
    switch type {
    case "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE":
      defineRelation(object, without: 0)
    case "OBJECT_COLUMN", "OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY", "OBJECT_TABCONSTRAINT":
      defineRelation(object, without: 1)
    case "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE":
      guard object != 0, let names = tape.names(tape.child(object, .objname)), let last = names.last else {
        return unknown()
      }
      touch(.routine(schema: names.count > 1 ? tape.text(names[names.count - 2]) : nil, tape.text(last)), .define)
    case "OBJECT_SCHEMA", "OBJECT_TYPE", "OBJECT_DOMAIN", "OBJECT_COLLATION", "OBJECT_CONVERSION",
      "OBJECT_STATISTIC_EXT", "OBJECT_TSCONFIGURATION", "OBJECT_TSDICTIONARY", "OBJECT_TSPARSER",
      "OBJECT_TSTEMPLATE", "OBJECT_OPERATOR", "OBJECT_OPCLASS", "OBJECT_OPFAMILY", "OBJECT_CAST",
      "OBJECT_DOMCONSTRAINT", "OBJECT_LARGEOBJECT":
      break
    default:
      traits.defines.relations = .all
      // Extensions, servers, languages, publications, event triggers, databases, roles; and whatever else there may be.
      effects.insert(.administer)
      everything = true
    }
  }

  private mutating func defineRelation(_ object: UInt32, without last: Int) {
    guard object != 0, tape.kind(object) == .list, var names = tape.names(tape.child(object, .items)),
      names.count > last
    else { return unknown() }
    names.removeLast(last)
    let schema = names.count > 1 ? tape.text(names[names.count - 2]) : nil
    touchRelation(schema: schema, tape.text(names[names.count - 1]), .define)
  }
}

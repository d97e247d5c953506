import AccessModel

/// Whether a WHERE clause touches a column that may be the target's.
extension PredicateReader {
  /// A node, and which columns there may be the target's: a subquery's own FROM clause comes first.
  private struct Place {
    var node: UInt32
    var bare = true
    var qualified = true
  }

  mutating func touchesTarget(_ clause: UInt32) -> Bool {
    let relation = tape.child(statement, .relation)
    if relation == 0 { return false }
    let name = tape.child(relation, .relname)
    let alias = tape.child(relation, .alias)
    let known = alias == 0 ? name : tape.child(alias, .aliasname)
    if name == 0 || known == 0 { return false }
    var work = [Place(node: clause)]
    while let place = work.popLast() {
      steps += 1
      if steps > PredicateReader.stepLimit { return false }
      switch tape.kind(place.node) {
      case .columnRef:
        if mayBelong(place, to: known) { return true }
      case .typeName, .text: break
      case .subLink:
        let isExists = tape.text(place.node, .subLinkType) == "EXISTS_SUBLINK"
        for child in tape.children(place.node) {
          if tape[child].field == .subselect {
            subquery(Place(node: child, bare: place.bare, qualified: place.qualified), isExists, name, known, &work)
          } else {
            work.append(Place(node: child, bare: place.bare, qualified: place.qualified))
          }
        }
      case .selectStmt: subquery(place, false, name, known, &work)
      default:
        for child in tape.children(place.node) {
          work.append(Place(node: child, bare: place.bare, qualified: place.qualified))
        }
      }
    }
    return false
  }

  private func mayBelong(_ place: Place, to known: UInt32) -> Bool {
    let fields = tape.child(place.node, .fields)
    if fields == 0 { return false }
    var qualifier: UInt32 = 0
    var last: UInt32 = 0
    for field in tape.children(fields) {
      qualifier = last
      last = field
    }
    if qualifier == 0 { return place.bare && tape.kind(last) == .string }
    let name = tape.child(qualifier, .sval)
    return place.qualified && name != 0 && tape.isEqual(name, known)
  }

  /// Goes into a subquery. A relation in its FROM clause hides the target when it goes by the same name, and hides the
  /// target's bare columns when it is the same relation. What EXISTS selects does not matter.
  private mutating func subquery(
    _ place: Place, _ isExists: Bool, _ name: UInt32, _ known: UInt32, _ work: inout [Place]
  ) {
    var inside = place
    var from = [tape.child(place.node, .fromClause)]
    while let node = from.popLast() {
      if node == 0 { continue }
      steps += 1
      switch tape.kind(node) {
      case .array, .joinExpr, .rangeTableSample:
        for child in tape.children(node) { from.append(child) }
      case .rangeVar, .rangeSubselect, .rangeFunction, .rangeTableFunc:
        let relation = tape.child(node, .relname)
        let alias = tape.child(node, .alias)
        let visible = alias == 0 ? relation : tape.child(alias, .aliasname)
        if visible != 0, tape.isEqual(visible, known) { inside.qualified = false }
        if relation != 0, tape.isEqual(relation, name) { inside.bare = false }
      default: break
      }
    }
    for child in tape.children(place.node) {
      let field = tape[child].field
      if isExists, field == .targetList { continue }
      work.append(Place(node: child, bare: inside.bare, qualified: inside.qualified))
    }
  }
}

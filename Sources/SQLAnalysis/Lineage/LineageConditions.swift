import AccessModel

/// Conditions that compare stored columns with constants, which some rules allow in small numbers (DECISIONS 17).
extension LineageWalk {
  /// WHERE: what stands between its ANDs and ORs is a test of a column against constants, or a predicate like any other.
  mutating func condition(_ node: UInt32, _ scope: LineageScope) {
    var work = node == 0 ? [] : [node]
    while let part = work.popLast() {
      steps += 1
      if steps > LineageWalk.stepLimit { return }
      if tape.kind(part) == .boolExpr, tape.text(part, .boolop) != "NOT_EXPR" {
        work += Array(tape.children(tape.child(part, .args)))
      } else if let (column, constants) = test(part), let source = copied(column, scope) {
        touched.formUnion(source.columns)
        tests.formUnion(source.columns)
        testedConstants += constants
      } else {
        predicate(part, scope)
      }
    }
  }

  /// The stored column that this is, as it stands; nil for anything else.
  private func copied(_ node: UInt32, _ scope: LineageScope) -> ValueSource? {
    let source = column(node, scope)
    return source.isCopy && source.columns.extent == .listed ? source : nil
  }

  /// The column of `ssn = 'x'`, `ssn IN ('x', 'y')`, `ssn = ANY (ARRAY['x'])` or `ssn IS NULL`, and how many constants it is
  /// compared with.
  private func test(_ node: UInt32) -> (column: UInt32, constants: Int)? {
    switch tape.kind(node) {
    case .nullTest:
      let argument = tape.child(node, .arg)
      return argument != 0 && tape.kind(argument) == .columnRef ? (argument, 0) : nil
    case .aExpr:
      guard let parts = tape.names(tape.child(node, .name)), parts.count == 1, tape.isEqual(parts[0], "=") else {
        return nil
      }
      let (left, right) = (tape.child(node, .lexpr), tape.child(node, .rexpr))
      guard left != 0, right != 0 else { return nil }
      switch tape.text(node, .kind) {
      case "AEXPR_OP":
        if tape.kind(left) == .columnRef, isConstant(right) { return (left, 1) }
        if tape.kind(right) == .columnRef, isConstant(left) { return (right, 1) }
        return nil
      case "AEXPR_IN": return test(left, tape.child(right, .items))
      case "AEXPR_OP_ANY":
        guard tape.kind(right) == .aArrayExpr else { return nil }
        return test(left, tape.child(right, .elements))
      case _: return nil
      }
    case _: return nil
    }
  }

  private func test(_ column: UInt32, _ list: UInt32) -> (column: UInt32, constants: Int)? {
    guard tape.kind(column) == .columnRef, list != 0, tape.children(list).allSatisfy(isConstant) else { return nil }
    return (column, tape.children(list).reduce(0) { count, _ in count + 1 })
  }

  /// A literal or a parameter, perhaps with a type.
  private func isConstant(_ node: UInt32) -> Bool {
    switch tape.kind(node) {
    case .aConst, .paramRef: return true
    case .typeCast:
      let argument = tape.child(node, .arg)
      // A parameter of an array type could hold any number of them.
      let type = tape.child(node, .typeName)
      return argument != 0 && type != 0 && !tape.has(type, .arrayBounds)
        && [.aConst, .paramRef].contains(tape.kind(argument))
    case _: return false
    }
  }
}

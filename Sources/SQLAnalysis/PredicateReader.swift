import AccessModel

/// Whether the WHERE clause of an UPDATE or DELETE, or the ON of a MERGE, says which rows it means (DECISIONS 10).
///
/// It is `absent` when there is none, when it is true whatever the row holds, and when it touches no column of the
/// target. Not found out: predicates that are true by arithmetic (`id > 0 OR id <= 0`), by what the table may hold
/// (`id IS NOT NULL`), or by what a parameter holds. Reads no value of a constant beside a column: `PlainLiterals` counts
/// on that.
struct PredicateReader {
  /// What a condition comes to, as far as constants tell.
  enum Truth: Hashable {
    case yes, no
    /// The same for all rows, and which of the two is not worked out.
    case constant
    /// Depends on a column or a parameter.
    case varies
  }

  /// Nodes that may be looked at; over it the clause counts as absent.
  static let stepLimit = 1_000_000

  let tape: Tape
  let statement: UInt32
  /// Taken so far, by earlier clauses of the same text too.
  var steps: Int

  /// `field` is where the condition stands: WHERE, or the ON of a MERGE.
  mutating func read(_ field: Field = .whereClause) -> SQLStatement.Predicate {
    read(clause: tape.child(statement, field))
  }

  /// The same for a condition that stands elsewhere in the statement; 0 for none.
  mutating func read(clause: UInt32) -> SQLStatement.Predicate {
    if clause == 0 { return .absent }
    if tape.kind(clause) == .currentOfExpr { return .present }
    switch truth(clause) {
    case .yes, .constant: return .absent
    case .no, .varies: return touchesTarget(clause) ? .present : .absent
    }
  }
}

/// Constant conditions.
extension PredicateReader {
  private enum Connective { case and, or, not }

  /// An AND, OR or NOT of which some arms are still to be looked at.
  private struct Frame {
    var connective: Connective
    var next: UInt32
    var value: Truth
  }

  mutating func truth(_ root: UInt32) -> Truth {
    var frames: [Frame] = []
    var node = root
    while true {
      var value: Truth
      node = transparent(node)
      if let connective = connective(node) {
        let arms = tape.child(node, .args)
        let first = arms == 0 ? 0 : tape[arms].firstChild
        if first == 0 { return .constant }
        if connective == .or, holdsByOpposites(arms) {
          // As if a constant stood here.
          frames.append(Frame(connective: .or, next: 0, value: .yes))
          node = first
          continue
        }
        frames.append(Frame(connective: connective, next: tape[first].next, value: connective == .or ? .no : .yes))
        node = first
        continue
      }
      value = leaf(node)
      while true {
        guard let top = frames.popLast() else { return value }
        value = combine(top.connective, top.value, value)
        if top.next == 0 { continue }
        frames.append(Frame(connective: top.connective, next: tape[top.next].next, value: value))
        node = top.next
        break
      }
    }
  }

  private func connective(_ node: UInt32) -> Connective? {
    guard tape.kind(node) == .boolExpr else { return nil }
    switch tape.text(node, .boolop) ?? "" {
    case "AND_EXPR": return .and
    case "NOT_EXPR": return .not
    default: return .or
    }
  }

  private func combine(_ connective: Connective, _ a: Truth, _ b: Truth) -> Truth {
    switch connective {
    case .not: b == .yes ? .no : b == .no ? .yes : b
    case .or:
      a == .yes || b == .yes ? .yes : a == .constant || b == .constant ? .constant : a == .varies ? a : b
    case .and:
      a == .no || b == .no ? .no : a == .varies || b == .varies ? .varies : a == .constant ? a : b
    }
  }

  /// Steps into what only hands one argument on: `(…) IS TRUE`, casts, COALESCE and CASE with a constant in front.
  private func transparent(_ node: UInt32) -> UInt32 {
    var node = node
    while true {
      var next: UInt32 = 0
      switch tape.kind(node) {
      case .booleanTest:
        if tape.text(node, .booltesttype) == "IS_TRUE" { next = tape.child(node, .arg) }
      case .typeCast: next = tape.child(node, .arg)
      case .coalesceExpr:
        let arms = tape.child(node, .args)
        var first = arms == 0 ? 0 : tape[arms].firstChild
        while first != 0, tape.kind(first) == .aConst, tape.has(first, .isnull) { first = tape[first].next }
        if first != 0, isLiteral(first) { next = first }
      case .caseExpr:
        let arms = tape.child(node, .args)
        let first = arms == 0 ? 0 : tape[arms].firstChild
        if first != 0, !tape.has(node, .arg), constantTruth(tape.child(first, .expr)) == .yes {
          next = tape.child(first, .result)
        }
      default: break
      }
      if next == 0 { return node }
      node = next
    }
  }

  private func isLiteral(_ node: UInt32) -> Bool {
    var node = node
    while node != 0, tape.kind(node) == .typeCast { node = tape.child(node, .arg) }
    return node != 0 && tape.kind(node) == .aConst
  }

  /// A condition without AND, OR and NOT at its top.
  private mutating func leaf(_ node: UInt32) -> Truth {
    if tape.kind(node) == .aConst { return constantTruth(node) }
    if tape.kind(node) == .aExpr, let known = comparison(node) ?? comparisonWithItself(node) { return known }
    return varies(node) ? .varies : .constant
  }

  private func constantTruth(_ node: UInt32) -> Truth {
    guard node != 0, tape.kind(node) == .aConst else { return .constant }
    if tape.has(node, .isnull) { return .no }
    let bool = tape.child(node, .boolval)
    if bool != 0 { return tape.flag(bool, .boolval) ? .yes : .no }
    let string = tape.child(node, .sval)
    if string != 0, let text = tape.text(string, .sval)?.lowercased() {
      return ["f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"].contains(text) ? .no : .yes
    }
    return .constant
  }

  /// `1 = 1`, `'a' = 'b'`, `2 > 1`, and a column compared with itself.
  private func comparison(_ node: UInt32) -> Truth? {
    let left = tape.child(node, .lexpr), right = tape.child(node, .rexpr), names = tape.child(node, .name)
    guard left != 0, right != 0, names != 0, tape.text(node, .kind) == "AEXPR_OP",
      let name = tape.names(names)?.last
    else { return nil }
    let sign = tape.text(name)
    let isEquality = sign == "=" || sign == "<=" || sign == ">="
    if tape.kind(left) == .columnRef, tape.kind(right) == .columnRef {
      return isEquality && sameColumn(left, right) ? .yes : nil
    }
    guard tape.kind(left) == .aConst, tape.kind(right) == .aConst else { return nil }
    if let a = integer(left), let b = integer(right) {
      switch sign {
      case "=": return a == b ? .yes : .no
      case "<>": return a != b ? .yes : .no
      case "<": return a < b ? .yes : .no
      case ">": return a > b ? .yes : .no
      case "<=": return a <= b ? .yes : .no
      case ">=": return a >= b ? .yes : .no
      default: return nil
      }
    }
    let a = tape.child(left, .sval), b = tape.child(right, .sval)
    guard a != 0, b != 0, sign == "=" || sign == "<>" else { return nil }
    return (tape.text(a, .sval) == tape.text(b, .sval)) == (sign == "=") ? .yes : .no
  }

  /// A positive integer constant; 0 and negative ones look alike in the tree.
  private func integer(_ node: UInt32) -> Int? {
    let value = tape.child(node, .ival)
    let number = value == 0 ? 0 : tape.child(value, .ival)
    return number == 0 ? nil : Int(tape.text(number))
  }

  private func sameColumn(_ a: UInt32, _ b: UInt32) -> Bool {
    guard let mine = tape.names(tape.child(a, .fields)), let theirs = tape.names(tape.child(b, .fields)) else {
      return false
    }
    // `id = t.id` compares a column with itself when t is the only relation there.
    let isAlone = !tape.has(statement, .fromClause) && !tape.has(statement, .usingClause)
    guard mine.count == theirs.count || isAlone else { return false }
    return zip(mine.reversed(), theirs.reversed()).allSatisfy { tape.isEqual($0, $1) }
  }

  /// True when a column or a parameter stands anywhere below.
  private mutating func varies(_ root: UInt32) -> Bool {
    var work = [root]
    while let node = work.popLast() {
      steps += 1
      if steps > PredicateReader.stepLimit { return false }
      let kind = tape.kind(node)
      if kind == .columnRef || kind == .paramRef { return true }
      if kind == .typeName { continue }
      for child in tape.children(node) { work.append(child) }
    }
    return false
  }
}

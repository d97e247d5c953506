/// Conditions that hold because two of their parts say the same.
extension PredicateReader {
  /// Arms of one OR that are compared with each other.
  private static let armLimit = 16

  /// True when two expressions are written alike, wherever they stand. Over the step limit nothing is.
  ///
  /// What a column is compared with is not looked at, so that texts that differ in nothing else mean the same:
  /// `id = 5 OR NOT (id = 6)` counts as if both were 5.
  mutating func isSame(_ a: UInt32, _ b: UInt32) -> Bool {
    var work = [(a, b, false)]
    while let (a, b, isCompared) = work.popLast() {
      steps += 1
      if steps > PredicateReader.stepLimit { return false }
      let kind = tape.kind(a)
      guard kind == tape.kind(b) else { return false }
      let compares = isCompared && (kind == .list || kind == .array) || isComparison(a)
      switch kind {
      case .aConst where isCompared: continue
      case .text, .number: if !tape.isEqual(a, b) { return false }
      // libpg_query writes neither 0 nor negative numbers, so that these two look alike.
      case .integer: if !tape.has(a, .ival) { return false }
      default: break
      }
      var mine = tape.children(a), theirs = tape.children(b)
      while true {
        let left = nextPart(&mine), right = nextPart(&theirs)
        guard let left, let right else {
          if left != nil || right != nil { return false }
          break
        }
        guard tape[left].field == tape[right].field else { return false }
        work.append((left, right, compares))
      }
    }
    return true
  }

  private func isComparison(_ node: UInt32) -> Bool {
    guard tape.kind(node) == .aExpr else { return false }
    let kind = tape.text(node, .kind) ?? ""
    if kind == "AEXPR_IN" || kind.hasPrefix("AEXPR_BETWEEN") || kind.hasPrefix("AEXPR_NOT_BETWEEN") { return true }
    guard kind == "AEXPR_OP", let name = tape.names(tape.child(node, .name))?.last else { return false }
    return ["=", "<>", "<", "<=", ">", ">="].contains(tape.text(name))
  }

  private func nextPart(_ children: inout Tape.Children) -> UInt32? {
    while let child = children.next() {
      if tape[child].field != .location { return child }
    }
    return nil
  }

  /// `x OR NOT x`, `x IS NULL OR x IS NOT NULL`. For rows where x is null the first is not true: it counts all the same.
  mutating func holdsByOpposites(_ arms: UInt32) -> Bool {
    let arms = Array(tape.children(arms).prefix(PredicateReader.armLimit))
    for (index, arm) in arms.enumerated() {
      for other in arms[(index + 1)...] where areOpposites(arm, other) || areOpposites(other, arm) { return true }
    }
    return false
  }

  private mutating func areOpposites(_ a: UInt32, _ b: UInt32) -> Bool {
    if tape.kind(a) == .boolExpr, tape.text(a, .boolop) == "NOT_EXPR" {
      let list = tape.child(a, .args)
      return list != 0 && tape[list].firstChild != 0 && isSame(tape[list].firstChild, b)
    }
    guard tape.kind(a) == .nullTest, tape.kind(b) == .nullTest,
      tape.text(a, .nulltesttype) != tape.text(b, .nulltesttype)
    else { return false }
    let mine = tape.child(a, .arg), theirs = tape.child(b, .arg)
    return mine != 0 && theirs != 0 && isSame(mine, theirs)
  }

  /// A comparison of an expression with itself, and LIKE '%'; nil for all others.
  mutating func comparisonWithItself(_ node: UInt32) -> Truth? {
    let left = tape.child(node, .lexpr), right = tape.child(node, .rexpr)
    guard left != 0, right != 0 else { return nil }
    let names = tape.child(node, .name)
    let sign = names == 0 ? "" : tape.names(names)?.last.map { tape.text($0) } ?? ""
    switch tape.text(node, .kind) ?? "" {
    case "AEXPR_OP":
      switch sign {
      case "=", "<=", ">=": return isSame(left, right) ? .yes : nil
      case "<>", "<", ">": return isSame(left, right) ? .no : nil
      default: return nil
      }
    case "AEXPR_NOT_DISTINCT": return isSame(left, right) ? .yes : nil
    case "AEXPR_IN":
      // NOT IN is the same kind with another sign.
      guard sign == "=" else { return nil }
      for item in items(right) where isSame(left, item) { return .yes }
      return nil
    case "AEXPR_BETWEEN", "AEXPR_BETWEEN_SYM":
      let bounds = items(right)
      guard !bounds.isEmpty else { return nil }
      for bound in bounds where !isSame(left, bound) { return nil }
      return .yes
    case "AEXPR_LIKE", "AEXPR_ILIKE":
      let text = tape.kind(right) == .aConst ? tape.child(right, .sval) : 0
      guard text != 0, sign == "~~" || sign == "~~*", let pattern = tape.text(text, .sval) else { return nil }
      return !pattern.isEmpty && pattern.allSatisfy { $0 == "%" } ? .yes : nil
    default: return nil
    }
  }

  private func items(_ node: UInt32) -> [UInt32] {
    guard tape.kind(node) == .list else { return [] }
    let list = tape.child(node, .items)
    return list == 0 ? [] : Array(tape.children(list).prefix(PredicateReader.armLimit))
  }
}

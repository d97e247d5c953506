import AccessModel

/// Whether all literals that a text's normal form takes out stand where nothing is read off them (DECISIONS 1).
///
/// When they do, every text of the form has the same analysis. For: by the law of `NormalForm` the grammar sees the same
/// tokens, and none of its actions looks at the value of a literal that becomes an A_Const in one of the places below,
/// but for a minus sign, which changes the value and not the tree. So the trees differ in values and locations only.
/// `StatementWalk` takes a constant for a leaf; it reads values off the arguments of functions and off SET, which are
/// none of these places. `PredicateReader` reads those of constants that stand alone as a condition, in CASE or
/// COALESCE, or beside another constant, which are none either: here the other side is a column. Whoever makes the
/// analysis read more off constants must take the place out of this list; `TemplateCacheTests` watch.
///
/// The places: beside a column in a plain comparison, IN or BETWEEN; LIMIT and OFFSET; a VALUES row of an INSERT; SET
/// of an UPDATE, also as a number added to a column or taken from it. A constant that the text form keeps (TRUE, NULL)
/// is the same in all of them.
struct PlainLiterals {
  /// What a node's surroundings mean for constants in it.
  private enum Place {
    case other
    /// A constant here is plain.
    case plain
    /// The elements of this list are plain.
    case list
    /// Rows of VALUES in an INSERT, and the SELECT that holds them.
    case rows, rowSource
    /// SET of an UPDATE, one assignment of it, and what is assigned.
    case assignments, assignment, assigned
  }

  private let tape: Tape
  private var work: [(node: UInt32, place: Place)] = []
  /// Where the constants of the tree begin.
  private var locations: [Int] = []

  /// True when the text has a normal form, something was taken out, and all of that stands in plain places.
  static func areAll(in tape: Tape, _ text: String) -> Bool {
    guard text.utf8.count <= NormalForm.textLimit else { return false }
    var text = text
    return text.withUTF8 { bytes in
      var form = NormalForm()
      guard form.read(UnsafeRawBufferPointer(bytes)), form.literals > 0 else { return false }
      var literals = PlainLiterals(tape: tape)
      return literals.collect() && literals.match(form.starts, bytes)
    }
  }

  private init(tape: Tape) { self.tape = tape }

  /// Looks at the whole tree; false when a constant stands in another place.
  private mutating func collect() -> Bool {
    for entry in tape.children(tape.child(0, .stmts)) {
      let node = tape.child(entry, .stmt)
      switch tape.kind(node) {
      case .selectStmt, .insertStmt, .updateStmt, .deleteStmt: work.append((node, .other))
      default: return false
      }
    }
    while let (node, place) = work.popLast() {
      guard visit(node, place) else { return false }
    }
    return true
  }

  /// The constants of the tree and the literals of the text are the same, one by one.
  private mutating func match(_ starts: ArraySlice<UInt16>, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard locations.count == starts.count else { return false }
    locations.sort()
    return zip(locations, starts).allSatisfy { location, start in
      if location == start { return true }
      // A minus sign belongs to the constant and is where it begins (doNegate in gram.y); it stays in the form.
      guard location < start, text[location] == UInt8(ascii: "-") else { return false }
      return text[(location + 1)..<Int(start)].allSatisfy { $0 == UInt8(ascii: " ") }
    }
  }

  private mutating func visit(_ node: UInt32, _ place: Place) -> Bool {
    switch tape.kind(node) {
    case .aConst:
      if tape.has(node, .isnull) || tape.has(node, .boolval) { return true }
      guard place == .plain || place == .assigned, let location = tape.location(node) else { return false }
      locations.append(location)
      return true
    case .selectStmt:
      for child in tape.children(node) {
        switch tape[child].field {
        case .limitCount, .limitOffset: work.append((child, .plain))
        case .valuesLists: work.append((child, place == .rowSource ? .rows : .other))
        default: work.append((child, .other))
        }
      }
    case .insertStmt: push(node, [.selectStmt: .rowSource])
    case .updateStmt: push(node, [.targetList: .assignments])
    case .resTarget: push(node, place == .assignment ? [.val: .assigned] : [:])
    case .aExpr: expression(node, place)
    case .array:
      let inner: Place =
        switch place {
        case .rows, .list: place == .rows ? .list : .plain
        case .assignments: .assignment
        case .other, .plain, .rowSource, .assignment, .assigned: .other
        }
      for child in tape.children(node) { work.append((child, inner)) }
    case .list: push(node, place == .list ? [.items: .list] : [:])
    default: push(node, [:])
    }
    return true
  }

  /// Leaves the children to be visited, those in a field that is listed with the place that it gives.
  private mutating func push(_ node: UInt32, _ places: KeyValuePairs<Field, Place>) {
    for child in tape.children(node) {
      let field = tape[child].field
      work.append((child, places.first { $0.key == field }?.value ?? .other))
    }
  }

  /// An operator, and what it makes of constants on its sides.
  private mutating func expression(_ node: UInt32, _ place: Place) {
    let left = tape.child(node, .lexpr), right = tape.child(node, .rexpr)
    let kind = tape.child(node, .kind)
    var sides: KeyValuePairs<Field, Place> = [:]
    if left != 0, right != 0, kind != 0 {
      if tape.isEqual(kind, "AEXPR_OP") {
        let isPlain = isComparison(node) || (place == .assigned && isSum(node, left, right))
        if isPlain, tape.kind(left) == .columnRef { sides = [.rexpr: .plain] }
        if isPlain, tape.kind(right) == .columnRef { sides = [.lexpr: .plain] }
      } else if PlainLiterals.choices.contains(where: { tape.isEqual(kind, $0) }), tape.kind(left) == .columnRef {
        sides = [.rexpr: .list]
      }
    }
    push(node, sides)
  }

  /// IN and BETWEEN, for which the grammar allows no operator but PostgreSQL's own.
  private static let choices: [StaticString] = [
    "AEXPR_IN", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM",
  ]

  private static let comparisons: Set<String> = ["=", "<>", "<", "<=", ">", ">="]

  /// `!=` is `<>` by now.
  private func isComparison(_ node: UInt32) -> Bool { PlainLiterals.comparisons.contains(sign(node)) }

  /// A number added to a column or taken from it.
  private func isSum(_ node: UInt32, _ left: UInt32, _ right: UInt32) -> Bool {
    let isNumber = [left, right].contains { tape.kind($0) == .aConst && !tape.has($0, .sval) }
    return isNumber && ["+", "-"].contains(sign(node))
  }

  /// The operator's name, if it does not name a schema too.
  private func sign(_ node: UInt32) -> String {
    guard let names = tape.names(tape.child(node, .name)), names.count == 1 else { return "" }
    return tape.text(names[0])
  }
}

import AccessModel

/// A column that a mask rule names whole and that its table does not have: which of its columns the rule means nobody knows.
public struct MissingColumn: Hashable, Sendable {
  public var rule: String
  /// `[schema, relation, column]`.
  public var path: [String]

  public init(rule: String, path: [String]) {
    self.rule = rule
    self.path = path
  }

  /// Why a command is refused that may touch the table; nil when it does not.
  public func denial(of footprint: Footprint) -> Denial? {
    let table = Array(path.dropLast())
    guard case .resources(let accesses) = footprint else { return denial }
    let isTouched = accesses.contains { access in
      guard access.resource.kind == .relation else { return false }
      return zip(access.resource.path.reversed(), table.reversed()).allSatisfy { $0 == nil || $0 == $1 }
    }
    return isTouched ? denial : nil
  }

  private var denial: Denial {
    Denial(
      rule: rule,
      reason: "it masks \(path.joined(separator: ".")), which is not there, so it cannot be told what it hides",
      hint: "Whoever configures the gateway mends the columns of the rule.")
  }
}

extension ScopedPolicy {
  /// Names of the mask rules that concern this person here, in the order of the document.
  public var maskNames: [String] { masks.filter { !$0.isShadow }.map(\.name) }

  /// Columns that masks name whole, without a pattern.
  public var wholeColumns: [MissingColumn] {
    masks.filter { !$0.isShadow }.flatMap { mask in mask.whole.map { MissingColumn(rule: mask.name, path: $0) } }
  }
}

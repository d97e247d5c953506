import AccessModel
import Enforcement
import PolicyEngine
import SallyportConfiguration

/// What a policy says to one statement of one person, and why.
public struct PolicyExplanation: Codable, Sendable {
  /// One rule, and what became of it.
  public struct Rule: Codable, Sendable {
    public var name: String
    /// `deny`, `approve`, `mask` or `limit`.
    public var action: String
    public var shadow: Bool
    /// `met`, `exempt`, or `not met`.
    public var result: String
    /// The first key of `when` that does not hold; nil unless `not met`.
    public var key: String?
  }
  /// A column that the statement may read, and what becomes of it.
  public struct Masked: Codable, Sendable {
    public var column: String
    public var mask: String
    public var rules: [String]
  }
  /// What is masked in all that the person reads, by what it looks like.
  public struct Detected: Codable, Sendable {
    public var rule: String
    public var detectors: [String]
    public var mask: String
    public var confidence: String
  }
  /// One column of a statement's result: where its values come from, and what becomes of them.
  public struct Column: Codable, Sendable {
    /// Which statement, and which column of it, from 1.
    public var statement: Int
    public var column: Int
    /// Stored columns that its values may carry; `?` stands for any of what the statement names, `*` for any at all.
    public var from: [String]
    /// Whether it is the value of one of them as it is stored.
    public var copied: Bool
    /// nil where it passes.
    public var mask: String?
    public var rules: [String]
  }
  public var user: String
  public var groups: [String]
  public var connection: String
  public var effects: [String]
  /// `everything`, `nothing`, or `public.customers:read` and the like.
  public var footprint: String
  /// Kinds of the statements in it.
  public var statements: [String]
  public var functions: [String]
  /// Whether a catalogue told what names stand for.
  public var resolved: Bool
  /// `allow`, `deny` or `approve`.
  public var decision = ""
  /// The rules that decided, separated by commas; empty for `allow`.
  public var rule = ""
  public var reason: String?
  public var hint: String?
  /// Rows of its results that may reach the client; nil for all.
  public var limit: Int?
  /// The estimate of rows that it was decided by; nil where no rule asks for one.
  public var estimate: String?
  /// Who must approve, a line each.
  public var needs: [String] = []
  public var rules: [Rule] = []
  public var masked: [Masked] = []
  public var detected: [Detected] = []
  /// Columns of results, where masks may apply and their number is known.
  public var columns: [Column] = []
  /// Hash of the policy.
  public var policy: String

  init(_ subject: Subject, _ command: Command, _ policy: String, isResolved: Bool) {
    user = subject.user
    groups = subject.groups
    connection = subject.connection
    effects = command.effects.names
    footprint = command.footprint.description
    resolved = isResolved
    self.policy = policy
    switch command.detail {
    case .sql(let detail):
      statements = detail.statements.map(\.kind.rawValue)
      functions = Set(detail.statements.flatMap(\.functions)).map(\.description).sorted()
    case .ssh(let detail):
      statements = detail.programs.map(\.name)
      functions = []
    }
  }

  mutating func take(_ ruling: consuming Ruling) {
    switch consume ruling {
    case .forward(let permit):
      decision = "allow"
      limit = permit.limit?.rows
    case .refuse(let refusal):
      decision = "deny"
      rule = refusal.denial.rule
      reason = refusal.denial.reason
      hint = refusal.denial.hint
      if case .misunderstood(.syntax(let message, let position)) = refusal.kind {
        reason = "\(message), at character \(position)"
      }
    case .hold(let requirement):
      decision = "approve"
      rule = requirement.clauses.map(\.rule).joined(separator: ",")
      needs = requirement.clauses.map { "\($0.count) of \($0.by.joined(separator: " or ")), for \($0.rule)" }
    case .needsValues: decision = "approve"
    // It was given one before it was asked for.
    case .needsEstimate: break
    }
  }

  /// As expectations spell it: `allow`, `deny(rule)`.
  public var outcome: String { rule.isEmpty ? decision : "\(decision)(\(rule))" }

  /// Whether this is what somebody expected.
  public func meets(_ expected: PolicyExpectations.Outcome) -> Bool {
    let by = rule.split(separator: ",").map(String.init)
    switch expected {
    case .allow: return decision == "allow"
    case .deny(let rule): return decision == "deny" && (rule == nil || rule == self.rule)
    case .approve(let rule): return decision == "approve" && (rule.map(by.contains) ?? true)
    case .limited(let rows): return decision == "allow" && limit == rows
    case .masked(let columns): return decision == "allow" && Set(masked.map(\.column)) == Set(columns)
    }
  }
}

extension PolicyExplanation.Detected {
  init(_ mask: ContentMask) {
    rule = mask.rule
    detectors = mask.detectors.kinds.kinds.map(\.name) + mask.detectors.custom.map(\.name)
    self.mask = mask.mask.name
    confidence = mask.detectors.minimum.name
  }
}

extension PolicyExplanation.Rule {
  init(_ finding: RuleFinding) {
    name = finding.rule
    action = finding.action
    shadow = finding.isShadow
    switch finding.result {
    case .met: result = "met"
    case .exempt: result = "exempt"
    case .notMet(let key):
      result = "not met"
      self.key = key
    }
  }
}

extension PolicyExplanation: CustomStringConvertible {
  /// For people, several lines.
  public var description: String {
    var lines = [
      "who         \(user) (\(groups.isEmpty ? "no groups" : groups.joined(separator: ", "))) on \(connection)",
      "statements  \(statements.isEmpty ? "not understood" : statements.joined(separator: ", "))",
      "may do      \(effects.isEmpty ? "nothing" : effects.joined(separator: ", "))",
      "touches     \(footprint)" + (resolved ? "" : "   (no catalogue: names are not resolved)"),
    ]
    if !functions.isEmpty { lines.append("calls       \(functions.joined(separator: ", "))") }
    if let estimate { lines.append("estimate    \(estimate)") }
    lines.append("decision    \(outcome)")
    if let limit { lines.append("limit       \(limit) rows, then an error") }
    if let reason { lines.append("reason      \(reason)") }
    if let hint { lines.append("hint        \(hint)") }
    lines += needs.map { "needs       \($0)" }
    for rule in rules {
      let why = rule.key.map { "not met: \($0)" } ?? rule.result
      lines.append("rule        \(rule.name): \(rule.action)\(rule.shadow ? " (shadow)" : ""), \(why)")
    }
    lines += detected.map {
      "detected    \($0.detectors.joined(separator: ", ")), at least \($0.confidence): \($0.mask), by \($0.rule)"
    }
    lines += masked.map { "masked      \($0.column): \($0.mask), by \($0.rules.joined(separator: ", "))" }
    lines += columns.map { column in
      let from = column.from.isEmpty ? "nothing stored" : column.from.joined(separator: ", ")
      let mask = column.mask.map { "\($0), by \(column.rules.joined(separator: ", "))" } ?? "passes"
      let place = statements.count > 1 ? "\(column.statement).\(column.column)" : "\(column.column)"
      return "column      \(place): \(column.copied || column.from.isEmpty ? "" : "made of ")\(from) → \(mask)"
    }
    return lines.joined(separator: "\n")
  }
}

extension PolicyExpectations.Outcome: CustomStringConvertible {
  public var description: String {
    switch self {
    case .allow: "allow"
    case .deny(let rule): rule.map { "deny(\($0))" } ?? "deny"
    case .approve(let rule): rule.map { "approve(\($0))" } ?? "approve"
    case .limited(let rows): "limit(\(rows))"
    case .masked(let columns): "masked(\(columns.joined(separator: ", ")))"
    }
  }
}

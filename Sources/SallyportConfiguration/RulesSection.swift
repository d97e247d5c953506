import AccessModel
import PolicyEngine

extension ConfigurationReader {
  /// `rules:`, the list of restrictions.
  func readRules(_ value: YAMLValue) {
    for entry in entries(value, "rules") {
      guard let rule = rule(entry) else { continue }
      if let first = rules.first(where: { $0.value.name == rule.value.name }) {
        mistakes.add(rule.place, "rule \"\(rule.value.name)\" is written twice", firstAt(first.place))
        continue
      }
      rules.append(rule)
    }
  }

  private func rule(_ value: YAMLValue) -> Located<Rule>? {
    guard var keys = MappingReader(value, "the rule", mistakes, .rule) else { return nil }
    detectorsOfRule = nil
    let nameValue = keys.require("name", "Give it one: people read it when the rule stops them.")
    let name = nameValue.flatMap { ruleName($0) }
    let thenValue = keys.require("then", "Say what happens: deny, { approve: … }, { mask: … } or { limit: … }.")
    let action = thenValue.flatMap { self.action($0) }
    let isMask = action.map { $0.isMask } ?? false
    let whenValue = keys.take("when")
    let when = whenValue.flatMap { matcher($0, "when", isMask: isMask) }
    let unlessValue = keys.take("unless")
    let unless = unlessValue.flatMap { matcher($0, "unless", isMask: isMask) }
    let mode = keys.take("mode").map { value in
      word(value, "mode", among: Rule.Mode.allCases.map { ($0.rawValue, $0) })
    }
    let typed = keys.take("typed")
    let endsShell = typed.flatMap { word($0, "typed", among: [("alert", false), ("end", true)]) }
    let reason = keys.take("reason").flatMap { self.reason($0) }
    keys.finish()
    // A part that could not be read must not change what the rule means; there is a mistake, so it is not needed.
    guard let nameValue, let name, let action, (whenValue == nil) == (when == nil),
      (unlessValue == nil) == (unless == nil)
    else { return nil }
    if let typed, action != .deny {
      return refuse(typed.place, "typed has no meaning without then: deny", "Leave it out.")
    }
    var rule = Rule(
      name: name, when: when ?? Matcher(), unless: unless, then: action, mode: (mode ?? .enforce) ?? .enforce,
      reason: reason)
    rule.endsShell = endsShell ?? false
    if let detectors = detectorsOfRule { references.detectors.append((rule: name, detectors)) }
    return Located(value: rule, place: nameValue.place)
  }

  private func ruleName(_ value: YAMLValue) -> String? {
    guard let text = text(value, "name"),
      let name = name(Located(value: text, place: value.place), "a rule")
    else { return nil }
    guard name != "access", name != "gateway" else {
      return refuse(value.place, "\"\(name)\" is what the gateway's own refusals are called", "Choose another name.")
    }
    return name
  }

  /// As a sentence without a full stop, which error messages then have.
  private func reason(_ value: YAMLValue) -> String? {
    guard let text = text(value, "reason") else { return nil }
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  private func action(_ value: YAMLValue) -> Action? {
    if case .scalar = value.node {
      guard let text = text(value, "then") else { return nil }
      if text == "deny" { return .deny }
      return refuse(
        value.place, "unknown action \"\(text.prefix(80))\"",
        "Write deny, { approve: … }, { mask: … } or { limit: … }; what is allowed stands under access.")
    }
    guard var keys = MappingReader(value, "then", mistakes, .then) else { return nil }
    let approve = keys.take("approve")
    let mask = keys.take("mask")
    let limit = keys.take("limit")
    let before = mistakes.found.count
    keys.finish()
    let actions = [
      approve.map { ("approves", $0.place) }, mask.map { ("masks", $0.place) }, limit.map { ("limits", $0.place) },
    ]
    .compactMap { $0 }
    if actions.count > 1 {
      return refuse(
        actions.map(\.1).reduce(actions[0].1, max),
        "a rule does one thing, and this one \(actions.map(\.0).joined(separator: " and "))",
        "Make \(actions.count == 2 ? "two" : "three") rules of it.")
    }
    if let approve { return approval(approve).map(Action.approve) }
    if let mask { return columnMask(mask).map(Action.mask) }
    if let limit { return rowLimit(limit).map { Action.limit(rows: $0) } }
    if mistakes.found.count == before {
      mistakes.add(value.place, "then is empty", "Write deny, { approve: … }, { mask: … } or { limit: … }.")
    }
    return nil
  }

  /// `limit: { rows: 1000 }`.
  private func rowLimit(_ value: YAMLValue) -> Int? {
    guard var keys = MappingReader(value, "limit", mistakes, .limit) else { return nil }
    let rows = keys.require("rows", "Write it like limit: { rows: 1000 }.")
      .flatMap { integer($0, "rows") }
    keys.finish()
    return rows
  }
}

extension Action {
  var isMask: Bool {
    switch self {
    case .mask: true
    case .deny, .approve, .limit: false
    }
  }
}

/// The later of two places of one file.
private func max(_ a: Place, _ b: Place) -> Place { (a.line, a.column) < (b.line, b.column) ? b : a }

extension MappingShape {
  static let rule = MappingShape(
    "rule",
    [
      Key("name", .name, "What people read when the rule stops them.", required: true),
      Key("when", .mapping(.matcher), "Which commands the rule meets; without it, all. Lists are OR, keys AND."),
      Key("unless", .mapping(.matcher), "Which of those are exempt from this rule, and from this rule alone."),
      Key("then", .either([.words(["deny"]), .mapping(.then)]), "What happens to them.", required: true),
      Key(
        "mode", .words(Rule.Mode.allCases.map(\.rawValue)),
        "shadow: decided and recorded, not enforced. Default: enforce."),
      Key(
        "typed", .words(["alert", "end"]),
        "What becomes of a shell in which such a command is seen. Default: alert, in the audit trail."),
      Key("reason", .text, "One sentence for the person who meets the rule."),
    ], planned: ["record"])

  static let then = MappingShape(
    "then",
    [
      Key("approve", .mapping(.approve), "People must agree before the command runs."),
      Key("mask", .mapping(.mask), "Columns whose values do not leave."),
      Key("limit", .mapping(.limit), "How much of a result reaches the client."),
    ], oneOf: ["approve", "mask", "limit"])

  /// More than a result can have before anything else gives in.
  static let mostRows = 1_000_000_000

  static let limit = MappingShape(
    "limit",
    [
      Key(
        "rows", .integer(1...mostRows),
        "So many, and behind them an error that names the rule; the statement is cancelled.", required: true)
    ])
}

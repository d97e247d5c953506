import AccessModel
import PolicyEngine

/// `approve:` of a rule.
extension ConfigurationReader {
  func approval(_ value: YAMLValue) -> Approval? {
    guard var keys = MappingReader(value, "approve", mistakes, .approve) else { return nil }
    let before = mistakes.found.count
    let by = keys.require("by", "Name the groups that may approve, such as by: [dba].")
    let groups = by.flatMap { self.groups($0, "by") }
    let count = keys.take("count").flatMap { integer($0, "count") } ?? 1
    let wait = keys.take("wait").flatMap { duration($0, "wait") }
    let expires = keys.take("expires")
    let validFor = keys.take("valid_for")
    let scope = keys.take("scope").flatMap { value in
      word(value, "scope", among: ApprovalScope.allCases.map { ($0.rawValue, $0) })
    }
    let reason = keys.take("reason").flatMap { word($0, "reason", among: [("required", true), ("optional", false)]) }
    keys.finish()
    let approval = Approval(
      by: groups ?? [], count: count, wait: wait,
      expires: expires.flatMap { lifetime($0, "expires", atLeast: wait) },
      validFor: validFor.flatMap { lifetime($0, "valid_for", atLeast: nil) }, scope: scope ?? .statement,
      needsReason: reason ?? false)
    guard let by, let groups, mistakes.found.count == before else { return nil }
    references.approvals.append(Located(value: (groups, approval.count), place: by.place))
    return approval
  }

  /// A duration that is not zero, and not shorter than the wait.
  private func lifetime(_ value: YAMLValue, _ what: String, atLeast wait: Duration?) -> Duration? {
    guard let duration = duration(value, what) else { return nil }
    guard duration > .zero else {
      return refuse(
        value.place, "\(what) is 0, so that no approval could ever be used", "Leave it out, or say how long.")
    }
    if let wait, duration < wait {
      return refuse(
        value.place, "expires is shorter than wait, so that a session would wait for a request that has ended",
        "Make expires at least as long as wait.")
    }
    return duration
  }
}

extension MappingShape {
  static let approve = MappingShape(
    "approve",
    [
      Key("by", .oneOrMore(.text), "Groups whose members may approve.", required: true),
      Key("count", .integer(1...100), "How many distinct people, never the requester. Default: 1."),
      Key("wait", .duration, "How long the session waits; 0 refuses at once, and the request lives on. Default: 60s."),
      Key(
        "expires", .duration,
        "When the request dies, also with nobody waiting. Default: as long as the session waits; 30m for wait: 0."),
      Key("valid_for", .duration, "How long an approval may be used that no session waits for. Default: 10m."),
      Key(
        "scope", .words(ApprovalScope.allCases.map(\.rawValue)),
        "What one approval covers: the statement, or what the same rules hold in the transaction or session. "
          + "Default: statement."),
      Key("reason", .words(["required", "optional"]), "Whether the person has to say why. Default: optional."),
    ])
}

import AccessModel
import PolicyEngine

/// Names that stand for something in another part of the configuration, with where they were written.
struct References {
  var groups: [Located<String>] = []
  var users: [Located<String>] = []
  /// Names or patterns.
  var connections: [Located<String>] = []
  var labels: [Located<(key: String, value: String)>] = []
  var owners: [Located<(owner: String, service: String)>] = []
  var approvals: [Located<(groups: [String], count: Int)>] = []
  /// What rules detect, by the rule's name.
  var detectors: [(rule: String, names: [Located<String>])] = []
}

extension ConfigurationReader {
  /// Reports names that lead nowhere. What may be missing only because of another mistake is not reported.
  func checkReferences() {
    if !hasUnreadUsers {
      checkGroups()
      checkUsers()
      checkApprovals()
    }
    if !hasUnreadConnections {
      checkConnections()
      checkLabels()
    }
  }

  private func checkGroups() {
    let known = Set(users.values.flatMap(\.value.groups))
    for group in references.groups where !known.contains(group.value) {
      mistakes.add(
        group.place, "no user is in group \"\(group.value.prefix(80))\"",
        Suggestion.forName(group.value, among: known, called: "groups")
          ?? "Groups are what users name in their own groups.")
    }
  }

  private func checkUsers() {
    for user in references.users where users[user.value] == nil {
      mistakes.add(
        user.place, "there is no user \"\(user.value.prefix(80))\"",
        Suggestion.forName(user.value, among: users.keys, called: "users"))
    }
    for reference in references.owners {
      let (owner, service) = reference.value
      guard users[service]?.value.kind == .service else {
        mistakes.add(
          reference.place, "\"\(service)\" is a person and has no owner", "Add kind: service, or remove owner.")
        continue
      }
      let people = users.values.filter { $0.value.kind == .person }.map(\.value.name)
      guard !people.contains(owner) else { continue }
      mistakes.add(
        reference.place,
        users[owner] == nil
          ? "there is no user \"\(owner.prefix(80))\"" : "owner \"\(owner)\" is a service, not a person",
        Suggestion.forName(owner, among: people, called: "people"))
    }
  }

  /// An approval that too few people could ever give is a refusal in disguise.
  private func checkApprovals() {
    let approvers = roles[.approver]?.value
    // A group that is misspelled among the approvers is reported as that.
    let known = Set(users.values.flatMap(\.value.groups))
    let knowsApprovers = approvers?.allSatisfy(known.contains) ?? true
    for reference in references.approvals {
      let (groups, count) = reference.value
      let members = users.values.filter { user in
        user.value.kind == .person && user.value.groups.contains(where: groups.contains)
      }
      let people = members.filter { member in
        (knowsApprovers ? approvers : nil).map { member.value.groups.contains(where: $0.contains) } ?? true
      }
      if people.isEmpty, !members.isEmpty, knowsApprovers {
        mistakes.add(
          reference.place, "nobody of \(groups.joined(separator: ", ")) has the role approver",
          "Add the group to roles: { approver: […] }.")
      }
      guard !people.isEmpty, people.count < count else { continue }
      mistakes.add(
        reference.place, "this asks \(count) people to approve, and only \(people.count) may",
        "Lower count, or name more groups in by.")
    }
  }

  private func checkConnections() {
    for reference in references.connections {
      let glob = NameGlob(reference.value)
      guard !connections.keys.contains(where: glob.matches) else { continue }
      let message = glob.isExact ? "there is no connection" : "no connection matches"
      mistakes.add(
        reference.place, "\(message) \"\(reference.value.prefix(80))\"",
        Suggestion.forName(reference.value, among: connections.keys, called: "connections"))
    }
  }

  private func checkLabels() {
    let all = connections.values.map(\.value.labels)
    for reference in references.labels {
      let (key, value) = reference.value
      let values = all.compactMap { $0[key] }
      if values.isEmpty {
        mistakes.add(
          reference.place, "no connection has a label \"\(key.prefix(80))\"",
          Suggestion.forName(key, among: all.flatMap(\.keys), called: "labels"))
      } else if !values.contains(value) {
        mistakes.add(
          reference.place, "no connection has the label \(key.prefix(80)): \(value.prefix(80))",
          Suggestion.forName(value, among: values, called: "values"))
      }
    }
  }
}

// MARK: - Masks that contradict each other

extension ConfigurationReader {
  /// Two different `partial` masks for one column of one person: which ends are kept is then nobody's intention
  /// (DECISIONS 11). Compared by the pattern's text; people and places by who is configured.
  func checkConflictingMasks() {
    guard !hasUnreadUsers, !hasUnreadConnections else { return }
    for (index, later) in rules.enumerated() {
      for earlier in rules[..<index] where overlap(earlier.value, later.value) {
        guard let pattern = ConfigurationReader.conflict(earlier.value, later.value) else { continue }
        mistakes.add(
          later.place,
          "rules \"\(earlier.value.name)\" and \"\(later.value.name)\" mask \(pattern) with two different partial "
            + "masks",
          "Give both the same partial mask, or keep their people or connections apart.")
      }
    }
  }

  private static func conflict(_ a: Rule, _ b: Rule) -> NamePattern? {
    guard case .mask(let first) = a.action, case .mask(let second) = b.action, first.mask != second.mask,
      case .partial = first.mask, case .partial = second.mask
    else { return nil }
    return first.columns.first { second.columns.contains($0) }
  }

  /// True when some user on some connection may meet both.
  private func overlap(_ a: Rule, _ b: Rule) -> Bool {
    users.values.contains { user in
      connections.values.contains { connection in
        let subject = Subject(
          user: user.value.name, groups: user.value.groups, connection: connection.value.name,
          labels: connection.value.labels, protocolName: connection.value.protocolName)
        return a.concerns(subject) && b.concerns(subject)
      }
    }
  }
}

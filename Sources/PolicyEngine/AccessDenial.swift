import AccessModel

extension ScopedPolicy {
  /// Why the person may not have a session of replication here; nil when they may. What it sends is every change as it is
  /// stored, which no mask can be applied to.
  public var replicationDenial: Denial? {
    let place = "connection \"\(subject.connection)\""
    guard mayReplicate else {
      return Denial(
        rule: "access", reason: "access to \(place) does not name replication",
        hint: "Access to everything does not cover it: it takes allow: { postgres: [read, replicate] }.")
    }
    guard let rule = masks.first(where: { !$0.isShadow })?.name ?? contents?.masks.first?.rule else { return nil }
    return Denial(
      rule: rule, reason: "replication sends values as they are stored, and masks apply to you on \(place)",
      hint: "Ask somebody to whom no mask applies there.")
  }

  /// Why access does not cover a command, and whom to ask.
  func accessDenial(_ command: Command) -> Denial {
    let place = "connection \"\(subject.connection)\""
    guard let granted else {
      return Denial(
        rule: "access", reason: "\"\(subject.user)\" has no access to \(place)",
        hint: "Ask an administrator of the gateway for access to \(place).")
    }
    let held = granted.isEmpty ? "nothing" : granted.names.joined(separator: ", ")
    if case .ssh(let detail) = command.detail, detail.request == .shell {
      return Denial(
        rule: "access", reason: "a shell may do anything, and access to \(place) covers only \(held)",
        hint: "Give the command with it: ssh … COMMAND. Only access to everything covers a shell.")
    }
    if command.effects.isUnknown {
      return Denial(
        rule: "access", reason: "what this may do could not be worked out, and access to \(place) covers only \(held)",
        hint: "Only access to everything (allow: all) on \(place) covers it.")
    }
    let missing = command.effects.subtracting(granted).names.joined(separator: ", ")
    return Denial(
      rule: "access", reason: "this needs \(missing) on \(place), and access covers only \(held)",
      hint: "Ask an administrator of the gateway for \(missing) access to \(place).")
  }
}

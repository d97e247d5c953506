import AccessModel

extension ScopedPolicy {
  /// Why access does not cover a command, and whom to ask.
  func accessDenial(_ command: Command) -> Denial {
    let place = "connection \"\(subject.connection)\""
    guard let granted else {
      return Denial(
        rule: "access", reason: "\"\(subject.user)\" has no access to \(place)",
        hint: "Ask an administrator of the gateway for access to \(place).")
    }
    let held = granted.isEmpty ? "nothing" : granted.names.joined(separator: ", ")
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

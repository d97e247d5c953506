import AccessModel

/// The part of a matcher that is looked at for every command: what it does, and when.
///
/// `mayMatch` serves `when`: it holds if the command *may* do what is described, so that what is not understood is
/// caught. `mustCover` serves `unless`: it holds only if *all* that the command may do is described (DESIGN §2).
struct CommandMatcher: Sendable, Hashable {
  var effects: EffectSelector?
  var sql: SQLMatcher?
  var ssh: SSHMatcher?
  var resources: [ResourcePattern]?
  var text: [TextPattern]?
  var hours: [Hours]?

  var isEmpty: Bool { hours == nil && !asksWhatItDoes }
  /// Whether anything but the time is asked, so that it may match for want of understanding.
  var asksWhatItDoes: Bool { effects != nil || sql != nil || ssh != nil || resources != nil || text != nil }

  func mayMatch(_ command: Command, at clock: LocalClock = { _ in nil }) -> Bool {
    if let effects, !effects.mayMatch(command.effects) { return false }
    if let hours, !hours.contains(where: { hours in clock(hours.zone).map(hours.contains) ?? true }) { return false }
    guard isAbout(command.detail) else { return false }
    if case .ssh(let detail) = command.detail, let ssh, !ssh.isAbout(detail.request) { return false }
    if command.couldBeAnything { return !CommandMatcher.isNothing(resources) && !CommandMatcher.isNothing(text) }
    if let text, !text.contains(where: { $0.mayMatch(command.text) }) { return false }
    if let resources, !mayTouch(resources, command) { return false }
    switch command.detail {
    case .sql(let detail): return sql?.mayMatch(command, detail, effects) ?? true
    case .ssh(let detail): return ssh?.mayMatch(detail) ?? true
    }
  }

  func mustCover(_ command: Command, at clock: LocalClock = { _ in nil }) -> Bool {
    if let effects, !effects.mustCover(command.effects) { return false }
    if let hours, !hours.contains(where: { hours in clock(hours.zone).map(hours.contains) ?? false }) { return false }
    guard sql != nil || ssh != nil || resources != nil || text != nil else { return true }
    guard isAbout(command.detail) else { return false }
    if case .ssh(let detail) = command.detail, let ssh {
      guard ssh.isAbout(detail.request) else { return false }
      if text == nil, resources == nil, ssh.covers(detail.request) { return true }
    }
    if command.couldBeAnything { return false }
    if let text, !text.contains(where: { $0.mustMatch(command.text) }) { return false }
    if let resources, !mustTouch(resources, command) { return false }
    switch command.detail {
    case .sql(let detail): return sql?.mustCover(command, detail) ?? true
    case .ssh(let detail): return ssh?.mustCover(detail) ?? true
    }
  }

  /// A key of one protocol speaks of that protocol's commands only, however little is known of others.
  private func isAbout(_ detail: Detail) -> Bool {
    switch detail {
    case .sql: ssh == nil
    case .ssh: sql == nil
    }
  }

  /// A "one of" of nothing, which never holds.
  private static func isNothing(_ list: [some Any]?) -> Bool { list?.isEmpty ?? false }

  private func mayTouch(_ resources: [ResourcePattern], _ command: Command) -> Bool {
    // An effect that belongs to no resource in particular may be meant for each of them.
    let unattributed = command.effects.subtracting(command.footprint.attributed)
    return command.footprint.accesses.contains { access in
      if let effects, !effects.mayMatch(access.effects.union(unattributed)) { return false }
      return resources.contains { $0.mayMatch(access.resource) }
    }
  }

  private func mustTouch(_ resources: [ResourcePattern], _ command: Command) -> Bool {
    let accesses = command.footprint.accesses
    return !accesses.isEmpty && SQLMatcher.ownsAllEffects(command.effects, command.footprint)
      && accesses.allSatisfy { access in resources.contains { $0.mustMatch(access.resource) } }
  }
}

extension Command {
  /// True when nothing can be said of it, so that every description fits and no exemption does.
  var couldBeAnything: Bool { facts.shape.summary.couldBeAnything }
}

extension Footprint {
  /// The accesses; none for `.everything`, which is asked for first.
  var accesses: [ResourceAccess] {
    switch self {
    case .everything: []
    case .resources(let accesses): accesses
    }
  }

  /// All effects that belong to some resource.
  var attributed: Effects {
    var all: Effects = []
    for access in accesses { all.formUnion(access.effects) }
    return all
  }
}

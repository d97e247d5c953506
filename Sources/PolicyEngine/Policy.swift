import AccessModel

/// A policy document ready for decisions, with the hash that every decision is recorded under.
///
/// Whoever decides more than once for a person keeps the `ScopedPolicy` of their session.
public struct Policy: Sendable {
  public let document: PolicyDocument
  /// Of the source, lower-case hex, computed by whoever read it.
  public let hash: String
  let clock: LocalClock

  /// - Parameter clock: what rules about hours ask; by default nobody knows the time.
  public init(_ document: PolicyDocument, hash: String, clock: @escaping LocalClock = { _ in nil }) {
    self.document = document
    self.hash = hash
    self.clock = clock
  }

  /// The part of the policy that can concern this person on this connection.
  public func scoped(to subject: Subject) -> ScopedPolicy {
    var restrictions: [Restriction] = []
    var masks: [ScopedMask] = []
    var contents: [ContentMask] = []
    var shadowContents: [ContentMask] = []
    for rule in document.rules {
      guard let exemption = rule.exemption(for: subject) else { continue }
      switch rule.action {
      case .deny, .approve, .limit: restrictions.append(Restriction(rule, unless: exemption))
      case .mask(let mask):
        if !mask.columns.isEmpty { masks.append(ScopedMask(rule, mask)) }
        guard let detectors = mask.detectors else { continue }
        let content = ContentMask(rule: rule.name, detectors: detectors, mask: mask.mask)
        switch rule.mode {
        case .enforce: contents.append(content)
        case .shadow: shadowContents.append(content)
        }
      }
    }
    return ScopedPolicy(
      subject: subject, hash: hash, granted: document.granted(to: subject),
      mayReplicate: document.grants.contains { $0.replicates && $0.effects(for: subject) != nil },
      restrictions: restrictions, masks: masks, contents: ContentMasks(contents),
      shadowContents: ContentMasks(shadowContents), clock: clock)
  }

  /// What is to become of one command. Total: it answers for every command, and never waits.
  public func decide(_ command: Command, by subject: Subject) -> Decision {
    scoped(to: subject).decide(command)
  }

  /// What to do with each column of one result; see `ScopedPolicy.maskPlan`.
  public func maskPlan(
    for columns: [ResultColumn], touching footprint: Footprint = .everything, by subject: Subject
  ) -> MaskPlan {
    scoped(to: subject).maskPlan(for: columns, touching: footprint)
  }

  /// False when no mask can apply to this person on this connection, so that results need not be looked at.
  public func mayMask(_ subject: Subject) -> Bool { scoped(to: subject).mayMask }
}

extension PolicyDocument {
  /// The union of all grants that concern this person on this connection; nil when there is none at all.
  fileprivate func granted(to subject: Subject) -> Effects? {
    var granted: Effects?
    for grant in grants {
      guard let effects = grant.effects(for: subject) else { continue }
      granted = (granted ?? []).union(effects)
    }
    return granted
  }
}

extension AccessGrant {
  /// nil when the grant does not concern this person, connection and protocol.
  fileprivate func effects(for subject: Subject) -> Effects? {
    // A grant to nobody in particular is a grant to nobody.
    if users == nil, groups == nil { return nil }
    if let users, !users.contains(subject.user) { return nil }
    if let groups, !groups.contains(where: subject.groups.contains) { return nil }
    switch connections {
    case .names(let names): if !names.contains(where: { $0.matches(subject.connection) }) { return nil }
    case .labels(let labels): if labels.isEmpty || !subject.carries(labels) { return nil }
    }
    return allow[subject.protocolName]
  }
}

extension Rule {
  /// False when the rule can meet nothing that this person does on this connection.
  public func concerns(_ subject: Subject) -> Bool { exemption(for: subject) != nil }

  /// nil when the rule cannot meet anything that the person does; else what exempts their commands, perhaps nothing.
  fileprivate func exemption(for subject: Subject) -> Exemption? {
    guard when.mayFit(subject) else { return nil }
    // An `unless` that says nothing excuses nobody.
    guard let unless, !unless.isEmpty, unless.mustFit(subject) else { return .never }
    return unless.command.isEmpty ? nil : .covering(unless.command)
  }
}

/// What still exempts commands of one person from one rule, now that who they are is known.
enum Exemption: Sendable, Hashable {
  case never
  case covering(CommandMatcher)
}

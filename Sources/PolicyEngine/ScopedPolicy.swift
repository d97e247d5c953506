import AccessModel

/// The part of a policy that can concern one person on one connection, made once per session and policy.
///
/// Rules for others are gone from it, so that a command meets only what may apply. A command that is permitted and met
/// by no rule costs no allocation here.
public struct ScopedPolicy: Sendable {
  public let subject: Subject
  /// Hash of the policy that this is a part of.
  public let hash: String
  /// All that the person may do here; nil when no grant concerns them.
  public let granted: Effects?
  /// Whether one of the grants names replication.
  public let mayReplicate: Bool
  let restrictions: [Restriction]
  let masks: [ScopedMask]
  /// What detectors look for in values; nil when no rule says so.
  public let contents: ContentMasks?
  /// What rules in shadow would look for; nil when none would.
  public let shadowContents: ContentMasks?
  /// Whether some rule in shadow asks what commands do.
  public let isShadowed: Bool
  /// One for each restriction.
  private let screens: [Screen]
  private let clock: LocalClock
  /// Whether some rule asks how many rows a command touches.
  public let asksForRows: Bool

  init(
    subject: Subject, hash: String, granted: Effects?, mayReplicate: Bool, restrictions: [Restriction],
    masks: [ScopedMask], contents: ContentMasks? = nil, shadowContents: ContentMasks? = nil,
    clock: @escaping LocalClock
  ) {
    self.subject = subject
    self.hash = hash
    self.granted = granted
    self.mayReplicate = mayReplicate
    self.restrictions = restrictions
    self.masks = masks
    self.contents = contents
    self.shadowContents = shadowContents
    isShadowed = restrictions.contains(where: \.isShadow) || masks.contains(where: \.isShadow)
    self.clock = clock
    screens = restrictions.map { Screen($0.when) }
    asksForRows = restrictions.contains { $0.when.sql?.rowsOver != nil }
  }

  /// False when no grant concerns this person on this connection, whatever the command.
  public var hasAccess: Bool { granted != nil }

  /// Whether some rule may hold a command for approval.
  public var mayHold: Bool {
    restrictions.contains { restriction in
      if case .approval = restriction.demand { return !restriction.isShadow }
      return false
    }
  }

  /// What people have to agree to so that commands with these effects are not held one by one: the rules that name one of
  /// the effects, or where none does, those that name no effect. nil when no rule would hold such a command.
  public func requirement(forEffects effects: Effects) -> ApprovalRequirement? {
    let asking = restrictions.compactMap { restriction -> (selector: EffectSelector?, asks: ApprovalRequirement)? in
      guard case .approval(let approval) = restriction.demand, !restriction.isShadow else { return nil }
      return (restriction.when.effects, approval.requirement(of: restriction.name))
    }
    let named = asking.filter { $0.selector?.mayMatch(effects) ?? false }
    let all = (named.isEmpty ? asking.filter { $0.selector == nil } : named).map(\.asks)
    return all.dropFirst().reduce(all.first) { $0?.joined(with: $1) }
  }

  /// True when the other one would decide and mask everything as this one does, for the same person.
  public func decidesLike(_ other: ScopedPolicy) -> Bool {
    subject == other.subject && granted == other.granted && mayReplicate == other.mayReplicate
      && restrictions == other.restrictions && masks == other.masks && contents == other.contents
      && shadowContents == other.shadowContents
  }

  /// What is to become of one command. Total: it answers for every command, and never waits.
  public func decide(_ command: Command) -> Decision { evaluate(command).decision }

  /// The decision, with the names of all rules that met the command.
  ///
  /// The strongest wins: deny, then hold, then permit; the order of rules does not matter. Two approve rules both ask.
  ///
  /// - Parameter use: what masks say of the command's shape, by this policy; nil to have it found out.
  public func evaluate(_ command: Command, _ use: MaskedUse? = nil) -> Evaluation {
    guard let granted, granted.isSuperset(of: command.effects) else {
      return Evaluation(.deny(accessDenial(command)), rules: [])
    }
    let summary = command.facts.shape.summary
    if !summary.kinds.isDisjoint(with: KindSet(.replicate)), let denial = replicationDenial {
      return Evaluation(.deny(denial), rules: [])
    }
    var met: [String] = []
    var denial: Denial?
    var requirement: ApprovalRequirement?
    var limit: RowLimit?
    for index in screens.indices where screens[index].passes(summary) && restrictions[index].meets(command, at: clock) {
      let restriction = restrictions[index]
      // How many rows a text touches is asked when it is run.
      if asksForRows, command.stage == .prepare, restriction.when.sql?.rowsOver != nil { continue }
      if restriction.isShadow {
        met.append("shadow:" + restriction.name)
        continue
      }
      met.append(restriction.name)
      switch restriction.demand {
      case .refusal: denial = denial ?? restriction.denial(of: command)
      case .approval(let approval): requirement.join(approval, of: restriction.name)
      case .limit(let more): limit = limit.map { $0.rows <= more.rows ? $0 : more } ?? more
      }
    }
    if isShadowed {
      for mask in masks where mask.isShadow && mask.wouldConcern(command.facts.shape) {
        met.append("shadow:" + mask.name)
      }
    }
    // Nobody counts what is refused already.
    let use = denial == nil && mayMask ? use ?? maskedUse(of: command.facts.shape) : nil
    if let hidden = use?.denial {
      denial = hidden
      met.append(hidden.rule)
    }
    if let denial { return Evaluation(.deny(denial), rules: met) }
    if let requirement { return Evaluation(.hold(requirement), rules: met, limit: limit) }
    let obligations = Obligations(rules: met, limit: limit, comparisons: use?.comparisons ?? [])
    return Evaluation(.permit(obligations), rules: met, limit: limit)
  }

  /// Whether the decision on a command hangs on how many rows it touches, and nobody has asked yet (DECISIONS 4).
  public func needsEstimate(of command: Command) -> Bool {
    guard asksForRows, command.stage == .execute, command.estimate == .notAsked, !command.couldBeAnything,
      !command.effects.isEmpty
    else { return false }
    if case .deny = decide(command.withFewRows) { return false }
    return zip(screens, restrictions).contains { screen, restriction in
      restriction.when.sql?.rowsOver != nil && screen.passes(command.facts.shape.summary)
        && restriction.meets(command, at: clock)
    }
  }
}

/// A decision, with the names of all rules that met the command, shadow rules as `shadow:name`.
public struct Evaluation: Hashable, Sendable {
  public var decision: Decision
  /// In the order of the document; empty when access itself was missing, as no rule was asked then.
  public var rules: [String]
  /// The narrowest limit of rows, where the command runs, now or once it is approved.
  public var limit: RowLimit?

  /// Names of the rules in shadow among them.
  public var shadows: [String] {
    rules.filter { $0.hasPrefix("shadow:") }.map { String($0.dropFirst("shadow:".count)) }
  }

  /// A refusal that no rule has to do with.
  public init(_ denial: Denial) { self.init(.deny(denial), rules: []) }

  init(_ decision: Decision, rules: [String], limit: RowLimit? = nil) {
    self.decision = decision
    self.rules = rules
    self.limit = limit
  }
}

extension Command {
  /// The same, were it known to touch no row.
  fileprivate var withFewRows: Command {
    var command = self
    command.estimate = .rows(0)
    return command
  }
}

/// A deny, approve or limit rule that concerns one person.
struct Restriction: Sendable, Hashable {
  enum Demand: Sendable, Hashable {
    case refusal(reason: String?)
    case approval(Approval)
    case limit(RowLimit)
  }
  var name: String
  var when: CommandMatcher
  var unless: Exemption
  var demand: Demand
  var isShadow: Bool

  init(_ rule: Rule, unless: Exemption) {
    name = rule.name
    when = rule.when.command
    self.unless = unless
    isShadow = rule.mode == .shadow
    switch rule.action {
    case .approve(let approval): demand = .approval(approval)
    case .limit(let rows): demand = .limit(RowLimit(rows: max(1, rows), rule: rule.name, reason: rule.reason))
    // A mask rule never becomes a restriction; if it did, refusing would be the safe reading.
    case .deny, .mask: demand = .refusal(reason: rule.reason)
    }
  }

  func meets(_ command: Command, at clock: LocalClock) -> Bool {
    guard when.mayMatch(command, at: clock) else { return false }
    switch unless {
    case .never: return true
    case .covering(let exempt): return !exempt.mustCover(command, at: clock)
    }
  }

  /// Says so when only the lack of understanding made the rule apply (DECISIONS 8).
  func denial(of command: Command) -> Denial {
    let own: String?
    switch demand {
    case .refusal(let reason): own = reason
    case .approval, .limit: own = nil
    }
    let reason = own ?? "the rule \"\(name)\" forbids this"
    guard when.asksWhatItDoes, command.couldBeAnything else { return Denial(rule: name, reason: reason) }
    return Denial(
      rule: name, reason: "what this does could not be worked out, so it may be what a rule forbids: \(reason)")
  }
}

extension ApprovalRequirement? {
  /// Adds one more clause; of all else the stricter stays.
  fileprivate mutating func join(_ approval: Approval, of rule: String) {
    let more = approval.requirement(of: rule)
    self = self?.joined(with: more) ?? more
  }
}

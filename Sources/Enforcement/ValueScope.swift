import AccessModel
import PolicyEngine

/// What the audit trail may keep of the values bound to a command (DECISIONS 22).
public enum ValueDisclosure: UInt8, Hashable, Sendable {
  /// They are kept, within the trail's bounds.
  case kept
  /// They may belong to a column that is masked for the person, so only how many there are is kept.
  case masked
  /// Nobody asked for them: how many there are, and no more.
  case omitted
}

/// What of the bound values of one session's commands may be recorded. Confined to one event loop.
///
/// Without a mask for the person the answer costs a look at one number; under masks it is remembered for each text.
public final class ValueScope {
  /// What a footprint may reach of masked columns, as far as somebody knows; `.everything` when nobody does.
  public typealias Reach = (Footprint, ScopedPolicy) -> Footprint
  /// The same facts with another text, in which values are hidden; or these, where there is nothing to hide.
  public typealias Concealment = (CommandFacts) -> CommandFacts

  private struct Slot {
    /// Held, so that its identity is not that of something else meanwhile.
    var facts: CommandFacts?
    var version: UInt64 = 0
    var disclosure = ValueDisclosure.masked
    /// What is recorded in their stead.
    var stored: CommandFacts?
  }
  private let isRecorded: Bool
  private let version: () -> UInt64?
  private let reach: Reach
  private let conceal: Concealment
  /// nil where no mask can apply.
  @exclusivity(unchecked) private var policy: ScopedPolicy?
  @exclusivity(unchecked) private var slots: [Slot] = []
  private static let bits = 4

  /// - Parameters:
  ///   - isRecorded: whether values are recorded at all.
  ///   - version: names the state of things in which `reach` answers; nil while it cannot answer.
  ///   - conceal: hides the values in a text that may name masked ones.
  public init(
    isRecorded: Bool = true, version: @escaping () -> UInt64? = { 0 },
    reach: @escaping Reach = { footprint, _ in footprint }, conceal: @escaping Concealment = { $0 }
  ) {
    self.conceal = conceal
    self.isRecorded = isRecorded
    self.version = version
    self.reach = reach
  }

  /// The policy of the next command.
  func adopt(_ policy: ScopedPolicy) {
    self.policy = policy.mayMask ? policy : nil
    slots.removeAll()
  }

  @inline(__always)
  func disclosure(of command: Command) -> ValueDisclosure {
    guard isRecorded, command.parameters.count > 0 else { return .omitted }
    guard policy != nil else { return .kept }
    return disclosure(under: command.facts)
  }

  /// Whether texts may have to be changed before they are stored.
  @inline(__always) var hidesValues: Bool { policy != nil }

  /// The command as it may be stored: without constants that may be values of masked columns.
  func storable(_ command: Command) -> Command {
    guard policy != nil else { return command }
    var command = command
    command.facts = stored(command.facts)
    return command
  }

  private func stored(_ facts: CommandFacts) -> CommandFacts {
    guard let version = version() else {
      // Without a catalogue each table may be one with masked columns whose name fits.
      return policy?.mayNameMasked(facts.shape) { $0 } ?? true ? conceal(facts) : facts
    }
    let index = place(of: facts)
    if index < slots.count, slots[index].facts === facts, slots[index].version == version {
      return slots[index].stored ?? facts
    }
    _ = find(facts, version, index)
    return slots[index].stored ?? facts
  }

  private func place(of facts: CommandFacts) -> Int {
    let hash = UInt64(UInt(bitPattern: ObjectIdentifier(facts))) &* 0x9E37_79B9_7F4A_7C15
    return Int(hash >> (64 - UInt64(ValueScope.bits)))
  }

  private func disclosure(under facts: CommandFacts) -> ValueDisclosure {
    guard let version = version() else { return .masked }
    let index = place(of: facts)
    // Without a look at the policy, which costs more than all else here.
    if index < slots.count, slots[index].facts === facts, slots[index].version == version {
      return slots[index].disclosure
    }
    return find(facts, version, index)
  }

  @inline(never)
  private func find(_ facts: CommandFacts, _ version: UInt64, _ index: Int) -> ValueDisclosure {
    guard let policy else { return .masked }
    if slots.isEmpty { slots = [Slot](repeating: Slot(), count: 1 << ValueScope.bits) }
    let isOpen = !policy.mayReachMasked(reach(facts.shape.footprint, policy))
    let disclosure = isOpen ? ValueDisclosure.kept : .masked
    let names = !isOpen && policy.mayNameMasked(facts.shape) { reach($0, policy) }
    let stored = names ? conceal(facts) : facts
    slots[index] = Slot(
      facts: facts, version: version, disclosure: disclosure, stored: stored === facts ? nil : stored)
    return disclosure
  }
}

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

  private struct Slot {
    /// Held, so that its identity is not that of something else meanwhile.
    var facts: CommandFacts?
    var version: UInt64 = 0
    var disclosure = ValueDisclosure.masked
  }
  private let isRecorded: Bool
  private let version: () -> UInt64?
  private let reach: Reach
  /// nil where no mask can apply.
  @exclusivity(unchecked) private var policy: ScopedPolicy?
  @exclusivity(unchecked) private var slots: [Slot] = []
  private static let bits = 4

  /// - Parameters:
  ///   - isRecorded: whether values are recorded at all.
  ///   - version: names the state of things in which `reach` answers; nil while it cannot answer.
  public init(
    isRecorded: Bool = true, version: @escaping () -> UInt64? = { 0 },
    reach: @escaping Reach = { footprint, _ in footprint }
  ) {
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

  private func disclosure(under facts: CommandFacts) -> ValueDisclosure {
    guard let version = version() else { return .masked }
    let hash = UInt64(UInt(bitPattern: ObjectIdentifier(facts))) &* 0x9E37_79B9_7F4A_7C15
    let index = Int(hash >> (64 - UInt64(ValueScope.bits)))
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
    slots[index] = Slot(facts: facts, version: version, disclosure: disclosure)
    return disclosure
  }
}

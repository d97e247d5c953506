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
/// Without a mask for the person the answer costs a look at one number; under masks it is remembered for each shape of
/// commands, which texts that differ in their constants share.
public final class ValueScope {
  /// What a footprint may reach of masked columns, as far as somebody knows; `.everything` when nobody does.
  public typealias Reach = (Footprint, ScopedPolicy) -> Footprint
  /// The same facts with another text, in which values are hidden; or these, where there is nothing to hide.
  public typealias Concealment = (CommandFacts) -> CommandFacts

  /// What holds for all commands of one shape, and the last of them whose text had to be changed.
  private struct Slot {
    /// Held, so that its identity is not that of something else meanwhile.
    var shape: CommandShape?
    var version: UInt64 = 0
    var disclosure = ValueDisclosure.masked
    /// Whether a text of this shape may name masked values.
    var names = true
    var facts: CommandFacts?
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

  /// What may be kept of a command's values, and the command as it may be stored: without constants that may be values
  /// of masked columns.
  @inline(__always)
  func look(at command: Command) -> (values: ValueDisclosure, stored: CommandFacts) {
    let isAsked = isRecorded && command.parameters.count > 0
    guard policy != nil else { return (isAsked ? .kept : .omitted, command.facts) }
    let (values, stored) = lookUnderMasks(command.facts)
    return (isAsked ? values : .omitted, stored)
  }

  private func lookUnderMasks(_ facts: CommandFacts) -> (ValueDisclosure, CommandFacts) {
    guard let version = version() else {
      // Without a catalogue each table may be one with masked columns whose name fits.
      let names = policy?.mayNameMasked(facts.shape) { $0 } ?? true
      return (.masked, names ? conceal(facts) : facts)
    }
    let index = place(of: facts.shape)
    // Without a look at the policy, which costs more than all else here.
    if index >= slots.count || slots[index].shape !== facts.shape || slots[index].version != version {
      findOut(facts.shape, version, index)
    }
    let disclosure = slots[index].disclosure
    guard slots[index].names else { return (disclosure, facts) }
    if slots[index].facts === facts, let stored = slots[index].stored { return (disclosure, stored) }
    let stored = conceal(facts)
    slots[index].facts = facts
    slots[index].stored = stored
    return (disclosure, stored)
  }

  private func place(of shape: CommandShape) -> Int {
    let hash = UInt64(UInt(bitPattern: ObjectIdentifier(shape))) &* 0x9E37_79B9_7F4A_7C15
    return Int(hash >> (64 - UInt64(ValueScope.bits)))
  }

  @inline(never)
  private func findOut(_ shape: CommandShape, _ version: UInt64, _ index: Int) {
    if slots.isEmpty { slots = [Slot](repeating: Slot(), count: 1 << ValueScope.bits) }
    guard let policy else {
      slots[index] = Slot(shape: shape, version: version)
      return
    }
    let isOpen = !policy.mayReachMasked(reach(shape.footprint, policy))
    let names = !isOpen && policy.mayNameMasked(shape) { reach($0, policy) }
    slots[index] = Slot(shape: shape, version: version, disclosure: isOpen ? .kept : .masked, names: names)
  }
}

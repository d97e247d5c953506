import AccessModel
import PolicyEngine

/// What masks say of the shapes of commands that a session has run lately. Confined to one event loop.
///
/// To find it out takes microseconds, a look here some nanoseconds.
final class MaskedUses {
  private struct Slot {
    /// Held, so that its identity is not that of something else meanwhile.
    var shape: CommandShape?
    var use = MaskedUse()
  }
  @exclusivity(unchecked) private var slots: [Slot] = []
  private static let bits = 5

  /// By this policy, which is the same until `removeAll`.
  @inline(__always)
  func find(_ shape: CommandShape, _ policy: ScopedPolicy) -> MaskedUse {
    let hash = UInt64(UInt(bitPattern: ObjectIdentifier(shape))) &* 0x9E37_79B9_7F4A_7C15
    let index = Int(hash >> (64 - UInt64(MaskedUses.bits)))
    if index < slots.count, slots[index].shape === shape { return slots[index].use }
    return findOut(shape, policy, index)
  }

  @inline(never)
  private func findOut(_ shape: CommandShape, _ policy: ScopedPolicy, _ index: Int) -> MaskedUse {
    if slots.isEmpty { slots = [Slot](repeating: Slot(), count: 1 << MaskedUses.bits) }
    let use = policy.maskedUse(of: shape)
    slots[index] = Slot(shape: shape, use: use)
    return use
  }

  func removeAll() { slots.removeAll() }
}

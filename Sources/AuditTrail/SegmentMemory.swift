import AccessModel
import Enforcement

/// Which records of the segment at hand hold the text and the shape of commands, so that later ones can name them.
///
/// Bounded: what falls on a slot takes the place of what was there, and is merely written in full once more.
struct SegmentMemory {
  /// What a record can say of a command's facts.
  enum Mention {
    /// All of it.
    case full
    /// The text; the rest is that of another record.
    case like(UInt64)
    /// That of another record, which had a secret taken out or not.
    case same(UInt64, isSecret: Bool)
  }

  private var texts = Slots<CommandFacts>()
  private var shapes = Slots<CommandShape>()

  /// The shortest that a record at `offset` may say.
  @inline(__always)
  func mention(of facts: CommandFacts, policy: String, at offset: Int) -> Mention {
    if let slot = texts.find(facts, policy, at: offset) { return .same(slot.sequence, isSecret: slot.isSecret) }
    if let slot = shapes.find(facts.shape, policy, at: offset) { return .like(slot.sequence) }
    return .full
  }

  /// Takes note of a record that was committed at `offset` and says this.
  @inline(__always)
  mutating func remember(
    _ facts: CommandFacts, isSecret: Bool, policy: String, said: Mention, by sequence: UInt64, at offset: Int,
    payload: Int
  ) {
    switch said {
    case .same: return
    case .like, .full: note(facts, isSecret, policy, said, sequence, offset, payload)
    }
  }

  private mutating func note(
    _ facts: CommandFacts, _ isSecret: Bool, _ policy: String, _ said: Mention, _ sequence: UInt64, _ offset: Int,
    _ payload: Int
  ) {
    // What is remembered is kept in memory, and clients choose it.
    guard payload <= RecordLimits.remembered, facts.text.utf8.count <= RecordLimits.remembered else { return }
    switch facts.shape.detail {
    case .sql(let sql): if sql.statements.count > RecordLimits.rememberedStatements { return }
    }
    texts.put(facts, isSecret, policy, sequence, offset)
    if case .full = said { shapes.put(facts.shape, false, policy, sequence, offset) }
  }

  /// A new segment begins, which can be read by itself.
  mutating func forget() {
    texts.forget()
    shapes.forget()
  }
}

/// A table by identity without chains.
private struct Slots<Key: AnyObject> {
  struct Slot {
    /// Held, so that its identity is not that of something else meanwhile.
    var key: Key?
    var isSecret = false
    var policy = ""
    var sequence: UInt64 = 0
    var offset = 0
  }
  private static var bits: Int { 10 }
  private var slots = [Slot](repeating: Slot(), count: 1 << Slots.bits)

  @inline(__always)
  private func index(_ key: Key) -> Int {
    let hash = UInt64(UInt(bitPattern: ObjectIdentifier(key))) &* 0x9E37_79B9_7F4A_7C15
    return Int(hash >> (64 - UInt64(Slots.bits)))
  }

  @inline(__always)
  func find(_ key: Key, _ policy: String, at offset: Int) -> (sequence: UInt64, isSecret: Bool)? {
    let index = index(key)
    guard slots[index].key === key, offset - slots[index].offset <= SegmentFormat.reach,
      slots[index].policy == policy
    else { return nil }
    return (slots[index].sequence, slots[index].isSecret)
  }

  mutating func put(_ key: Key, _ isSecret: Bool, _ policy: String, _ sequence: UInt64, _ offset: Int) {
    slots[index(key)] = Slot(key: key, isSecret: isSecret, policy: policy, sequence: sequence, offset: offset)
  }

  mutating func forget() {
    for index in slots.indices where slots[index].key != nil { slots[index] = Slot() }
  }
}

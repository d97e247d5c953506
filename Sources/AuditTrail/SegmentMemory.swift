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

  /// What decided, and the place of the last one in it: records name others of the same policy only.
  private var policies = [""]
  private var policy = 0
  private var texts = Slots<CommandFacts>()
  private var shapes = Slots<CommandShape>()

  /// The shortest that a record at `offset` may say.
  @inline(__always)
  mutating func mention(of facts: CommandFacts, policy: String, at offset: Int) -> Mention {
    if policy != policies[self.policy] { meet(policy) }
    if let slot = texts.find(facts, self.policy, at: offset) { return .same(slot.sequence, isSecret: slot.isSecret) }
    if let slot = shapes.find(facts.shape, self.policy, at: offset) { return .like(slot.sequence) }
    return .full
  }

  @inline(never)
  private mutating func meet(_ policy: String) {
    if policies.count >= RecordLimits.rememberedPolicies { forget() }
    if let known = policies.firstIndex(of: policy) {
      self.policy = known
    } else {
      self.policy = policies.count
      policies.append(policy)
    }
  }

  /// Takes note of a record that was committed at `offset` and says this.
  @inline(__always)
  mutating func remember(
    _ facts: CommandFacts, isSecret: Bool, said: Mention, by sequence: UInt64, at offset: Int, payload: Int
  ) {
    switch said {
    case .same: return
    case .like, .full: note(facts, isSecret, said, sequence, offset, payload)
    }
  }

  private mutating func note(
    _ facts: CommandFacts, _ isSecret: Bool, _ said: Mention, _ sequence: UInt64, _ offset: Int, _ payload: Int
  ) {
    // What is remembered is kept in memory, and clients choose it.
    guard payload <= RecordLimits.remembered, facts.text.utf8.count <= RecordLimits.remembered else { return }
    switch facts.shape.detail {
    case .sql(let sql): if sql.statements.count > RecordLimits.rememberedStatements { return }
    case .ssh(let ssh): if ssh.programs.count > RecordLimits.rememberedStatements { return }
    }
    texts.put(facts, isSecret, policy, sequence, offset)
    if case .full = said { shapes.put(facts.shape, false, policy, sequence, offset) }
  }

  /// A new segment begins, which can be read by itself.
  mutating func forget() {
    texts.forget()
    shapes.forget()
    policies = [""]
    policy = 0
  }
}

/// A table by identity without chains.
private struct Slots<Key: AnyObject> {
  struct Slot {
    /// Held, so that its identity is not that of something else meanwhile.
    var key: Key?
    /// The same as a number, which is compared without touching a count of references.
    var identity: UInt = 0
    var isSecret = false
    var policy = 0
    var sequence: UInt64 = 0
    var offset = 0
  }
  private static var bits: Int { 10 }
  private var slots = [Slot](repeating: Slot(), count: 1 << Slots.bits)

  private static func identity(_ key: Key) -> UInt { UInt(bitPattern: ObjectIdentifier(key)) }

  @inline(__always)
  private static func index(_ identity: UInt) -> Int {
    Int((UInt64(identity) &* 0x9E37_79B9_7F4A_7C15) >> (64 - UInt64(bits)))
  }

  @inline(__always)
  func find(_ key: Key, _ policy: Int, at offset: Int) -> (sequence: UInt64, isSecret: Bool)? {
    let identity = Slots.identity(key)
    let index = Slots.index(identity)
    guard slots[index].identity == identity, slots[index].policy == policy,
      offset - slots[index].offset <= SegmentFormat.reach
    else { return nil }
    return (slots[index].sequence, slots[index].isSecret)
  }

  mutating func put(_ key: Key, _ isSecret: Bool, _ policy: Int, _ sequence: UInt64, _ offset: Int) {
    let identity = Slots.identity(key)
    slots[Slots.index(identity)] = Slot(
      key: key, identity: identity, isSecret: isSecret, policy: policy, sequence: sequence, offset: offset)
  }

  mutating func forget() {
    for index in slots.indices where slots[index].key != nil { slots[index] = Slot() }
  }
}

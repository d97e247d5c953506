/// Puts back what records of a segment leave out, so that whoever reads them sees each one whole.
///
/// A `decided` record may say `"same":n` in place of its text and of what that does, or `"like":n` in place of the
/// latter alone: both are then those of record `n` of the same segment, at most `SegmentFormat.reach` bytes before. What
/// has a default is left out too: the action `permit`, the stage `execute`, the ending `completed`, no rows, no bytes.
/// A `BriefRecord` becomes the JSON that it stands for.
struct PayloadExpansion {
  /// The version of segments in which records began to leave things out.
  static let firstVersion: UInt32 = 2

  /// What a record says of a command, as it stands in the JSON from the comma on.
  private struct Facts {
    /// The text, and whether and how it was changed.
    var text: [UInt8]
    /// Effects, footprint, statements and the policy.
    var shape: [UInt8]
    var offset: Int
  }
  private var known: [UInt64: Facts] = [:]
  /// Numbers of the records known, ascending, from `oldest` on.
  private var order: [UInt64] = []
  private var oldest = 0

  /// The whole payload; nil when it names a record that does not hold what it leaves out.
  mutating func expand(_ stored: [UInt8], of sequence: UInt64, at offset: Int) -> [UInt8]? {
    guard stored.first == UInt8(ascii: "{") else { return expandBrief(stored, sequence, offset) }
    guard let zero = stored.firstIndex(of: 0) else { return expandMembers(stored, sequence, offset) }
    return PayloadExpansion.join(expandMembers(Array(stored[..<zero]), sequence, offset), stored[(zero + 1)...])
  }

  /// Puts what is stored of bound values into an object.
  private static func join(_ whole: [UInt8]?, _ stored: ArraySlice<UInt8>) -> [UInt8]? {
    guard let whole, let values = BoundValues.members(stored) else { return nil }
    return whole.dropLast() + values + [UInt8(ascii: "}")]
  }

  private mutating func expandMembers(_ payload: [UInt8], _ sequence: UInt64, _ offset: Int) -> [UInt8]? {
    if payload.starts(with: Member.decided.utf8) { return expandDecision(payload, sequence, offset) }
    return payload.starts(with: Member.finished.utf8) ? PayloadExpansion.outcome(Array(payload.dropLast())) : payload
  }

  private mutating func expandBrief(_ payload: [UInt8], _ sequence: UInt64, _ offset: Int) -> [UInt8]? {
    guard let brief = BriefReader(payload) else { return nil }
    guard let distance = brief.distance else { return PayloadExpansion.outcome(brief.head) }
    forget(before: offset - SegmentFormat.reach)
    guard distance < sequence, let other = known[sequence - distance], other.offset < offset else { return nil }
    var facts = other
    if let text = brief.text {
      facts = Facts(text: text, shape: other.shape, offset: offset)
      remember(facts, sequence)
    }
    let whole = PayloadExpansion.decision(brief.head, facts)
    return brief.values.map { PayloadExpansion.join(whole, $0) } ?? whole
  }

  /// What a `finished` record says, closed, with what goes without saying.
  private static func outcome(_ head: [UInt8]) -> [UInt8] {
    var whole = head
    for (member, value) in [(Member.ending, "\"completed\""), (Member.rows, "0"), (Member.bytes, "0")]
    where head.place(of: member) == nil {
      whole += member.utf8
      whole += value.utf8
    }
    return whole + [UInt8(ascii: "}")]
  }

  /// The same of a `decided` record.
  private static func decision(_ head: [UInt8], _ facts: Facts) -> [UInt8] {
    var whole = head
    for (member, value) in [(Member.action, "\"permit\""), (Member.stage, "\"execute\"")]
    where head.place(of: member) == nil {
      whole += member.utf8
      whole += value.utf8
    }
    return whole + facts.shape + facts.text + [UInt8(ascii: "}")]
  }

  private mutating func expandDecision(_ payload: [UInt8], _ sequence: UInt64, _ offset: Int) -> [UInt8]? {
    forget(before: offset - SegmentFormat.reach)
    var head = Array(payload.dropLast())
    let facts: Facts
    if let (reference, name) = PayloadExpansion.reference(in: payload) {
      guard let other = known[name], other.offset < offset else { return nil }
      head.removeSubrange(reference...)
      switch head.place(of: Member.text) {
      case nil where payload.matches(Member.same, at: reference): facts = other
      case let start? where payload.matches(Member.like, at: reference):
        facts = Facts(text: Array(head[start...]), shape: other.shape, offset: offset)
        head.removeSubrange(start...)
        remember(facts, sequence)
      case _: return nil
      }
    } else {
      guard let start = head.place(of: Member.text), let middle = head.place(of: Member.effects, from: start) else {
        return nil
      }
      facts = Facts(text: Array(head[start..<middle]), shape: Array(head[middle...]), offset: offset)
      head.removeSubrange(start...)
      remember(facts, sequence)
    }
    return PayloadExpansion.decision(head, facts)
  }

  /// The member at the end that names another record, with that record's number.
  private static func reference(in payload: [UInt8]) -> (start: Int, sequence: UInt64)? {
    var digits = payload.count - 1
    while digits > 0, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(payload[digits - 1]) { digits -= 1 }
    guard digits < payload.count - 1,
      let number = UInt64(String(decoding: payload[digits..<payload.count - 1], as: UTF8.self))
    else { return nil }
    for member in [Member.same, Member.like] {
      let start = digits - member.utf8.count
      if start > 0, payload.matches(member, at: start) { return (start, number) }
    }
    return nil
  }

  private mutating func remember(_ facts: Facts, _ sequence: UInt64) {
    known[sequence] = facts
    order.append(sequence)
  }

  private mutating func forget(before offset: Int) {
    while oldest < order.count, let facts = known[order[oldest]], facts.offset < offset {
      known[order[oldest]] = nil
      oldest += 1
    }
    guard oldest > 4096, oldest * 2 > order.count else { return }
    order.removeFirst(oldest)
    oldest = 0
  }
}

/// How members begin. Inside a string each quotation mark is escaped, so that none of them can be part of one.
private enum Member {
  static let decided = "{\"event\":\"decided\""
  static let finished = "{\"event\":\"finished\""
  static let action = ",\"action\":"
  static let stage = ",\"stage\":"
  static let text = ",\"text\":"
  static let effects = ",\"effects\":"
  static let same = ",\"same\":"
  static let like = ",\"like\":"
  static let ending = ",\"ending\":"
  static let rows = ",\"rows\":"
  static let bytes = ",\"bytes\":"
}

extension [UInt8] {
  fileprivate func matches(_ member: String, at start: Int) -> Bool {
    start + member.utf8.count <= count && self[start...].starts(with: member.utf8)
  }

  /// Where a member begins, at or behind `start`.
  fileprivate func place(of member: String, from start: Int = 0) -> Int? {
    var start = start
    while let comma = self[start...].firstIndex(of: UInt8(ascii: ",")) {
      if matches(member, at: comma) { return comma }
      start = comma + 1
    }
    return nil
  }
}

/// Numbers: groups of digits, each parted from the next by one separator.
extension Scanner {
  /// Looks at the word or number around a digit; nil when more of the text is needed.
  mutating func number(at index: Int) -> Int? {
    var start = index
    while start > 0, index - start < 40, text[start - 1].isWord { start -= 1 }
    if let end = endOfUUID(start) { return end }
    if kinds.contains(.macAddress), text[start + 2] == UInt8(ascii: "-"), text[start + 5] == UInt8(ascii: "-"),
      let end = endOfDashedMAC(start)
    {
      return end
    }
    if start < index { return word(from: start, digitAt: index) }
    var number = NumberGroups(scratch, text)
    let next = number.read(from: index)
    guard number.isWorthALook else {
      if number.digits.count <= 2, kinds.contains(.dateOfBirth) { return namedMonth(number, next) ?? next }
      return next
    }
    look(at: number)
    if number.isFollowedByLetter { return text.endOfWord(next) }
    return next
  }

  /// Whether what stands before belongs to the same word: `order-123`, `v1.2`, a path. Decided by two bytes.
  func isGlued(before start: Int) -> Bool {
    let byte = text[start - 1]
    switch byte {
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "\\"),
      UInt8(ascii: "+"), UInt8(ascii: "~"):
      return text[start - 2].isWord || text[start - 2] == UInt8(ascii: "/") || text[start - 2] == UInt8(ascii: ".")
    case UInt8(ascii: "$"), UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "%"): return true
    default: return byte.isWord
    }
  }

  /// Whether what follows belongs to the same word or number.
  func isGlued(behind end: Int) -> Bool {
    let (byte, next) = (text[end], text[end + 1])
    switch byte {
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "@"),
      UInt8(ascii: "+"), UInt8(ascii: "~"), UInt8(ascii: "="):
      return next.isWord
    case UInt8(ascii: ":"): return next.isDigit
    // A decimal comma.
    case UInt8(ascii: ","): return next.isDigit && !text[end + 3].isDigit
    case UInt8(ascii: "%"): return true
    default: return byte.isWord
    }
  }

  /// The end of a UUID that begins there; nil when none does. RFC 9562 §4.
  private func endOfUUID(_ start: Int) -> Int? {
    guard text[start + 8] == UInt8(ascii: "-"), text[start + 13] == UInt8(ascii: "-"),
      text[start + 18] == UInt8(ascii: "-"),
      text[start + 23] == UInt8(ascii: "-")
    else { return nil }
    for offset in 0..<36 where offset != 8 && offset != 13 && offset != 18 && offset != 23 {
      if !text[start + offset].isHex { return nil }
    }
    return text.endOfWord(start + 36)
  }

  private mutating func look(at number: NumberGroups) {
    var first = 0
    while first < number.count {
      let isOpen = first == 0 ? isGlued(before: number.start(0)) : number.separator(first - 1) != UInt8(ascii: " ")
      var best = Candidate(number, first)
      if !isOpen {
        address(number, first, &best)
        date(number, first, &best)
        if !best.isDate {
          grouped(number, first, &best)
          single(number, first, &best)
        }
      }
      if kinds.contains(.phone), !best.isDate { phone(number, first, isOpen, &best) }
      if let kind = best.kind { found(kind, best.range, best.confidence) }
      first = max(best.next, first + 1)
    }
  }

  /// Takes a kind into account, by what speaks for it of itself and what is said around it.
  func consider(_ kind: DetectorKind, _ base: Confidence, _ range: Range<Int>, next: Int, _ best: inout Candidate) {
    guard kinds.contains(kind) else { return }
    let around = best.context(range, in: self)
    var confidence = base
    if around.kinds.contains(kind) {
      confidence = base.raised
    } else if kind == .ipAddress ? around.isVersion : around.isOtherwise {
      if base == .low { return }
      confidence = base.lowered
    }
    let isNamed = around.kinds.contains(kind) ? 1 : 0
    if best.kind != nil,
      (best.confidence.rawValue, best.named, best.range.count) >= (confidence.rawValue, isNamed, range.count)
    {
      return
    }
    best.kind = kind
    best.named = isNamed
    best.confidence = confidence
    best.range = range
    best.next = next
  }
}

/// The best reading so far of a number from one of its groups on.
struct Candidate {
  var kind: DetectorKind?
  var confidence = Confidence.low
  var range = 0..<0
  /// 1 when the words around name the kind: of equal ones that one is meant.
  var named = 0
  /// The group behind it.
  var next: Int
  /// It is a day, and no number.
  var isDate = false
  private var known: (range: Range<Int>, context: Context)?

  init(_ number: NumberGroups, _ first: Int) { next = first + 1 }

  /// Asked of nearly the same range again and again: worked out once for each end.
  mutating func context(_ range: Range<Int>, in scanner: Scanner) -> Context {
    if let known, known.range == range { return known.context }
    let context = scanner.context(range)
    known = (range, context)
    return context
  }
}

/// The groups of one number, in the scanner's scratch.
struct NumberGroups {
  private let scratch: NumberScratch
  private let text: ScannedBytes
  private(set) var count = 0
  private var total = 0
  private(set) var end = 0
  /// A letter follows the last digit.
  private(set) var isFollowedByLetter = false

  init(_ scratch: NumberScratch, _ text: ScannedBytes) {
    self.scratch = scratch
    self.text = text
  }

  var digits: Digits { Digits(base: scratch.digits, count: total) }
  func start(_ group: Int) -> Int { scratch.starts[group] }
  func length(_ group: Int) -> Int { scratch.offsets[group + 1] - scratch.offsets[group] }
  func end(_ group: Int) -> Int { scratch.starts[group] + length(group) }
  func separator(_ group: Int) -> UInt8 { scratch.separators[group] }
  /// Of some groups, as if nothing parted them.
  func digits(_ first: Int, _ last: Int) -> Digits {
    Digits(base: scratch.digits + scratch.offsets[first], count: scratch.offsets[last + 1] - scratch.offsets[first])
  }
  func range(_ first: Int, _ last: Int) -> Range<Int> { start(first)..<end(last) }

  /// Short ones can only be days and addresses.
  var isWorthALook: Bool {
    total >= 7 || count >= 3 || total == 6 && (isFollowedByLetter || text[end] == UInt8(ascii: "+"))
  }

  /// Reads as far as digits and single separators go, within bounds; returns where to go on.
  mutating func read(from start: Int) -> Int {
    var index = start
    while count < NumberScratch.maxGroups {
      scratch.starts[count] = index
      scratch.offsets[count] = total
      while text[index].isDigit, total < NumberScratch.maxDigits {
        scratch.digits[total] = text[index] &- 0x30
        total += 1
        index += 1
      }
      scratch.offsets[count + 1] = total
      count += 1
      end = index
      if text[index].isDigit {
        // Too long for anything: its beginning is nothing either.
        total = 0
        count = 0
        return text.endOfWord(index)
      }
      guard let next = behindSeparator(index) else { break }
      index = next
    }
    isFollowedByLetter = text[end].isLetter
    return end
  }

  /// Where the next group begins; nil when none does.
  private func behindSeparator(_ index: Int) -> Int? {
    let byte = text[index]
    let next = text[index + 1]
    switch byte {
    case UInt8(ascii: " ") where next == UInt8(ascii: "(") && text[index + 2].isDigit,
      UInt8(ascii: ")") where (next == UInt8(ascii: " ") || next == UInt8(ascii: "-")) && text[index + 2].isDigit:
      scratch.separators[count - 1] = UInt8(ascii: "(")
      return index + 2
    case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "("),
      UInt8(ascii: ")"):
      guard next.isDigit else { return nil }
      scratch.separators[count - 1] = byte
      return index + 1
    default: return nil
    }
  }

  /// Whether groups from there have these lengths and one of these separators between them.
  func has(_ lengths: [Int], from first: Int, _ separators: String) -> Bool {
    guard first + lengths.count <= count else { return false }
    for (offset, length) in lengths.enumerated() {
      if self.length(first + offset) != length { return false }
      if offset > 0, !separators.utf8.contains(separator(first + offset - 1)) { return false }
    }
    return true
  }
}

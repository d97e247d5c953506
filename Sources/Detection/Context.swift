/// What the words around a place say it is.
public struct Context: Hashable, Sendable {
  /// Kinds that a word speaks of.
  var kinds: DetectorKinds = []
  /// The word right before says that it is something else.
  var isOtherwise = false
  /// And that this is a version.
  var isVersion = false

  public static let none = Context()

  /// Of the name of a column or of a key: `phone_number`, `customerSSN`.
  public init(label: String) {
    var text = label
    self = text.withUTF8 { bytes in
      guard let base = bytes.baseAddress else { return .none }
      let text = ScannedBytes(base: base, count: min(bytes.count, Context.labelLimit))
      var context = Context()
      var end = text.count
      while let word = Word(endingAt: end, in: text, from: 0) {
        context.kinds.formUnion(word.kinds)
        if word.isOtherwise { context.isOtherwise = true }
        if word.isVersion { context.isVersion = true }
        end = word.start
      }
      if !context.kinds.isEmpty { context.isOtherwise = false }
      return context
    }
  }

  init() {}

  private static let labelLimit = 63
  /// How far is looked before and behind a place.
  private static let before = 56
  private static let behind = 20

  /// Of a place in a text, joined with what is known of all of it.
  init(around range: Range<Int>, in text: ScannedBytes, label: Context) {
    self = label
    lookBefore(range.lowerBound, text)
    lookBehind(range.upperBound, text)
  }

  private mutating func lookBefore(_ start: Int, _ text: ScannedBytes) {
    let from = max(0, start - Context.before)
    var end = start
    // 0: nothing but fillers so far; 1: the word before something else's; 2: any other.
    var stage = 0
    while let limit = Context.endOfWord(before: end, from: from, text, isFirst: end == start),
      let word = Word(endingAt: limit, in: text, from: from)
    {
      if word.isOtherwise, stage == 0 {
        isOtherwise = true
        isVersion = word.isVersion
        stage = 1
      } else if !word.kinds.isEmpty {
        if stage <= 1 { isOtherwise = false }
        kinds.formUnion(word.kinds)
        stage = 2
      } else if stage == 1 || !word.isFiller {
        stage = 2
      }
      end = word.start
    }
  }

  /// Whether a word of a table stands near, before or behind.
  static func mentions(_ table: WordTable, around range: Range<Int>, in text: ScannedBytes) -> Bool {
    let from = max(0, range.lowerBound - before)
    var end = range.lowerBound
    while let limit = endOfWord(before: end, from: from, text, isFirst: end == range.lowerBound),
      let word = Word(endingAt: limit, in: text, from: from)
    {
      if table.kinds(word.hash) != nil { return true }
      end = word.start
    }
    end = range.upperBound
    while end - range.upperBound < behind {
      var stop = end
      while stop - end < 32, text[stop].isLetter || text[stop] >= 0x80 { stop += 1 }
      if stop > end, let word = Word(endingAt: stop, in: text, from: end), table.kinds(word.hash) != nil { return true }
      if stop == end, text[end] == 0 || text[end] == 0x0A || text[end] == 0x09 { return false }
      end = max(stop, end + 1)
    }
    return false
  }

  private mutating func lookBehind(_ start: Int, _ text: ScannedBytes) {
    var end = start
    while end - start < Context.behind {
      let byte = text[end]
      if byte.isLetter || byte >= 0x80 {
        var stop = end
        while stop - end < 32, text[stop].isLetter || text[stop] >= 0x80 { stop += 1 }
        if let word = Word(endingAt: stop, in: text, from: end) { kinds.formUnion(word.kinds) }
        end = stop
        continue
      }
      // Words in parentheses, or behind a blank.
      guard byte == UInt8(ascii: " ") || byte == UInt8(ascii: "(") || byte == UInt8(ascii: "-") else { return }
      end += 1
    }
  }

  /// Where the word before a place ends; nil when there is none near, or when what stands between parts them: another
  /// value, another field, another line.
  private static func endOfWord(before place: Int, from: Int, _ text: ScannedBytes, isFirst: Bool) -> Int? {
    var end = place
    var digits = 0
    while end > from {
      let byte = text[end - 1]
      if byte.isLetter || byte >= 0x80 { return end }
      switch byte {
      case UInt8(ascii: "|"), UInt8(ascii: ";"):
        // `name;value` alone, as `name=value`.
        guard isFirst, end == place, text[end - 2].isLetter || text[end - 2] >= 0x80 else { return nil }
      case 0x09, UInt8(ascii: "{"), UInt8(ascii: "}"): return nil
      // A label may stand on the line above.
      case 0x0A where !isFirst: return nil
      case UInt8(ascii: ",") where isQuote(text, end) || text[end &- 2] == UInt8(ascii: "\""): return nil
      default: break
      }
      digits = byte.isDigit ? digits + 1 : 0
      if digits >= 5 { return nil }
      end -= 1
    }
    return nil
  }

  /// Whether a quote stands there, or behind a blank.
  private static func isQuote(_ text: ScannedBytes, _ index: Int) -> Bool {
    text[index] == UInt8(ascii: "\"") || text[index] == UInt8(ascii: " ") && text[index &+ 1] == UInt8(ascii: "\"")
  }
}

/// A word, found from its end.
private struct Word {
  var start: Int
  var end: Int
  var kinds: DetectorKinds = []
  var isOtherwise = false
  var isVersion = false
  var isFiller = false
  /// Of the word in lower case.
  var hash = WordTable.basis

  /// The last one before `limit`; nil when there is none from `from` on.
  init?(endingAt limit: Int, in text: ScannedBytes, from: Int) {
    end = limit
    while end > from, !Word.isLetter(text[end - 1]) { end -= 1 }
    guard end > from else { return nil }
    start = end
    while start > from, Word.isLetter(text[start - 1]) {
      start -= 1
      // customerSSN, phoneNumber: two words each.
      if text[start].isUpper, start > from, !text[start - 1].isUpper, Word.isLetter(text[start - 1]) { break }
    }
    // A word cut off by the bound is not known whole.
    if start == from, start > 0, Word.isLetter(text[start - 1]) { return nil }
    for index in start..<end {
      hash = WordTable.step(hash, text[index].lowered)
      let length = index - start + 1
      if length >= 5, length <= 10, let stem = WordTable.stems.kinds(hash) { kinds.formUnion(stem) }
    }
    if let exact = WordTable.words.kinds(hash) { kinds.formUnion(exact) }
    if kinds.isEmpty {
      let otherwise = WordTable.otherwise.kinds(hash)
      isOtherwise = otherwise != nil
      isVersion = otherwise?.contains(.ipAddress) ?? false
      isFiller = !isOtherwise && WordTable.fillers.kinds(hash) != nil
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool { byte.isLetter || byte >= 0x80 }
}

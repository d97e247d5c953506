import AccessModel

/// Takes passwords out of the text of a command before it is stored, whatever the rules say (DECISIONS 25).
///
/// It does not try to find the password: where the text speaks of one (`password` in any case and however its letters are
/// escaped, which covers roles, servers, subscriptions and connection strings; the options of a user mapping, whatever
/// their names) or holds a URL with a user or a key in it, every string literal goes, and every comment that speaks of
/// one. Too much is lost rather than too little.
public enum PasswordRedaction {
  /// The text without its literals, or nil when there is nothing to hide.
  public static func redact(_ text: String) -> String? {
    var text = text
    guard text.withUTF8({ mayMentionSecret(UnsafeRawBufferPointer($0)) && mentionsSecret($0) }) else { return nil }
    var scanner = LiteralScanner(Array(text.utf8))
    return scanner.redacted()
  }

  /// What a shell reads, or nil when there is nothing to hide: passwords stand there in words without quotes, so that
  /// only the names of the programs stay.
  static func redact(shell text: String, _ detail: SSHDetail) -> String? {
    var text = text
    guard text.withUTF8({ mentionsSecret($0) }) else { return nil }
    return (detail.programs.map(\.name) + ["…"]).joined(separator: " ")
  }

  /// False for most texts that mention none, which takes an instruction or two for each byte: they have no `p` that
  /// `as` follows, or that belongs to `mapping` or `uescape`, no `@`, no backslash and no `://`.
  static func mayMentionSecret(_ text: UnsafeRawBufferPointer) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var at = 0
    while at + 8 <= text.count {
      let word = text.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      // A byte of either is zero where the letter stands (Anderson, Bit Twiddling Hacks: a zero byte).
      let letter = (word | ones &* 0x20) ^ ones &* 0x70
      let sign = word ^ ones &* 0x40
      let slash = word ^ ones &* 0x5C
      let colon = word ^ ones &* 0x3A
      let found =
        ((letter &- ones) & ~letter | (sign &- ones) & ~sign | (slash &- ones) & ~slash | (colon &- ones) & ~colon)
        & (ones &* 0x80)
      if found != 0, (at..<(at + 8)).contains(where: { mayBegin(text, $0) }) { return true }
      at += 8
    }
    return (at..<text.count).contains { mayBegin(text, $0) }
  }

  private static func mayBegin(_ text: UnsafeRawBufferPointer, _ index: Int) -> Bool {
    func letter(_ offset: Int) -> UInt8 {
      text.indices.contains(index + offset) ? text[index + offset] | 0x20 : 0
    }
    switch text[index] {
    case UInt8(ascii: "@"), UInt8(ascii: "\\"): return true
    case UInt8(ascii: ":"): return letter(1) == UInt8(ascii: "/") && letter(2) == UInt8(ascii: "/")
    case UInt8(ascii: "p"), UInt8(ascii: "P"):
      switch letter(1) {
      case UInt8(ascii: "a"): return letter(2) == UInt8(ascii: "s")
      case UInt8(ascii: "p"): return letter(2) == UInt8(ascii: "i")
      case UInt8(ascii: "e"): return letter(-1) == UInt8(ascii: "a") && letter(-2) == UInt8(ascii: "c")
      case _: return false
      }
    case _: return false
    }
  }

  /// True when the text has `password` or `passwd` in any case, the options of a user mapping, or a URL with a user or a
  /// key in it; also when these are spelled with escapes.
  static func mentionsSecret(_ text: some RandomAccessCollection<UInt8>) -> Bool {
    if mentionsPlainly(text) { return true }
    let hasEscapes = text.contains { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "%") }
    guard hasEscapes else { return false }
    let bytes = Array(text)
    return mentionsPlainly(EscapedText.decoded(bytes, as: .escapeString))
      || mentionsPlainly(EscapedText.decoded(bytes, as: .unicode))
  }

  private static func mentionsPlainly(_ text: some RandomAccessCollection<UInt8>) -> Bool {
    var inURL = false
    var maps = false
    var previous: UInt8 = 0
    var index = text.startIndex
    while index != text.endIndex {
      let byte = text[index]
      switch byte {
      case UInt8(ascii: "p"), UInt8(ascii: "P"):
        if starts(text[index...], with: "password") || starts(text[index...], with: "passwd") { return true }
      case UInt8(ascii: "m"), UInt8(ascii: "M"):
        if starts(text[index...], with: "mapping") { maps = true }
      case UInt8(ascii: "o"), UInt8(ascii: "O"):
        if maps, starts(text[index...], with: "options") { return true }
      case UInt8(ascii: "u"), UInt8(ascii: "U"):
        // Escapes by another character than the backslash: whatever they spell.
        if starts(text[index...], with: "uescape") { return true }
      case UInt8(ascii: "/") where previous == byte: inURL = true
      case UInt8(ascii: "@") where inURL: return true
      case UInt8(ascii: "?") where inURL, UInt8(ascii: "&") where inURL, UInt8(ascii: ";") where inURL,
        UInt8(ascii: "#") where inURL:
        if namesKey(text[text.index(after: index)...]) { return true }
      case 0...0x20, UInt8(ascii: "'"): inURL = false
      case _: break
      }
      previous = byte
      text.formIndex(after: &index)
    }
    return false
  }

  /// What parameters of URLs that are a secret have in their names.
  private static let keys: [StaticString] = ["key", "token", "secret", "sig", "auth", "pass", "pwd", "credential"]

  /// True when the parameter of a URL that begins here is named like a key.
  private static func namesKey(_ text: some Collection<UInt8>) -> Bool {
    let name = text.prefix(64).prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "&") && $0 > 0x20 }
    guard name.endIndex != text.endIndex, text[name.endIndex] == UInt8(ascii: "=") else { return false }
    return keys.contains { contains($0, in: name) }
  }

  private static func contains(_ word: StaticString, in text: some Collection<UInt8>) -> Bool {
    text.indices.contains { starts(text[$0...], with: word) }
  }

  private static func starts(_ text: some Collection<UInt8>, with word: StaticString) -> Bool {
    let letters = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    var index = text.startIndex
    for letter in letters {
      guard index != text.endIndex, text[index] | 0x20 == letter else { return false }
      text.formIndex(after: &index)
    }
    return true
  }
}

/// Walks over SQL as PostgreSQL's lexer does (PostgreSQL 4.1), as far as telling literals from the rest needs it.
///
/// `standard_conforming_strings` is on: the gateway refuses sessions that turn it off.
private struct LiteralScanner {
  private let text: [UInt8]
  private var position = 0
  private var output: [UInt8] = []
  /// The last word was `password`: what is quoted next is one, even in the wrong kind of quotes.
  private var afterPassword = false
  /// Words of the statement so far, and whether it is about a role.
  private var words = 0
  private var makesOrAlters = false
  private var isAboutRole = false

  init(_ text: [UInt8]) { self.text = text }

  private func byte(_ ahead: Int = 0) -> UInt8? {
    position + ahead < text.count ? text[position + ahead] : nil
  }

  mutating func redacted() -> String {
    output.reserveCapacity(text.count)
    while let byte = byte() {
      switch byte {
      case UInt8(ascii: "'"): quoted(escapes: endsWithEscapePrefix())
      case UInt8(ascii: "\""): identifier()
      case UInt8(ascii: "$"): dollar()
      case UInt8(ascii: "-") where self.byte(1) == UInt8(ascii: "-"): comment(end: lineEnd(), replacement: "--***")
      case UInt8(ascii: "/") where self.byte(1) == UInt8(ascii: "*"): comment(end: blockEnd(), replacement: "/****/")
      case _ where LiteralScanner.isWord(byte): word()
      case UInt8(ascii: ";"):
        (words, makesOrAlters, isAboutRole) = (0, false, false)
        pass(1)
      case _: pass(1)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  private mutating func pass(_ count: Int) {
    let end = min(position + count, text.count)
    output += text[position..<end]
    position = end
  }

  private mutating func hide(until end: Int, as replacement: StaticString = "'***'") {
    output += UnsafeBufferPointer(start: replacement.utf8Start, count: replacement.utf8CodeUnitCount)
    position = end
    afterPassword = false
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    case _: false
    }
  }

  private mutating func word() {
    var end = position
    // A dollar sign within a name belongs to it and opens no literal; after a number it does.
    let isNumber = text[position] <= UInt8(ascii: "9")
    while end < text.count, LiteralScanner.isWord(text[end]) || !isNumber && text[end] == UInt8(ascii: "$") {
      end += 1
    }
    // The E of E'…' is no word that separates a password from the word before it.
    guard end - position > 1 else { return pass(end - position) }
    let word = text[position..<end]
    words += 1
    if words == 1 { makesOrAlters = LiteralScanner.isOne(word, of: ["create", "alter"]) }
    if words == 2 { isAboutRole = makesOrAlters && LiteralScanner.isOne(word, of: ["role", "user", "group"]) }
    // Somebody forgot the quotes. It is refused as a syntax error, and kept as whatever was refused.
    if afterPassword, isAboutRole, !LiteralScanner.isOne(word, of: ["null"]) { return hide(until: end, as: "***") }
    afterPassword = PasswordRedaction.mentionsSecret(word)
    pass(end - position)
  }

  private static func isOne(_ word: ArraySlice<UInt8>, of words: [StaticString]) -> Bool {
    words.contains { other in
      word.count == other.utf8CodeUnitCount
        && word.elementsEqual(UnsafeBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount)) {
          $0 | 0x20 == $1
        }
    }
  }

  /// True when the quote at hand belongs to E'…', in which a backslash escapes.
  private func endsWithEscapePrefix() -> Bool {
    guard position > 0, text[position - 1] | 0x20 == UInt8(ascii: "e") else { return false }
    return position < 2 || !LiteralScanner.isWord(text[position - 2])
  }

  private mutating func quoted(escapes: Bool) {
    var end = position + 1
    while end < text.count {
      if escapes, text[end] == UInt8(ascii: "\\") {
        end += 2
      } else if text[end] == UInt8(ascii: "'") {
        if end + 1 < text.count, text[end + 1] == UInt8(ascii: "'") {
          end += 2
        } else {
          return hide(until: end + 1)
        }
      } else {
        end += 1
      }
    }
    hide(until: text.count)
  }

  private mutating func identifier() {
    let end = text[(position + 1)...].firstIndex(of: UInt8(ascii: "\"")).map { $0 + 1 } ?? text.count
    if afterPassword { hide(until: end, as: "\"***\"") } else { pass(end - position) }
  }

  private mutating func dollar() {
    var tagEnd = position + 1
    while tagEnd < text.count, LiteralScanner.isWord(text[tagEnd]) { tagEnd += 1 }
    let startsWithDigit = byte(1).map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    guard tagEnd < text.count, text[tagEnd] == UInt8(ascii: "$"), !startsWithDigit else {
      return pass(tagEnd - position)
    }
    let tag = text[position...tagEnd]
    var end = tagEnd + 1
    while end + tag.count <= text.count {
      if text[end] == UInt8(ascii: "$"), text[end..<(end + tag.count)] == tag { return hide(until: end + tag.count) }
      end += 1
    }
    hide(until: text.count)
  }

  private mutating func comment(end: Int, replacement: StaticString) {
    if PasswordRedaction.mentionsSecret(text[position..<end]) {
      hide(until: end, as: replacement)
    } else {
      pass(end - position)
    }
  }

  private func lineEnd() -> Int {
    text[position...].firstIndex { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } ?? text.count
  }

  /// Block comments nest.
  private func blockEnd() -> Int {
    var depth = 0
    var end = position
    while end + 1 < text.count {
      if text[end] == UInt8(ascii: "/"), text[end + 1] == UInt8(ascii: "*") {
        depth += 1
        end += 2
      } else if text[end] == UInt8(ascii: "*"), text[end + 1] == UInt8(ascii: "/") {
        depth -= 1
        end += 2
        if depth == 0 { return end }
      } else {
        end += 1
      }
    }
    return text.count
  }
}

/// A text with its plain literals taken out, so that texts that differ in nothing else become one.
///
/// A number or a simple quoted string gives way to one byte that names its type and stands in no text that has a normal
/// form; every other byte stays as it is, blanks and case included. **Law:** of two texts with the same normal form,
/// PostgreSQL's lexer makes the same tokens but for the values and places of those literals. For (scan.l of 15):
/// - What stands before a literal is a blank, `(`, `,` or a character of operators, which neither digit nor quote can
///   go on with; so no `E'`, `B'`, `X'`, `N'`, `U&'`, no `a1`, no `.5`. What stands behind is a blank, `)`, `,`, `;`
///   or the end, which no number goes on with; so no `1a`, `1_000`, `0x1`, `1..2`, `1e5`, `1.`.
/// - A string ends at its first quote that is not doubled: `standard_conforming_strings` is on (DECISIONS 6), and a
///   backslash refuses the text all the same. Blanks and another quote might be its continuation, and refuse too.
/// - Quoted names are copied to their end. Comments, `$`, `&` before a quote, and control characters refuse the text.
///
/// One class per type that the parser or the analyser of PostgreSQL tells apart (make_const): int4 is the grammar's
/// ICONST, int8 and numeric are FCONST, of types that choose different operators. 2147483648 has none, for a minus
/// before it makes it an int4.
struct NormalForm {
  /// Longer texts have none. Up to this length every text passes `LexerCost`, whatever its strings hold.
  static let textLimit = 2_047
  static let literalLimit = 256

  /// What stands for a literal.
  enum Marker: UInt8 {
    case string = 1, int4, int8, numeric
  }

  /// The form, in the first `count` bytes.
  private var form = [UInt8](repeating: 0, count: textLimit)
  private var places = [UInt16](repeating: 0, count: literalLimit)
  private(set) var count = 0
  /// How many literals were taken out.
  private(set) var literals = 0

  /// Where in the text the literals began, in order.
  var starts: ArraySlice<UInt16> { places[..<literals] }

  /// Takes on the form of `text`; false when it has none, and then this one is empty.
  mutating func read(_ text: UnsafeRawBufferPointer) -> Bool {
    guard text.count <= NormalForm.textLimit, let base = text.baseAddress else { return false }
    let bytes = base.assumingMemoryBound(to: UInt8.self)
    let read: (count: Int, literals: Int)? = ByteKind.all.withUnsafeBufferPointer { kinds in
      form.withUnsafeMutableBufferPointer { form in
        places.withUnsafeMutableBufferPointer { places in
          guard let kinds = kinds.baseAddress, let form = form.baseAddress, let starts = places.baseAddress else {
            return nil
          }
          var scanner = NormalFormScanner(text: bytes, end: text.count, kinds: kinds, form: form, starts: starts)
          return scanner.run() ? (scanner.count, scanner.literals) : nil
        }
      }
    }
    (count, literals) = read ?? (0, 0)
    return read != nil
  }

  func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
    form.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }
}

/// What a byte begins, outside of literals and quoted names.
private enum ByteKind: UInt8 {
  /// A letter, an underscore, or a byte of a character that is not ASCII: a name or key word.
  case letter
  case digit
  /// Nothing but itself.
  case plain
  case blank
  case quote
  /// A quoted name.
  case doubleQuote
  /// Refuses, if a certain byte comes next.
  case minus, slash, dot, ampersand
  case refused

  /// The kinds of all bytes.
  static let all: [UInt8] = (UInt8.min ... .max).map { kind(of: $0).rawValue }

  private static func kind(of byte: UInt8) -> ByteKind {
    switch byte {
    case 0x20, 0x09, 0x0a, 0x0c, 0x0d: .blank
    case 0x30...0x39: .digit
    case 0x41...0x5a, 0x61...0x7a, 0x5f, 0x80...0xff: .letter
    case UInt8(ascii: "'"): .quote
    case UInt8(ascii: "\""): .doubleQuote
    case UInt8(ascii: "-"): .minus
    case UInt8(ascii: "/"): .slash
    case UInt8(ascii: "."): .dot
    case UInt8(ascii: "&"): .ampersand
    case UInt8(ascii: "$"), UInt8(ascii: "\\"), 0x00...0x1f, 0x7f: .refused
    default: .plain
    }
  }
}

/// One pass over a text; `form` has room for as many bytes as the text, `starts` for `NormalForm.literalLimit`.
private struct NormalFormScanner {
  let text: UnsafePointer<UInt8>
  let end: Int
  let kinds: UnsafePointer<UInt8>
  let form: UnsafeMutablePointer<UInt8>
  let starts: UnsafeMutablePointer<UInt16>
  var at = 0
  /// Up to here the text is in the form.
  var copied = 0
  var count = 0
  var literals = 0

  /// The byte there, or 0, which refuses.
  private func byte(_ index: Int) -> UInt8 { index < end ? text[index] : 0 }

  private func kind(_ index: Int) -> UInt8 { kinds[Int(text[index])] }

  /// False when the text has no normal form.
  mutating func run() -> Bool {
    while at < end {
      switch ByteKind(rawValue: kind(at)) {
      case .letter: skipName()
      case .plain, .blank: at += 1
      case .digit: if !number() { return false }
      case .quote: if !string() { return false }
      case .doubleQuote: if !skipQuotedName() { return false }
      case .minus:
        at += 1
        if byte(at) == UInt8(ascii: "-") { return false }
      case .slash:
        at += 1
        if byte(at) == UInt8(ascii: "*") { return false }
      case .dot:
        at += 1
        if at < end, kind(at) == ByteKind.digit.rawValue { return false }
      case .ampersand:
        at += 1
        if byte(at) == UInt8(ascii: "'") || byte(at) == UInt8(ascii: "\"") { return false }
      case .refused, nil: return false
      }
    }
    copy(upTo: end)
    return true
  }

  /// Copies what stands before a literal. The form never outgrows the text, for no literal is shorter than its marker.
  private mutating func copy(upTo place: Int) {
    (form + count).update(from: text + copied, count: place - copied)
    count += place - copied
  }

  /// To the end of an identifier or key word, so that no digit in it is a number.
  private mutating func skipName() {
    var next = at + 1
    // Letters and digits are the first two kinds.
    while next < end, kind(next) <= ByteKind.digit.rawValue { next += 1 }
    at = next
  }

  private mutating func skipDigits() {
    while at < end, kind(at) == ByteKind.digit.rawValue { at += 1 }
  }

  /// To a quote. A doubled one ends a name here and begins another, which comes to the same.
  private mutating func skipQuotedName() -> Bool {
    at += 1
    while byte(at) != UInt8(ascii: "\"") {
      // A control character might be a marker.
      guard byte(at) >= 0x20, byte(at) != UInt8(ascii: "\\") else { return false }
      at += 1
    }
    at += 1
    return true
  }

  private mutating func number() -> Bool {
    let start = at
    guard mayStandBefore(start, orSign: true) else { return false }
    skipDigits()
    let digits = at - start
    if byte(at) == UInt8(ascii: ".") {
      at += 1
      let fraction = at
      skipDigits()
      return at > fraction && mayStandBehind() && take(.numeric, start)
    }
    // Eighteen digits fit an int8, and `value`.
    guard digits <= 18, mayStandBehind() else { return false }
    var value: UInt64 = 0
    for index in start..<at { value = value &* 10 &+ UInt64(text[index] & 0x0f) }
    return value != 0x8000_0000 && take(value < 0x8000_0000 ? .int4 : .int8, start)
  }

  private mutating func string() -> Bool {
    let start = at
    guard mayStandBefore(start, orSign: false) else { return false }
    repeat {
      at += 1
      while byte(at) != UInt8(ascii: "'") {
        guard byte(at) != 0, byte(at) != UInt8(ascii: "\\") else { return false }
        at += 1
      }
      at += 1
      // Behind a doubled quote it goes on.
    } while byte(at) == UInt8(ascii: "'")
    guard mayStandBehind() else { return false }
    var next = at
    while next < end, kind(next) == ByteKind.blank.rawValue { next += 1 }
    return byte(next) != UInt8(ascii: "'") && take(.string, start)
  }

  /// Puts the marker in the place of what was read since `start`.
  private mutating func take(_ marker: NormalForm.Marker, _ start: Int) -> Bool {
    guard literals < NormalForm.literalLimit else { return false }
    copy(upTo: start)
    copied = at
    form[count] = marker.rawValue
    count += 1
    starts[literals] = UInt16(truncatingIfNeeded: start)
    literals += 1
    return true
  }

  private func mayStandBefore(_ place: Int, orSign: Bool) -> Bool {
    if place == 0 { return false }
    switch text[place - 1] {
    case UInt8(ascii: "("), UInt8(ascii: ","), UInt8(ascii: "="), UInt8(ascii: "<"), UInt8(ascii: ">"): return true
    case UInt8(ascii: "-"), UInt8(ascii: "+"): return orSign
    default: return kind(place - 1) == ByteKind.blank.rawValue
    }
  }

  private func mayStandBehind() -> Bool {
    if at == end { return true }
    switch text[at] {
    case UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"): return true
    default: return kind(at) == ByteKind.blank.rawValue
    }
  }
}

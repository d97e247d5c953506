/// SQL text with its values hidden, for those who may see what is done and not with what.
enum LiteralMask {
  /// Replaces string literals, dollar-quoted strings and numbers by `?`, and drops comments.
  ///
  /// It walks as PostgreSQL's lexer does (PostgreSQL 4.1) with standard_conforming_strings on. What it cannot follow to
  /// its end is cut off there.
  static func masked(_ text: String) -> String { hiding(text).text }

  /// The same, with how many values are hidden.
  static func hiding(_ text: String) -> (text: String, hidden: Int) { LiteralWalker(text).masked() }
}

private struct LiteralWalker {
  private let text: [UInt8]
  private var position = 0
  private var output: [UInt8] = []
  private var hidden = 0

  init(_ text: String) { self.text = Array(text.utf8) }

  private func peek(_ offset: Int = 0) -> UInt8 {
    position + offset < text.count ? text[position + offset] : 0
  }

  func masked() -> (text: String, hidden: Int) {
    var walker = self
    while walker.position < walker.text.count { walker.step() }
    return (String(decoding: walker.output, as: UTF8.self), walker.hidden)
  }

  private mutating func hide() {
    output.append(UInt8(ascii: "?"))
    hidden += 1
  }

  private mutating func step() {
    switch peek() {
    case UInt8(ascii: "'"): skipQuoted(escapes: endsWithEscapePrefix)
    case UInt8(ascii: "\""): copyIdentifier()
    case UInt8(ascii: "-") where peek(1) == UInt8(ascii: "-"): skipLine()
    case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): skipComment()
    case UInt8(ascii: "$") where !isAfterWord: skipDollarQuoted()
    case UInt8(ascii: "0")...UInt8(ascii: "9") where !isAfterWord: skipNumber()
    case let byte:
      output.append(byte)
      position += 1
    }
  }

  /// Whether the last byte written belongs to a name or a parameter.
  private var isAfterWord: Bool {
    guard let last = output.last else { return false }
    return isWord(last) || last == UInt8(ascii: "$")
  }

  private func isWord(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == 0x5f || (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
  }

  private var endsWithEscapePrefix: Bool {
    guard let last = output.last, last | 0x20 == UInt8(ascii: "e") else { return false }
    return output.count < 2 || !isWord(output[output.count - 2])
  }

  private mutating func skipQuoted(escapes: Bool) {
    position += 1
    while position < text.count {
      if escapes, peek() == UInt8(ascii: "\\") {
        position += 2
      } else if peek() == UInt8(ascii: "'") {
        position += 1
        if peek() != UInt8(ascii: "'") { break }
        position += 1
      } else {
        position += 1
      }
    }
    hide()
  }

  private mutating func copyIdentifier() {
    repeat {
      output.append(peek())
      position += 1
    } while position < text.count && peek() != UInt8(ascii: "\"")
    if position < text.count {
      output.append(peek())
      position += 1
    }
  }

  private mutating func skipLine() {
    while position < text.count, peek() != UInt8(ascii: "\n") { position += 1 }
  }

  private mutating func skipComment() {
    var depth = 0
    repeat {
      if peek() == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
        depth += 1
        position += 2
      } else if peek() == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
        depth -= 1
        position += 2
      } else {
        position += 1
      }
    } while position < text.count && depth > 0
    output.append(UInt8(ascii: " "))
  }

  /// `$tag$ … $tag$`; a parameter such as `$1` is copied.
  private mutating func skipDollarQuoted() {
    var end = position + 1
    while end < text.count, isWord(text[end]) { end += 1 }
    let isParameter = end > position + 1 && (0x30...0x39).contains(text[position + 1])
    guard !isParameter, end < text.count, text[end] == UInt8(ascii: "$") else {
      output.append(peek())
      position += 1
      return
    }
    let tag = Array(text[position...end])
    var close = end + 1
    while close + tag.count <= text.count, Array(text[close..<close + tag.count]) != tag { close += 1 }
    position = min(close + tag.count, text.count)
    hide()
  }

  private mutating func skipNumber() {
    while position < text.count, isWord(peek()) || peek() == UInt8(ascii: ".") { position += 1 }
    hide()
  }
}

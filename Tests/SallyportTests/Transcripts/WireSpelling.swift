// Transcripts: conversations between a client, the gateway and a scripted backend, as text that people can review.

import AccessModel
import NIOCore

/// One message as bytes, with whoever sent it.
struct WireFrame: Hashable, Sendable {
  var tag: UInt8
  var body: [UInt8]

  var bytes: [UInt8] { [tag] + WireFrame.integer(Int32(truncatingIfNeeded: body.count + 4)) + body }

  static func integer<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }
}

/// What a line of a transcript says that it cannot mean.
struct TranscriptMistake: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// A word of a message: `NULL`, `42`, `"text"` or `"ab"*1000`, which is that text so many times.
enum WireToken: Hashable {
  case word(String)
  case text([UInt8])

  /// Splits at spaces outside quotes. In quotes `\n`, `\t`, `\"`, `\\` and `\xNN` stand for one byte each.
  static func split(_ line: String) throws -> [WireToken] {
    var tokens: [WireToken] = []
    var rest = Array(line.utf8)[...]
    while let byte = rest.first {
      if byte == UInt8(ascii: " ") {
        rest.removeFirst()
      } else if byte == UInt8(ascii: "\"") {
        rest.removeFirst()
        tokens.append(.text(try quoted(&rest)))
      } else {
        let word = rest.prefix { $0 != UInt8(ascii: " ") }
        rest = rest.dropFirst(word.count)
        tokens.append(.word(String(decoding: word, as: UTF8.self)))
      }
    }
    return tokens
  }

  private static func quoted(_ rest: inout ArraySlice<UInt8>) throws -> [UInt8] {
    var text: [UInt8] = []
    while true {
      guard let byte = rest.popFirst() else { throw TranscriptMistake("a quote is not closed") }
      if byte == UInt8(ascii: "\"") { break }
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "n"): text.append(10)
      case UInt8(ascii: "t"): text.append(9)
      case UInt8(ascii: "x"):
        guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
          throw TranscriptMistake("\\x needs two hexadecimal digits")
        }
        rest = rest.dropFirst(2)
        text.append(value)
      case let other?: text.append(other)
      case nil: throw TranscriptMistake("a quote is not closed")
      }
    }
    guard rest.first == UInt8(ascii: "*") else { return text }
    rest.removeFirst()
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    rest = rest.dropFirst(digits.count)
    guard let count = Int(String(decoding: digits, as: UTF8.self)) else { throw TranscriptMistake("* needs a number") }
    return Array([[UInt8]](repeating: text, count: count).joined())
  }

  /// The text in quotes; more than 120 bytes are shortened and counted.
  static func quote(_ bytes: some Collection<UInt8>) -> String {
    var text = "\""
    for byte in bytes.prefix(120) {
      switch byte {
      case 10: text += "\\n"
      case 9: text += "\\t"
      case UInt8(ascii: "\""): text += "\\\""
      case UInt8(ascii: "\\"): text += "\\\\"
      case 0x20...0x7e: text.unicodeScalars.append(Unicode.Scalar(byte))
      case let other: text += "\\x" + (other < 16 ? "0" : "") + String(other, radix: 16)
      }
    }
    return text + "\"" + (bytes.count > 120 ? "…(\(bytes.count) bytes)" : "")
  }
}

/// Takes the words of one message in order.
struct WireWords {
  private var tokens: ArraySlice<WireToken>
  private let name: String

  init(_ name: String, _ tokens: ArraySlice<WireToken>) {
    self.name = name
    self.tokens = tokens
  }

  var isEmpty: Bool { tokens.isEmpty }

  mutating func text() throws -> [UInt8] {
    guard case .text(let text) = tokens.popFirst() else { throw TranscriptMistake("\(name) needs a text in quotes") }
    return text
  }

  /// A text with its terminating zero.
  mutating func string() throws -> [UInt8] { try text() + [0] }

  mutating func word() throws -> String {
    guard case .word(let word) = tokens.popFirst() else { throw TranscriptMistake("\(name) needs a word") }
    return word
  }

  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
    let word = try word()
    guard let value = Value(word) else { throw TranscriptMistake("\(name): \(word) is no \(type)") }
    return value
  }

  mutating func encoded<Value: FixedWidthInteger>(_ type: Value.Type) throws -> [UInt8] {
    WireFrame.integer(try integer(type))
  }

  /// A length and a value, or NULL.
  mutating func value() throws -> [UInt8] {
    switch tokens.popFirst() {
    case .text(let text): return WireFrame.integer(Int32(text.count)) + text
    case .word("NULL"): return WireFrame.integer(Int32(-1))
    case .word(let other): throw TranscriptMistake("\(name): \(other) is neither NULL nor a text in quotes")
    case nil: throw TranscriptMistake("\(name) needs one value more")
    }
  }

  /// A count, and so many items.
  mutating func list(_ item: (inout WireWords) throws -> [UInt8]) throws -> [UInt8] {
    let count = try integer(Int16.self)
    var bytes = WireFrame.integer(count)
    for _ in 0..<count { bytes += try item(&self) }
    return bytes
  }

  /// All that is left, behind its count.
  mutating func rest(_ item: (inout WireWords) throws -> [UInt8]) throws -> [UInt8] {
    var items: [[UInt8]] = []
    while !isEmpty { items.append(try item(&self)) }
    return WireFrame.integer(Int16(items.count)) + items.joined()
  }
}

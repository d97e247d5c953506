/// A pattern over a command's whole text, in which only `*` is special and stands for any run of characters.
///
/// The pieces between the stars are looked for one behind the other, each by Knuth, Morris and Pratt's way, so that no
/// text takes longer than its length and the pattern's together.
public struct TextPattern: Sendable, Hashable {
  public let text: String
  private let exact: [Piece]
  private let folded: [Piece]
  private let startsFree: Bool
  private let endsFree: Bool

  /// A piece of the pattern with, for each of its bytes, how much of it to keep when the next does not fit.
  private struct Piece: Sendable, Hashable {
    var bytes: [UInt8]
    var steps: [Int]

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      steps = Array(repeating: 0, count: bytes.count)
      var length = 0
      for index in bytes.indices.dropFirst() {
        while length > 0, bytes[index] != bytes[length] { length = steps[length - 1] }
        if bytes[index] == bytes[length] { length += 1 }
        steps[index] = length
      }
    }
  }

  public init(_ text: String) {
    self.text = text
    let star = UInt8(ascii: "*")
    let parts = text.utf8.split(separator: star).map { Array($0) }
    exact = parts.map(Piece.init)
    folded = parts.map { Piece($0.map(TextPattern.fold)) }
    startsFree = text.utf8.first == star
    endsFree = text.utf8.last == star
  }

  /// True when the text could be meant: the case of ASCII letters does not count, nor does space around the text.
  func mayMatch(_ text: String) -> Bool { TextPattern.withTrimmedBytes(text) { matches($0, folded, TextPattern.fold) } }

  /// True when exactly this text is meant.
  func mustMatch(_ text: String) -> Bool { TextPattern.withBytes(text) { matches($0, exact, { $0 }) } }

  private func matches(
    _ text: UnsafeBufferPointer<UInt8>, _ pieces: [Piece], _ fold: (UInt8) -> UInt8
  ) -> Bool {
    guard let first = pieces.first, let last = pieces.last else { return startsFree || text.isEmpty }
    // What may not move is compared where it must stand; what is left is searched in between.
    var start = 0
    var end = text.count
    var middle = pieces[...]
    if !startsFree {
      guard TextPattern.stands(first, in: text, at: 0, fold) else { return false }
      start = first.bytes.count
      middle = middle.dropFirst()
      if middle.isEmpty, !endsFree { return start == end }
    }
    if !endsFree {
      let place = end - last.bytes.count
      guard place >= start, TextPattern.stands(last, in: text, at: place, fold) else { return false }
      end = place
      middle = middle.dropLast()
    }
    for piece in middle {
      guard let found = TextPattern.find(piece, in: text, from: start, to: end, fold) else { return false }
      start = found
    }
    return true
  }

  private static func stands(
    _ piece: Piece, in text: UnsafeBufferPointer<UInt8>, at place: Int, _ fold: (UInt8) -> UInt8
  ) -> Bool {
    guard place >= 0, place + piece.bytes.count <= text.count else { return false }
    for index in piece.bytes.indices where fold(text[place + index]) != piece.bytes[index] { return false }
    return true
  }

  /// Where the first such piece ends.
  private static func find(
    _ piece: Piece, in text: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int, _ fold: (UInt8) -> UInt8
  ) -> Int? {
    var length = 0
    var index = start
    while index < end {
      let byte = fold(text[index])
      while length > 0, byte != piece.bytes[length] { length = piece.steps[length - 1] }
      if byte == piece.bytes[length] { length += 1 }
      index += 1
      if length == piece.bytes.count { return index }
    }
    return nil
  }

  private static func fold(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
    case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): UInt8(ascii: " ")
    default: byte
    }
  }

  private static func withBytes<Result>(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    var text = text
    return text.withUTF8(body)
  }

  private static func withTrimmedBytes<Result>(
    _ text: String, _ body: (UnsafeBufferPointer<UInt8>) -> Result
  ) -> Result {
    withBytes(text) { bytes in
      var slice = bytes[...]
      while let byte = slice.first, fold(byte) == UInt8(ascii: " ") { slice = slice.dropFirst() }
      while let byte = slice.last, fold(byte) == UInt8(ascii: " ") { slice = slice.dropLast() }
      return body(UnsafeBufferPointer(rebasing: slice))
    }
  }
}

/// Bytes for a terminal (ECMA-48, UTF-8), one by one, as what they do to its screen.
struct TerminalParser {
  enum Action: Hashable {
    case character(Character)
    /// One of the first 32.
    case control(UInt8)
    /// ESC [ parameters, each at most 9,999, and the final byte.
    case sequence(UInt8, [Int])
    /// ESC and a final byte.
    case escape(UInt8)
    /// A program takes the whole screen, or gives it back.
    case mode(Bool)
  }
  private enum State {
    case text, escape, sequence, string, stringEscape, designation
  }
  private var state = State.text
  private var parameters: [Int] = []
  private var isPrivate = false
  /// The bytes of a character that is not complete, and how many it will have.
  private var character: [UInt8] = []
  private var length = 0

  mutating func take(_ byte: UInt8) -> Action? {
    switch state {
    case .text: return text(byte)
    case .escape: return escape(byte)
    case .sequence: return sequence(byte)
    case .string:
      if byte == 0x07 { state = .text }
      if byte == 0x1B { state = .stringEscape }
    case .stringEscape: state = byte == UInt8(ascii: "\\") ? .text : .string
    case .designation: state = .text
    }
    return nil
  }

  private mutating func text(_ byte: UInt8) -> Action? {
    if byte < 0x80 {
      character = []
      if byte == 0x1B {
        state = .escape
        return nil
      }
      if byte < 0x20 { return .control(byte) }
      return byte == 0x7F ? nil : .character(Character(Unicode.Scalar(byte)))
    }
    if byte >= 0xC0 {
      character = [byte]
      length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
      return nil
    }
    guard !character.isEmpty else { return nil }
    character.append(byte)
    guard character.count == length else { return nil }
    let whole = String(decoding: character, as: UTF8.self)
    character = []
    return whole.first.map { .character($0) }
  }

  private mutating func escape(_ byte: UInt8) -> Action? {
    state = .text
    switch byte {
    case UInt8(ascii: "["):
      state = .sequence
      parameters = []
      isPrivate = false
    case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"): state = .string
    case 0x20...0x2F: state = .designation
    case 0x1B: state = .escape
    case 0x30...0x7E: return .escape(byte)
    default: break
    }
    return nil
  }

  private mutating func sequence(_ byte: UInt8) -> Action? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      if parameters.isEmpty { parameters = [0] }
      let last = parameters.count - 1
      parameters[last] = min(9_999, parameters[last] * 10 + Int(byte - UInt8(ascii: "0")))
    case UInt8(ascii: ";"), UInt8(ascii: ":"):
      if parameters.isEmpty { parameters = [0] }
      if parameters.count < 16 { parameters.append(0) }
    case 0x3C...0x3F: isPrivate = true
    case 0x20...0x2F: break
    case 0x1B: state = .escape
    case 0x40...0x7E:
      state = .text
      guard isPrivate else { return .sequence(byte, parameters) }
      let isMode = parameters.contains { [47, 1047, 1049].contains($0) }
      guard isMode, byte == UInt8(ascii: "h") || byte == UInt8(ascii: "l") else { return nil }
      return .mode(byte == UInt8(ascii: "h"))
    case 0x00...0x1F: return .control(byte)
    default: state = .text
    }
    return nil
  }
}

/// What of a program's output may reach the terminal of somebody who replays it: text, colours and moves of the cursor.
///
/// Sequences that make a terminal answer, set its title, or write to the clipboard would act on the one who looks.
struct TerminalFilter {
  private enum State: Hashable {
    case text
    case escape
    /// ESC [ …
    case control
    /// A string, up to BEL or ESC \\.
    case string
    case stringEscape
    /// ESC and an intermediate; one more character.
    case designation
  }
  private var state = State.text
  private var sequence = ""

  /// Final characters of sequences that only draw: moves, erasures, insertions, colours, margins.
  private static let drawing = Set("ABCDEFGHJKLMPSTX@`adefmr".unicodeScalars)
  /// Private modes that only draw: wrapping, the cursor, the other screen.
  private static let modes: Set<String> = ["?7", "?25", "?47", "?1047", "?1048", "?1049", "4", "20"]

  mutating func harmless(_ text: String) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { step(scalar, &shown) }
    return String(shown)
  }

  private mutating func step(_ scalar: Unicode.Scalar, _ shown: inout String.UnicodeScalarView) {
    switch state {
    case .text:
      switch scalar.value {
      case 0x1B: state = .escape
      case 0x07, 0x08, 0x09, 0x0A, 0x0D: shown.append(scalar)
      case 0x90, 0x98, 0x9D, 0x9E, 0x9F: state = .string
      case 0x9B: begin()
      case 0..<0x20, 0x7F..<0xA0: break
      default: shown.append(scalar)
      }
    case .escape:
      state = .text
      switch scalar {
      case "[": begin()
      case "]", "P", "X", "^", "_": state = .string
      case "7", "8", "D", "E", "M": shown.append(contentsOf: ["\u{1B}", scalar])
      case "(", ")", "*", "+", "#", "%", " ": state = .designation
      default: break
      }
    case .control:
      guard (0x40...0x7E).contains(scalar.value) || sequence.unicodeScalars.count > 64 else {
        return sequence.unicodeScalars.append(scalar)
      }
      state = .text
      let isMode = scalar == "h" || scalar == "l"
      let isPlain = sequence.unicodeScalars.allSatisfy { ("0"..."9").contains($0) || $0 == ";" || $0 == ":" }
      guard TerminalFilter.drawing.contains(scalar) && isPlain || isMode && TerminalFilter.modes.contains(sequence)
      else { return }
      shown.append(contentsOf: "\u{1B}[\(sequence)".unicodeScalars)
      shown.append(scalar)
    case .string:
      if scalar.value == 0x07 || scalar.value == 0x9C { state = .text }
      if scalar.value == 0x1B { state = .stringEscape }
    case .stringEscape: state = scalar == "\\" ? .text : .string
    case .designation: state = .text
    }
  }

  private mutating func begin() {
    state = .control
    sequence = ""
  }
}

/// The screen that a person sees, for one purpose: what stands behind the prompt when Enter is pressed.
///
/// Read off the screen and not from keys, so that history, completion and editing are seen as they end, and a password
/// that is not echoed is not seen at all. Programs can show what they like: it is an aid, and no proof.
///
/// Of ECMA-48 it follows what moves and erases text; libvterm, which follows all of it, can be crashed by what it is sent.
final class TerminalScreen {
  private var columns: Int
  private var rows: Int
  /// `rows` lines of `columns` characters.
  private var cells: [[Character]]
  private var line = 0
  private var column = 0
  /// The last column was written to: the next character goes to the next line.
  private var isWrapping = false
  private var saved = (line: 0, column: 0)
  private var parser = TerminalParser()
  /// Lines that have left at the top so far.
  private var scrolled = 0
  /// A program has the whole screen, such as an editor.
  private var isTaken = false
  /// Where the first key since the last line appeared: its line, counted from the beginning, and column.
  private var start: (line: Int, column: Int)?
  /// Enters that no end of a line on the screen has answered yet.
  private var enters = 0
  /// What stood before the keys of the last line.
  private var prompt = ""

  static let lineLimit = 4_096
  private static let enterLimit = 1_000

  /// Sizes are bounded; 0 stands for 80 and 24.
  init(columns: Int, rows: Int) {
    (self.columns, self.rows) = TerminalScreen.bounded(columns, rows)
    cells = Array(repeating: Array(repeating: " ", count: self.columns), count: self.rows)
  }

  private static func bounded(_ columns: Int, _ rows: Int) -> (Int, Int) {
    (columns == 0 ? 80 : min(max(2, columns), 512), rows == 0 ? 24 : min(max(2, rows), 200))
  }

  func resize(columns: Int, rows: Int) {
    (self.columns, self.rows) = TerminalScreen.bounded(columns, rows)
    cells = cells.map { row in
      Array(row.prefix(self.columns)) + Array(repeating: " ", count: max(0, self.columns - row.count))
    }
    // Lines leave at the top as long as the cursor would be below the screen.
    let leaving = max(0, line - self.rows + 1)
    cells.removeFirst(leaving)
    scrolled += leaving
    line -= leaving
    cells = Array(cells.prefix(self.rows))
    while cells.count < self.rows { cells.append(blank) }
    move(line, column)
    start = nil
  }

  // MARK: Keys

  /// Keys are on their way to the program.
  func typed(_ bytes: [UInt8]) {
    guard !isTaken else { return }
    // Enters that nothing answered belonged to a program that reads without a prompt.
    if start == nil, bytes.first != 0x0D, bytes.first != 0x0A { enters = 0 }
    for byte in bytes {
      if byte == 0x0D || byte == 0x0A {
        enters = min(enters + 1, TerminalScreen.enterLimit)
      } else if start == nil, enters == 0 {
        start = (scrolled + line, column)
        prompt = String(cells[line].prefix(column))
      }
    }
  }

  /// The program shows this. Returns the lines that were entered.
  func shown(_ bytes: [UInt8]) -> [String] {
    var lines: [String] = []
    for byte in bytes {
      if byte == 0x0A, enters > 0, !isTaken, let entered = enteredLine() {
        enters -= 1
        start = nil
        if !entered.isEmpty { lines.append(entered) }
      }
      if let action = parser.take(byte) { apply(action) }
    }
    return lines
  }

  /// What was entered in the line that ends now; nil when it is a line of a program's.
  private func enteredLine() -> String? {
    if let start {
      let first = start.line - scrolled
      guard first <= line else { return "" }
      var text = String(cells[max(0, first)].dropFirst(first < 0 ? 0 : start.column))
      for row in max(0, first) + 1..<max(line, max(0, first)) + 1 { text += String(cells[row]) }
      return trimmed(text)
    }
    // Typed ahead: behind the prompt that was there before.
    let text = String(cells[line])
    guard !prompt.isEmpty, text.hasPrefix(prompt) else { return nil }
    return trimmed(String(text.dropFirst(prompt.count)))
  }

  private func trimmed(_ text: String) -> String {
    let line = text.drop { $0 == " " }
    return String(line.prefix(TerminalScreen.lineLimit).reversed().drop { $0 == " " }.reversed())
  }

  // MARK: The screen

  private var blank: [Character] { Array(repeating: " ", count: columns) }

  private func apply(_ action: TerminalParser.Action) {
    if case .mode(let isSet) = action {
      isTaken = isSet
      start = nil
      enters = 0
      return
    }
    guard !isTaken else { return }
    switch action {
    case .character(let character): put(character)
    case .control(let byte): control(byte)
    case .sequence(let final, let parameters): sequence(final, parameters)
    case .escape(let final): escape(final)
    case .mode: return
    }
  }

  private func put(_ character: Character) {
    if isWrapping {
      column = 0
      feed()
    }
    cells[line][column] = character
    isWrapping = column == columns - 1
    if !isWrapping { column += 1 }
  }

  private func feed() {
    isWrapping = false
    guard line == rows - 1 else {
      line += 1
      return
    }
    cells.removeFirst()
    cells.append(blank)
    scrolled += 1
  }

  private func move(_ line: Int, _ column: Int) {
    self.line = min(max(0, line), rows - 1)
    self.column = min(max(0, column), columns - 1)
    isWrapping = false
  }

  private func control(_ byte: UInt8) {
    switch byte {
    case 0x08: move(line, column - 1)
    case 0x09: move(line, (column / 8 + 1) * 8)
    case 0x0A, 0x0B, 0x0C: feed()
    case 0x0D: move(line, 0)
    default: break
    }
  }

  private func escape(_ final: UInt8) {
    switch final {
    case UInt8(ascii: "7"): saved = (line, column)
    case UInt8(ascii: "8"): move(saved.line, saved.column)
    case UInt8(ascii: "D"): feed()
    case UInt8(ascii: "E"):
      move(line, 0)
      feed()
    case UInt8(ascii: "M"): move(line - 1, column)
    case UInt8(ascii: "c"):
      for row in 0..<rows { cells[row] = blank }
      move(0, 0)
    default: break
    }
  }

  private func sequence(_ final: UInt8, _ parameters: [Int]) {
    let first = parameters.first ?? 0
    let count = max(1, first)
    switch final {
    case UInt8(ascii: "A"): move(line - count, column)
    case UInt8(ascii: "B"), UInt8(ascii: "e"): move(line + count, column)
    case UInt8(ascii: "C"), UInt8(ascii: "a"): move(line, column + count)
    case UInt8(ascii: "D"): move(line, column - count)
    case UInt8(ascii: "G"), UInt8(ascii: "`"): move(line, count - 1)
    case UInt8(ascii: "d"): move(count - 1, column)
    case UInt8(ascii: "H"), UInt8(ascii: "f"): move(count - 1, max(1, parameters.count > 1 ? parameters[1] : 1) - 1)
    case UInt8(ascii: "s"): saved = (line, column)
    case UInt8(ascii: "u"): move(saved.line, saved.column)
    case UInt8(ascii: "K"): erase(line, first == 0 ? column : 0, first == 1 ? column + 1 : columns)
    case UInt8(ascii: "J"):
      erase(line, first == 0 ? column : 0, first == 1 ? column + 1 : columns)
      for row in 0..<rows where first == 0 ? row > line : first == 1 ? row < line : true { cells[row] = blank }
    case UInt8(ascii: "X"): erase(line, column, min(columns, column + count))
    case UInt8(ascii: "P"):
      let gone = min(count, columns - column)
      cells[line].removeSubrange(column..<column + gone)
      cells[line] += Array(repeating: " ", count: gone)
    case UInt8(ascii: "@"):
      let added = min(count, columns - column)
      cells[line].insert(contentsOf: Array(repeating: " ", count: added), at: column)
      cells[line].removeLast(added)
    default: break
    }
  }

  private func erase(_ row: Int, _ from: Int, _ to: Int) {
    for place in from..<max(from, min(to, columns)) { cells[row][place] = " " }
  }
}

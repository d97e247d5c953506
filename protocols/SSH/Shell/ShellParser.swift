/// Reads what `sh`, `dash` and `bash` read in the same way (POSIX.1-2017, XCU 2), and refuses the rest.
///
/// Whatever two shells could read differently, and all that is not needed for commands as people send them over SSH
/// (functions, loops, `case`, arithmetic, process substitution), is a `ShellMisunderstanding`: then the text counts as
/// everything. Bytes in, no recursion deeper than `Limits.depth`.
struct ShellParser {
  enum Limits {
    /// Bytes of a text.
    static let text = 65_536
    /// Substitutions, groups and subshells within each other.
    static let depth = 24
    static let commands = 512
    static let words = 4096
  }

  /// Where a list of commands ends.
  enum Closing {
    case text, parenthesis, brace
  }

  let bytes: [UInt8]
  var at = 0
  var depth: Int
  var words = 0
  /// Of the last word that was read.
  var lastWordStart: Int?
  var script = ShellScript()
  /// Delimiters of here-documents whose bodies begin behind the next newline.
  var hereDocuments: [(delimiter: [UInt8], isQuoted: Bool, stripsTabs: Bool)] = []

  static func parse(_ text: String) throws(ShellMisunderstanding) -> ShellScript {
    let bytes = Array(text.utf8)
    guard bytes.count <= Limits.text else { throw ShellMisunderstanding("the command is longer than 64 KiB") }
    var parser = ShellParser(bytes, depth: 0)
    return try parser.parse()
  }

  init(_ bytes: [UInt8], depth: Int) {
    self.bytes = bytes
    self.depth = depth
  }

  mutating func parse() throws(ShellMisunderstanding) -> ShellScript {
    try list(until: .text)
    guard hereDocuments.isEmpty else { throw ShellMisunderstanding("a here-document does not end") }
    return script
  }

  // MARK: Lists and pipelines

  mutating func list(until closing: Closing) throws(ShellMisunderstanding) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Limits.depth else { throw ShellMisunderstanding("the command is nested too deeply") }
    var isEmpty = true
    /// A command must follow: `&&`, `||`.
    var isOpen = false
    while true {
      try skipNewlines()
      if isAtEnd(of: closing) {
        guard !isOpen, !isEmpty || closing == .text else { throw unexpected() }
        return
      }
      try pipeline()
      isEmpty = false
      isOpen = false
      try skipBlanks()
      if isAtEnd(of: closing) {
        // `}` is only read as such where a command could begin.
        guard closing != .brace else { throw unexpected() }
        return
      }
      switch (peek(), peek(1)) {
      case (UInt8(ascii: "&"), UInt8(ascii: "&")), (UInt8(ascii: "|"), UInt8(ascii: "|")):
        at += 2
        isOpen = true
      case (UInt8(ascii: ";"), UInt8(ascii: ";")): throw unexpected()
      case (UInt8(ascii: ";"), _), (UInt8(ascii: "&"), _), (UInt8(ascii: "\n"), _):
        // A newline is left to be read with the here-documents behind it.
        if peek() != UInt8(ascii: "\n") { at += 1 }
      default: throw unexpected()
      }
    }
  }

  mutating func pipeline() throws(ShellMisunderstanding) {
    if takeReserved(UInt8(ascii: "!")) { try skipBlanks() }
    while true {
      try command()
      try skipBlanks()
      guard peek() == UInt8(ascii: "|"), peek(1) != UInt8(ascii: "|") else { return }
      guard peek(1) != UInt8(ascii: "&") else { throw unexpected() }
      at += 1
      try skipNewlines()
    }
  }

  mutating func command() throws(ShellMisunderstanding) {
    switch peek() {
    case UInt8(ascii: "("):
      guard peek(1) != UInt8(ascii: "(") else { throw ShellMisunderstanding("it computes with (( ))") }
      at += 1
      try list(until: .parenthesis)
      at += 1
      try trailingRedirections()
    case UInt8(ascii: "{") where isBlank(peek(1)) || peek(1) == UInt8(ascii: "\n"):
      at += 1
      try list(until: .brace)
      at += 1
      guard isWordEnd(peek()) else { throw unexpected() }
      try trailingRedirections()
    default: try simpleCommand()
    }
  }

  mutating func trailingRedirections() throws(ShellMisunderstanding) {
    var line = ShellCommandLine()
    while true {
      try skipBlanks()
      guard try redirection(into: &line) else { break }
    }
    if !line.redirections.isEmpty { try add(line) }
  }

  // MARK: Simple commands

  static let reserved: Set<String> = [
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "select",
    "function", "coproc", "[[", "]]", "{", "}", "!",
  ]

  mutating func simpleCommand() throws(ShellMisunderstanding) {
    var line = ShellCommandLine()
    var isEmpty = true
    while true {
      try skipBlanks()
      if try redirection(into: &line) {
        isEmpty = false
        continue
      }
      guard let byte = peek(), !isWordEnd(byte) else { break }
      let word = try word()
      isEmpty = false
      if line.words.isEmpty {
        if let name = assignedName(word) {
          line.assignments.append(name)
          continue
        }
        if word.isPlain, let value = word.value, ShellParser.reserved.contains(value) {
          throw ShellMisunderstanding("it uses \(value), which is not followed")
        }
      }
      line.words.append(word)
      // `name (` begins a function.
      try skipBlanks()
      if peek() == UInt8(ascii: "(") { throw unexpected() }
    }
    guard !isEmpty else { throw unexpected() }
    try add(line)
  }

  mutating func add(_ line: ShellCommandLine) throws(ShellMisunderstanding) {
    guard script.commands.count < Limits.commands else { throw ShellMisunderstanding("there are too many commands") }
    script.commands.append(line)
  }

  /// The variable's name where the word is an assignment. A name that is not resolved is no assignment that we know.
  func assignedName(_ word: ShellWord) -> String? {
    guard let start = lastWordStart, let equals = bytes[start..<at].firstIndex(of: UInt8(ascii: "=")), equals > start
    else { return nil }
    // `name+=value` of bash, too.
    let name = bytes[start..<equals].last == UInt8(ascii: "+") ? bytes[start..<(equals - 1)] : bytes[start..<equals]
    guard !name.isEmpty, name.allSatisfy(ShellParser.isNameByte), !(0x30...0x39).contains(name[start]) else {
      return nil
    }
    return String(decoding: name, as: UTF8.self)
  }

  // MARK: Redirections (XCU 2.7)

  /// Returns false when there is none here.
  mutating func redirection(into line: inout ShellCommandLine) throws(ShellMisunderstanding) -> Bool {
    var start = at
    while start < bytes.count, (0x30...0x39).contains(bytes[start]) { start += 1 }
    guard start < bytes.count, bytes[start] == UInt8(ascii: "<") || bytes[start] == UInt8(ascii: ">") else {
      return false
    }
    guard start - at <= 1 else { throw ShellMisunderstanding("it redirects a descriptor above 9") }
    at = start
    switch (bytes[at], peek(1), peek(2)) {
    case (_, UInt8(ascii: "("), _): throw ShellMisunderstanding("it substitutes a process")
    case (UInt8(ascii: "<"), UInt8(ascii: "<"), UInt8(ascii: "<")): throw unexpected()
    case (UInt8(ascii: "<"), UInt8(ascii: "<"), let next):
      at += 2
      if next == UInt8(ascii: "-") { at += 1 }
      try hereDocument(stripsTabs: next == UInt8(ascii: "-"))
      return true
    case (_, UInt8(ascii: "&"), _):
      at += 2
      try duplication()
      return true
    case (UInt8(ascii: ">"), UInt8(ascii: ">"), _), (UInt8(ascii: ">"), UInt8(ascii: "|"), _),
      (UInt8(ascii: "<"), UInt8(ascii: ">"), _):
      at += 2
    default: at += 1
    }
    try skipBlanks()
    guard !isWordEnd(peek()) else { throw unexpected() }
    line.redirections.append(ShellRedirection(file: try target()))
    return true
  }

  /// A number right in front of the next redirection belongs to that one.
  mutating func target() throws(ShellMisunderstanding) -> ShellWord {
    let start = at
    let word = try word()
    let isNumber = bytes[start..<at].allSatisfy { (0x30...0x39).contains($0) }
    guard !isNumber || peek() != UInt8(ascii: "<") && peek() != UInt8(ascii: ">") else { throw unexpected() }
    return word
  }

  /// `2>&1` and `>&-`; with a name behind it shells differ.
  mutating func duplication() throws(ShellMisunderstanding) {
    guard let byte = peek(), byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte), isWordEnd(peek(1)) else {
      throw unexpected()
    }
    at += 1
  }

  mutating func hereDocument(stripsTabs: Bool) throws(ShellMisunderstanding) {
    try skipBlanks()
    guard !isWordEnd(peek()) else { throw unexpected() }
    let word = try target()
    guard let value = word.value, !value.isEmpty, !value.utf8.contains(UInt8(ascii: "\n")) else { throw unexpected() }
    hereDocuments.append((Array(value.utf8), !word.isPlain, stripsTabs))
  }

  /// Skips the bodies that begin here. In those whose delimiter is not quoted the shell substitutes.
  mutating func skipHereDocuments() throws(ShellMisunderstanding) {
    for document in hereDocuments {
      while true {
        guard at < bytes.count else { throw ShellMisunderstanding("a here-document does not end") }
        let end = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        var line = bytes[at..<end]
        if document.stripsTabs { line = line.drop { $0 == UInt8(ascii: "\t") } }
        at = min(end + 1, bytes.count)
        if line.elementsEqual(document.delimiter) { break }
        if !document.isQuoted, line.contains(where: { "$`\\".utf8.contains($0) }) {
          throw ShellMisunderstanding("a here-document holds substitutions")
        }
      }
    }
    hereDocuments.removeAll()
  }

  // MARK: Bytes

  func peek(_ offset: Int = 0) -> UInt8? {
    at + offset < bytes.count ? bytes[at + offset] : nil
  }

  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  func isBlank(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  func isWordEnd(_ byte: UInt8?) -> Bool {
    guard let byte else { return true }
    return " \t\n;&|()<>".utf8.contains(byte)
  }

  func isAtEnd(of closing: Closing) -> Bool {
    switch closing {
    case .text: at >= bytes.count
    case .parenthesis: peek() == UInt8(ascii: ")")
    case .brace: peek() == UInt8(ascii: "}") && isWordEnd(peek(1))
    }
  }

  /// Takes a reserved word of one character, which must stand alone.
  mutating func takeReserved(_ byte: UInt8) -> Bool {
    guard peek() == byte, isBlank(peek(1)) else { return false }
    at += 1
    return true
  }

  /// Blanks, line continuations and a comment.
  mutating func skipBlanks() throws(ShellMisunderstanding) {
    let start = at
    while let byte = peek() {
      if isBlank(byte) {
        at += 1
      } else if byte == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "\n") {
        at += 2
      } else if byte == UInt8(ascii: "#"), at == 0 || at > start || isWordEnd(bytes[at - 1]) {
        while let byte = peek(), byte != UInt8(ascii: "\n") { at += 1 }
      } else {
        return
      }
    }
  }

  mutating func skipNewlines() throws(ShellMisunderstanding) {
    while true {
      try skipBlanks()
      guard peek() == UInt8(ascii: "\n") else { return }
      at += 1
      try skipHereDocuments()
    }
  }

  func unclosed(_ quote: String) -> ShellMisunderstanding { ShellMisunderstanding("a \(quote) is not closed") }

  func unexpected() -> ShellMisunderstanding {
    guard at < bytes.count else { return ShellMisunderstanding("it ends where more has to follow") }
    return ShellMisunderstanding("it could not be read from character \(at + 1) on")
  }
}

/// Words: quotes, substitutions and what is left of them (XCU 2.2, 2.6).
extension ShellParser {
  mutating func word() throws(ShellMisunderstanding) -> ShellWord {
    words += 1
    guard words <= Limits.words else { throw ShellMisunderstanding("there are too many words") }
    lastWordStart = at
    var value: [UInt8]? = []
    var isPlain = true
    let start = at
    while let byte = peek(), !isWordEnd(byte) {
      switch byte {
      case UInt8(ascii: "'"):
        isPlain = false
        at += 1
        guard let end = bytes[at...].firstIndex(of: byte) else { throw unclosed("'") }
        value?.append(contentsOf: bytes[at..<end])
        at = end + 1
      case UInt8(ascii: "\""):
        isPlain = false
        at += 1
        try quoted(&value)
      case UInt8(ascii: "\\"):
        isPlain = false
        guard let next = peek(1) else { throw ShellMisunderstanding("it ends with a backslash") }
        // It joins the lines before reserved words and assignments are looked for.
        guard next != UInt8(ascii: "\n") else { throw ShellMisunderstanding("a word goes on in the next line") }
        value?.append(next)
        at += 2
      case UInt8(ascii: "$"): try dollar(&value, isQuoted: false)
      case UInt8(ascii: "`"):
        try backquote()
        value = nil
      // Patterns, and what bash or zsh expand beyond POSIX.
      case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["):
        value = nil
        at += 1
      case UInt8(ascii: "{"):
        if peek(1) == UInt8(ascii: "}") { at += 1 } else { value = nil }
        value?.append(contentsOf: [UInt8(ascii: "{"), UInt8(ascii: "}")])
        at += 1
      case UInt8(ascii: "~") where at == start || bytes[at - 1] == UInt8(ascii: "=") || bytes[at - 1] == 0x3A:
        value = nil
        at += 1
      case UInt8(ascii: "=") where at == start:
        value = nil
        at += 1
      // A no-break space of Latin 1, at which a shell in that locale may end the word; and control characters.
      case 0xA0, 0..<0x20, 0x7F: throw ShellMisunderstanding("it holds a character that shells read differently")
      default:
        value?.append(byte)
        at += 1
      }
    }
    // `{fd}>file` names a descriptor in bash and is a word in dash.
    if bytes[start] == UInt8(ascii: "{"), peek() == UInt8(ascii: "<") || peek() == UInt8(ascii: ">") {
      throw unexpected()
    }
    return ShellWord(value: try value.map(text), isPlain: isPlain)
  }

  private func text(_ bytes: [UInt8]) throws(ShellMisunderstanding) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ShellMisunderstanding("a word is not UTF-8")
    }
    return text
  }

  /// What stands between double quotes, up to and with the closing one.
  private mutating func quoted(_ value: inout [UInt8]?) throws(ShellMisunderstanding) {
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\""):
        at += 1
        return
      case UInt8(ascii: "\\"):
        guard let next = peek(1) else { throw unclosed("\"") }
        at += 2
        if "$`\"\\".utf8.contains(next) {
          value?.append(next)
        } else if next != UInt8(ascii: "\n") {
          value?.append(contentsOf: [byte, next])
        }
      case UInt8(ascii: "$"): try dollar(&value, isQuoted: true)
      case UInt8(ascii: "`"):
        try backquote()
        value = nil
      default:
        value?.append(byte)
        at += 1
      }
    }
    throw unclosed("\"")
  }

  private mutating func dollar(_ value: inout [UInt8]?, isQuoted: Bool) throws(ShellMisunderstanding) {
    guard let next = peek(1) else {
      value?.append(UInt8(ascii: "$"))
      at += 1
      return
    }
    switch next {
    case UInt8(ascii: "("):
      guard peek(2) != UInt8(ascii: "(") else { throw ShellMisunderstanding("it computes with $(( ))") }
      at += 2
      try nested()
      value = nil
    case UInt8(ascii: "{"):
      guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "}")), isParameter(bytes[(at + 2)..<end]) else {
        throw ShellMisunderstanding("it uses ${ } with more than a name")
      }
      at = end + 1
      value = nil
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
      at += 1
      while let byte = peek(), ShellParser.isNameByte(byte) { at += 1 }
      value = nil
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "@"), UInt8(ascii: "*"), UInt8(ascii: "#"),
      UInt8(ascii: "?"), UInt8(ascii: "-"), UInt8(ascii: "$"), UInt8(ascii: "!"):
      at += 2
      value = nil
    // A dollar sign that nothing follows stands for itself.
    case _ where isWordEnd(next) && !isQuoted, UInt8(ascii: "\"") where isQuoted, UInt8(ascii: " ") where isQuoted:
      value?.append(UInt8(ascii: "$"))
      at += 1
    default: throw ShellMisunderstanding("it uses $ in a way that shells read differently")
    }
  }

  private func isParameter(_ name: ArraySlice<UInt8>) -> Bool {
    guard let first = name.first else { return false }
    if name.allSatisfy({ (0x30...0x39).contains($0) }) { return true }
    return name.allSatisfy(ShellParser.isNameByte) && !(0x30...0x39).contains(first)
  }

  /// Behind `$(`; its commands are commands of this text.
  private mutating func nested() throws(ShellMisunderstanding) {
    // The body of a here-document could begin inside or outside.
    guard hereDocuments.isEmpty else { throw ShellMisunderstanding("a here-document holds substitutions") }
    let start = lastWordStart
    // `$()`: nothing runs, and shells differ in what they say to it.
    if peek() == UInt8(ascii: ")") { throw unexpected() }
    try list(until: .parenthesis)
    guard hereDocuments.isEmpty else { throw ShellMisunderstanding("a here-document does not end") }
    lastWordStart = start
    at += 1
  }

  private mutating func backquote() throws(ShellMisunderstanding) {
    at += 1
    guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "`")) else { throw unclosed("`") }
    let inner = Array(bytes[at..<end])
    guard !inner.contains(UInt8(ascii: "\\")) else { throw ShellMisunderstanding("` ` holds a backslash") }
    guard depth < Limits.depth else { throw ShellMisunderstanding("the command is nested too deeply") }
    var parser = ShellParser(inner, depth: depth)
    parser.words = words
    let commands = try parser.parse().commands
    words = parser.words
    for line in commands { try add(line) }
    at = end + 1
  }
}

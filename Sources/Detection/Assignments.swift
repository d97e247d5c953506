/// Values that a name beside them calls a secret: `password=…`, `"api_key": "…"`, `://user:…@host`.
extension Scanner {
  mutating func colon(at index: Int) -> Int? {
    if text[index + 1] == UInt8(ascii: "/"), text[index + 2] == UInt8(ascii: "/") { return scheme(at: index) }
    if kinds.contains(.macAddress) || kinds.contains(.ipAddress),
      text[index + 1].isHex || text[index + 1] == UInt8(ascii: ":"),
      text[index - 1].isHex || text[index + 1] == UInt8(ascii: ":"), let end = hexadecimal(at: index)
    {
      return end
    }
    return assignment(at: index)
  }

  /// `://user:secret@host`, and Slack's webhooks.
  private mutating func scheme(at index: Int) -> Int? {
    var end = index + 3
    if text.matches("hooks.slack.com/", at: end) {
      while end - index < 200, text[end].isToken || text[end] == UInt8(ascii: "/") || text[end] == UInt8(ascii: ".") {
        end += 1
      }
      if end - index > 40 { found(.slackToken, index + 3..<end, .high) }
      return end
    }
    var colon: Int?
    while end - index < 200 {
      let byte = text[end]
      if byte == UInt8(ascii: "@") {
        guard let colon, end - colon > 1, !isPlaceholder(colon + 1, end) else { return end }
        found(.password, (colon + 1)..<end, .high)
        return end + 1
      }
      if byte <= 0x20 || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
        || byte == UInt8(ascii: "<")
      {
        break
      }
      if byte == UInt8(ascii: ":"), colon == nil { colon = end }
      end += 1
    }
    return index + 3
  }

  /// A name of a secret, `=` or `:`, and its value.
  mutating func assignment(at index: Int) -> Int? {
    let next = index + 1
    guard let kind = secretNamed(before: index) else { return next }
    var begin = next
    if text[begin] == UInt8(ascii: "=") || text[begin] == UInt8(ascii: ">") {
      // `==` compares; `:=` and `=>` assign.
      if text[index] == text[begin] { return begin + 1 }
      begin += 1
    }
    let isSpaced = text[begin] == UInt8(ascii: " ")
    while begin - next < 4, text[begin] == UInt8(ascii: " ") || text[begin] == 0x09 { begin += 1 }
    if text[begin] == UInt8(ascii: "\\") { begin += 1 }
    let quote = text[begin]
    let isQuoted = quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") || quote == UInt8(ascii: "`")
    if isQuoted { begin += 1 }
    let end = isQuoted ? endOfQuoted(begin, quote) : endOfBare(begin)
    guard let end,
      isSecret(begin, end, kind, isQuoted: isQuoted, isSpaced: isSpaced, byColon: text[index] == UInt8(ascii: ":"))
    else { return next }
    found(kind, begin..<end, .medium)
    // It may be a token that has a name of its own.
    return begin
  }

  private func endOfQuoted(_ start: Int, _ quote: UInt8) -> Int? {
    var end = start
    while end - start < 200, text[end] != quote, text[end] != UInt8(ascii: "\\") {
      if text[end] < 0x20 { return nil }
      end += 1
    }
    return text[end] == quote || text[end] == UInt8(ascii: "\\") ? end : nil
  }

  private func endOfBare(_ start: Int) -> Int? {
    var end = start
    while end - start < 200 {
      let byte = text[end]
      if byte <= 0x20 || ",;&\"'<>)]}`|\\".utf8.contains(byte) { break }
      end += 1
    }
    if end > start, text[end - 1] == UInt8(ascii: "."), end >= text.count || text[end].isBlank { end -= 1 }
    return end
  }

  /// Whether what stands there may be a secret, and is no placeholder, no code and no type.
  private func isSecret(
    _ start: Int, _ end: Int, _ kind: DetectorKind, isQuoted: Bool, isSpaced: Bool, byColon: Bool
  ) -> Bool {
    guard end - start >= 4, !isPlaceholder(start, end) else { return false }
    switch kind {
    case .azureKey where end - start < 30, .awsKey where end - start != 40: return false
    default: break
    }
    if isQuoted { return true }
    var digits = 0
    var signs = 0
    for index in start..<end {
      let byte = text[index]
      if byte.isDigit {
        digits += 1
      } else if !byte.isLetter, byte != UInt8(ascii: "_"), byte != UInt8(ascii: ".") {
        signs += 1
      }
      // A call, or a look-up.
      if byte == UInt8(ascii: "(") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") { return false }
    }
    // The mark that ends a sentence.
    if signs == 1, text[end - 1] == UInt8(ascii: "?") || text[end - 1] == UInt8(ascii: "!") { signs = 0 }
    if digits + signs > 0, !(text[start] == UInt8(ascii: "/") && digits == 0) { return true }
    // Letters alone: a word of a sentence or a name of code, unless written as connection strings are.
    return !byColon && !isSpaced && !(start..<end).contains { text[$0] == UInt8(ascii: ".") }
  }

  private static let placeholders: Set<String> = [
    "null", "none", "true", "false", "nil", "undefined", "required", "string", "optional", "redacted", "hidden",
    "changeme", "password", "passwd", "secret", "your_password", "yourpassword", "example", "empty", "masked",
  ]

  private func isPlaceholder(_ start: Int, _ end: Int) -> Bool {
    let first = text[start]
    if first == UInt8(ascii: "$") || first == UInt8(ascii: "{") || first == UInt8(ascii: "<")
      || first == UInt8(ascii: "%") || first == UInt8(ascii: "[")
    {
      return true
    }
    if (start..<end).allSatisfy({ text[$0] == first }) { return true }
    guard end - start <= 13 else { return false }
    return Scanner.placeholders.contains(
      String(decoding: (start..<end).map { text[$0].lowered }, as: UTF8.self))
  }

  /// What the name before an assignment calls its value; nil for anything but a secret.
  private func secretNamed(before index: Int) -> DetectorKind? {
    guard text[index + 1] != UInt8(ascii: ":") else { return nil }
    var end = index
    while index - end < 4, Scanner.isAroundName(text[end - 1]) { end -= 1 }
    // The last letters tell most names from these at once.
    guard end >= 3, Scanner.lastLetters[Int(text[end - 1])] else { return nil }
    let last = UInt32(text[end - 3].lowered) << 16 | UInt32(text[end - 2].lowered) << 8 | UInt32(text[end - 1].lowered)
    guard Scanner.mayEndName(last) else { return nil }
    var start = end
    while start > 0, end - start < 40,
      text[start - 1].isToken || text[start - 1] == UInt8(ascii: ".") || text[start - 1] >= 0x80
    { start -= 1 }
    var name: [UInt8] = []
    for place in start..<end where text[place] != UInt8(ascii: "_") && text[place] != UInt8(ascii: "-") {
      name.append(text[place].lowered)
    }
    for (ending, kind) in Scanner.secretNames where kinds.contains(kind) && Scanner.ends(name, with: ending) {
      return kind
    }
    return nil
  }

  private static func ends(_ name: [UInt8], with ending: [UInt8]) -> Bool {
    name.count >= ending.count && name[(name.count - ending.count)...].elementsEqual(ending)
  }

  /// Ends of names, lower case, without `_` and `-`. The first that fits counts.
  private static let secretNames: [([UInt8], DetectorKind)] = {
    let names: [(DetectorKind, String)] = [
      (.awsKey, "secretaccesskey awssecretkey"), (.azureKey, "accountkey sharedaccesskey"),
      (
        .password,
        "password passwd pwd passphrase passwort kennwort contraseña contrasena motdepasse wachtwoord senha hasło "
          + "clientsecret secretkey apikey authtoken accesstoken privatetoken dbpass userpass apisecret appsecret "
          + "secret pass"
      ),
    ]
    return names.flatMap { kind, names in names.split(separator: " ").map { (Array($0.utf8), kind) } }
  }()

  /// The last three letters of all of them, and by the last alone.
  private static let nameEndings: [UInt32] = Array(
    Set(secretNames.map { name, _ in name.suffix(3).reduce(0) { $0 << 8 | UInt32($1) } }))
  /// By a hash of ten bits: nearly all other names end here.
  private static let endingFilter: [Bool] = nameEndings.reduce(into: Array(repeating: false, count: 1024)) {
    $0[Int(($1 &* 0x9E37_79B1) >> 22)] = true
  }
  private static func mayEndName(_ last: UInt32) -> Bool {
    endingFilter[Int((last &* 0x9E37_79B1) >> 22)] && nameEndings.contains(last)
  }
  private static let lastLetters: [Bool] = (UInt8.min ... .max).map { byte in
    secretNames.contains { name, _ in name.last == byte.lowered }
  }

  private static func isAroundName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"), UInt8(ascii: "]"),
      UInt8(ascii: "\\"):
      true
    default: false
    }
  }
}

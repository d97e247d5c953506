/// Addresses of people, tokens and keys: what has a mark of its own.
extension Scanner {
  // MARK: Email

  /// A name before the `@`, a domain with a top level behind it (RFC 5321 §4.1.2, without quoted names).
  mutating func email(at index: Int) -> Int? {
    let table = ByteClass.table
    var start = index
    while start > 0, index - start < 65, table[Int(text[start - 1])] & ByteClass.local != 0 { start -= 1 }
    while start < index,
      text[start] == UInt8(ascii: ".") || text[start] == UInt8(ascii: "-") || text[start] == UInt8(ascii: "%")
    { start += 1 }
    guard start < index, index - start <= 64, text[index - 1] != UInt8(ascii: ".") else { return index + 1 }
    // The password of an address with one: `://user:secret@host`.
    if text[start - 1] == UInt8(ascii: ":"), isUserInfo(start - 1) { return index + 1 }
    var end = index + 1
    var label = end
    var dots = 0
    while end - index < 254 {
      let byte = text[end]
      if byte == UInt8(ascii: "."), end > label, text[end + 1].isWord {
        dots += 1
        label = end + 1
      } else if !(byte.isWord || byte == UInt8(ascii: "-") && end > label || byte >= 0x80) {
        break
      }
      end += 1
    }
    while end > label, text[end - 1] == UInt8(ascii: "-") { end -= 1 }
    guard dots > 0, isTopLevel(label, end), text[end] != UInt8(ascii: "@") else { return index + 1 }
    // `git@host:path`
    if text[end] == UInt8(ascii: ":"), text.matches("git", at: index - 3), index - start == 3 { return end }
    found(.email, start..<end, .high)
    return end
  }

  private func isUserInfo(_ colon: Int) -> Bool {
    var index = colon
    while index > 2, colon - index < 64, text[index - 1].isToken || text[index - 1] == UInt8(ascii: ".") { index -= 1 }
    return text[index - 1] == UInt8(ascii: "/") && text[index - 2] == UInt8(ascii: "/")
  }

  /// Endings of files, which are no top-level domains.
  private static let fileEndings: Set<String> = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "xml", "yaml", "yml", "txt", "pdf",
    "py", "rb", "sql", "log", "tgz", "gz", "tar", "lock", "bak", "csv", "local", "service", "timer", "socket",
  ]

  private func isTopLevel(_ start: Int, _ end: Int) -> Bool {
    guard end - start >= 2, end - start <= 24 else { return false }
    if text.matches("xn--", at: start) { return true }
    for index in start..<end where !text[index].isLetter && text[index] < 0x80 { return false }
    guard end - start <= 7 else { return true }
    let name = String(decoding: (start..<end).map { text[$0].lowered }, as: UTF8.self)
    return !Scanner.fileEndings.contains(name)
  }

  // MARK: Tokens by prefix

  /// A token of the alphabet of base64url that stands for itself, of this length behind its prefix.
  private mutating func token(
    _ kind: DetectorKind, from start: Int, prefix: Int, _ lengths: ClosedRange<Int>, onlyWords: Bool = false
  ) -> Int? {
    guard !text[start - 1].isToken || text[start - 1] == UInt8(ascii: "-") && text[start - 2] == UInt8(ascii: "-")
    else { return nil }
    let begin = start + prefix
    let end = onlyWords ? text.endOfWord(begin, limit: 300) : text.endOfToken(begin, limit: 300)
    guard lengths.contains(end - begin), !(onlyWords && text[end].isToken) else { return nil }
    found(kind, start..<end, .high)
    return end
  }

  /// `ghp_…`, `github_pat_…`, `sk_live_…`, `whsec_…`.
  mutating func underscore(at index: Int) -> Int? {
    let next = index + 1
    if text[index - 3] == UInt8(ascii: "g"), text[index - 2] == UInt8(ascii: "h"),
      "pousr".utf8.contains(text[index - 1])
    {
      return token(.githubToken, from: index - 3, prefix: 4, 36...251, onlyWords: true) ?? next
    }
    if text.matches("github_pat_", at: index - 6) {
      return token(.githubToken, from: index - 6, prefix: 11, 60...251) ?? next
    }
    if text[index - 1] == UInt8(ascii: "k"),
      text[index - 2] == UInt8(ascii: "s") || text[index - 2] == UInt8(ascii: "r"),
      text.matches("live_", at: next) || text.matches("test_", at: next)
    {
      return token(.stripeKey, from: index - 2, prefix: 8, 16...247, onlyWords: true) ?? next
    }
    if text.matches("whsec_", at: index - 5) {
      return token(.stripeKey, from: index - 5, prefix: 6, 24...128, onlyWords: true) ?? next
    }
    return next
  }

  /// `sk-…`, `xoxb-…`, `GOCSPX-…`, PEM headers, and hardware addresses with dashes.
  mutating func dash(at index: Int) -> Int? {
    let (next, before) = (index + 1, text[index - 1])
    if before == UInt8(ascii: "k"), text[index - 2] == UInt8(ascii: "s") { return secretKey(index - 2) ?? next }
    if before == UInt8(ascii: "X"), text.matches("GOCSPX-", at: index - 6) {
      return token(.gcpKey, from: index - 6, prefix: 7, 24...40) ?? next
    }
    if text.matches("xox", at: index - 4), "abcdeprs".utf8.contains(before), text[next].isDigit {
      return token(.slackToken, from: index - 4, prefix: 5, 20...250) ?? next
    }
    if text.matches("xapp-", at: index - 4) { return token(.slackToken, from: index - 4, prefix: 5, 20...250) ?? next }
    if before == UInt8(ascii: " ") || before != UInt8(ascii: "-"), text.matches("-----BEGIN ", at: index) {
      return pem(at: index)
    }
    if kinds.contains(.macAddress), text[index + 3] == UInt8(ascii: "-"), before.isHex,
      let end = endOfDashedMAC(index - 2)
    {
      return end
    }
    return next
  }

  /// The end of a hardware address with dashes, which is found then; one of digits alone may be anything.
  mutating func endOfDashedMAC(_ start: Int) -> Int? {
    guard text[start].isHex, !text[start - 1].isWord, text[start - 1] != UInt8(ascii: "-"),
      let end = endOfMAC(start, UInt8(ascii: "-")), (start..<end).contains(where: { text[$0].isLetter })
    else { return nil }
    found(.macAddress, start..<end, .high)
    return end
  }

  private mutating func secretKey(_ start: Int) -> Int? {
    if text.matches("sk-ant-", at: start) { return token(.anthropicKey, from: start, prefix: 7, 24...250) }
    for prefix: StaticString in ["sk-proj-", "sk-svcacct-", "sk-admin-"] where text.matches(prefix, at: start) {
      return token(.openAIKey, from: start, prefix: prefix.utf8CodeUnitCount, 24...250)
    }
    return token(.openAIKey, from: start, prefix: 3, 32...128, onlyWords: true)
  }

  /// `AKIA…`, `ASIA…`, `AIza…`: from their I.
  mutating func cloudKey(at index: Int) -> Int? {
    if text[index - 1] == UInt8(ascii: "A"), text[index + 1] == UInt8(ascii: "z"), text[index + 2] == UInt8(ascii: "a")
    {
      return token(.gcpKey, from: index - 1, prefix: 4, 35...35) ?? index + 1
    }
    guard text[index + 1] == UInt8(ascii: "A"), text.matches("AK", at: index - 2) || text.matches("AS", at: index - 2)
    else {
      return index + 1
    }
    let end = text.endOfWord(index + 2, limit: 32)
    guard end - index == 18, !text[index - 3].isToken, !text[end].isToken else { return index + 1 }
    for place in (index + 2)..<end where !text[place].isUpper && !(0x32...0x37).contains(text[place]) { return end }
    found(.awsKey, (index - 2)..<end, .high)
    return end
  }

  /// `ya29.…`: what Google hands out for an hour.
  mutating func accessToken(_ start: Int) -> Int? {
    let end = text.endOfToken(start + 5, limit: 300)
    if end - start >= 30 { found(.gcpKey, start..<end, .high) }
    return end
  }

  /// A client secret of Microsoft Entra: three characters, a digit, `Q~` and 31 to 34 more.
  mutating func azureSecret(at index: Int) -> Int? {
    func isPart(_ byte: UInt8) -> Bool { byte.isToken || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~") }
    guard text[index - 1] == UInt8(ascii: "Q"), text[index - 2].isDigit,
      (3...5).allSatisfy({ isPart(text[index - $0]) }),
      !isPart(text[index - 6])
    else { return index + 1 }
    var end = index + 1
    while end - index < 40, isPart(text[end]) { end += 1 }
    if end > index, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
    if (31...34).contains(end - index - 1) { found(.azureKey, (index - 5)..<end, .high) }
    return end
  }

  /// RFC 7519: `eyJ` is `{"` in base64url. Header, payload, and a signature that may be empty.
  mutating func jwt(at index: Int) -> Int? {
    guard text[index - 1] == UInt8(ascii: "y"), text[index - 2] == UInt8(ascii: "e"), !text[index - 3].isToken else {
      return index + 1
    }
    let start = index - 2
    let header = text.endOfToken(start, limit: 400)
    guard header - start >= 12, text[header] == UInt8(ascii: "."), text[header + 1].isToken else { return index + 1 }
    if !isFinal, text.count - position < Scanner.longLookAhead { return nil }
    let payload = text.endOfToken(header + 1, limit: 12_000)
    guard payload - header > 8, text[payload] == UInt8(ascii: ".") else { return payload }
    let signature = text.endOfToken(payload + 1, limit: 3_000)
    found(.jwt, start..<signature, .high)
    return signature
  }

  // MARK: Private keys

  /// RFC 7468: from the header to the footer, which may be lost, and with `\n` for ends of lines.
  private mutating func pem(at index: Int) -> Int? {
    let body = index + 11
    var end = body
    while end - body < 40, text[end] == UInt8(ascii: " ") || text[end].isUpper || text[end].isDigit { end += 1 }
    guard text.matches("-----", at: end), text.matches("KEY", at: end - 3) || text.matches("BLOCK", at: end - 5),
      (body..<end).contains(where: { text.matches("PRIVATE", at: $0) })
    else { return index + 5 }
    if !isFinal, text.count - position < Scanner.longLookAhead { return nil }
    let limit = min(text.count, index + Scanner.longLookAhead - 64)
    end += 5
    // The last run of base64 that is long enough to be of the key.
    let header = end
    var stop = end
    var run = 0
    while end < limit {
      let byte = text[end]
      if byte == UInt8(ascii: "-"), text.matches("-----END ", at: end) {
        var close = end + 9
        while close - end < 60, text[close] != UInt8(ascii: "-") { close += 1 }
        while close - end < 70, text[close] == UInt8(ascii: "-") { close += 1 }
        found(.privateKey, index..<close, .high)
        return close
      }
      run =
        byte.isWord || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "=") ? run + 1 : 0
      if run >= 20 { stop = end + 1 }
      if end - stop > 400 { break }
      end += 1
    }
    guard stop > header else { return header }
    // The last line may be short.
    if run > 0, end - stop < 80 { stop = end }
    found(.privateKey, index..<stop, .high)
    return stop
  }
}

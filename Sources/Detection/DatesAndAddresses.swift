/// Days and addresses of machines.
extension Scanner {
  // MARK: Days

  /// `1985-03-02`, `02.03.1985`, `3/2/85`. What is a day is no other number; a birthday where words say so.
  func date(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard first + 2 < number.count, best.kind == nil else { return }
    let separator = number.separator(first)
    guard separator == number.separator(first + 1),
      separator == UInt8(ascii: "-") || separator == UInt8(ascii: ".") || separator == UInt8(ascii: "/")
    else { return }
    let lengths = (number.length(first), number.length(first + 1), number.length(first + 2))
    let digits = number.digits(first, first + 2)
    let (a, b) = (digits.number(0, lengths.0), digits.number(lengths.0, min(lengths.1, 4)))
    let c = lengths.2 <= 4 ? digits.number(lengths.0 + lengths.1, lengths.2) : 0
    let isDay: Bool
    switch lengths {
    case (4, 1...2, 1...2): isDay = a >= 1900 && Digits.isDay(a, b, c)
    case (1...2, 1...2, 4): isDay = c >= 1900 && (Digits.isDay(c, b, a) || Digits.isDay(c, a, b))
    case (1...2, 1...2, 2): isDay = Digits.isDay(c, b, a) || Digits.isDay(c, a, b)
    default: isDay = false
    }
    guard isDay else { return }
    // Two digits of a year alone are weak: a number may still be read otherwise.
    if lengths.0 == 4 || lengths.2 == 4 { best.isDate = true }
    consider(.dateOfBirth, .low, number.range(first, first + 2), next: first + 3, &best)
    if best.isDate { best.next = first + 3 }
  }

  private static let months: Set<UInt32> = {
    let names =
      "jan feb mar mär apr mai may jun jul aug sep oct okt nov dec dez fév fev avr jui aoû "
      + "ene abr ago dic gen mag giu lug set ott maj mrt mei"
    return Set(names.split(separator: " ").map { name in name.utf8.prefix(3).reduce(0) { $0 << 8 | UInt32($1) } })
  }()

  /// `5 March 1980`, `5. März 1980`, `March 5, 1980` where the words around speak of a birth.
  mutating func namedMonth(_ number: NumberGroups, _ next: Int) -> Int? {
    guard number.count == 1, (1...31).contains(number.digits.number(0, number.digits.count)) else { return nil }
    let start = number.start(0)
    var range: Range<Int>?
    var month = number.end
    if text[month] == UInt8(ascii: ".") || text[month] == UInt8(ascii: "t") || text[month] == UInt8(ascii: "s") {
      month += 1
    }
    if text[month] == UInt8(ascii: "h") || text[month] == UInt8(ascii: "t") { month += 1 }
    if text[month] == UInt8(ascii: " "), isMonth(month + 1) {
      var year = month + 1
      while year - month < 14, text[year].isLetter || text[year] >= 0x80 || text[year] == UInt8(ascii: ".") {
        year += 1
      }
      if text[year] == UInt8(ascii: ",") { year += 1 }
      if text[year] == UInt8(ascii: " "), let end = endOfYear(year + 1) { range = start..<end }
    } else if text[number.end] == UInt8(ascii: ","), text[number.end + 1] == UInt8(ascii: " "),
      text[start - 1] == UInt8(ascii: " "),
      let end = endOfYear(number.end + 2)
    {
      var word = start - 1
      while word > 0, start - word < 12, text[word - 1].isLetter { word -= 1 }
      if isMonth(word) { range = word..<end }
    }
    guard let range else { return nil }
    if context(range).kinds.contains(.dateOfBirth) { found(.dateOfBirth, range, .medium) }
    return range.upperBound
  }

  private func isMonth(_ index: Int) -> Bool {
    Scanner.months.contains(
      (0..<3).reduce(0) { $0 << 8 | UInt32(text[index + $1].lowered) })
  }

  private func endOfYear(_ index: Int) -> Int? {
    for offset in 0..<4 where !text[index + offset].isDigit { return nil }
    guard !text[index + 4].isWord else { return nil }
    return text[index] == UInt8(ascii: "1") && text[index + 1] == UInt8(ascii: "9") || text[index] == UInt8(ascii: "2")
      ? index + 4 : nil
  }

  // MARK: Addresses of machines

  /// Four numbers up to 255. Versions look the same: a word or a `v` before tells.
  func address(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard kinds.contains(.ipAddress), first + 3 < number.count, number.length(first) <= 3 else { return }
    // Ranges of versions.
    let before = text[number.start(first) - 1]
    if before == UInt8(ascii: "^") || before == UInt8(ascii: "~") { return }
    for group in first..<(first + 4) {
      guard number.length(group) <= 3, group == first + 3 || number.separator(group) == UInt8(ascii: ".") else {
        return
      }
      let digits = number.digits(group, group)
      guard digits.number(0, digits.count) <= 255, digits.count == 1 || digits[0] != 0 else { return }
    }
    if first + 4 < number.count,
      number.separator(first + 3) == UInt8(ascii: ".") || number.separator(first + 3) == UInt8(ascii: "-")
    {
      return
    }
    if first + 4 == number.count, text[number.end] == UInt8(ascii: "-") || text[number.end].isWord { return }
    guard number.digits(first, first)[0] != 0 || number.digits(first, first + 3).number(0, 4) == 0 else { return }
    consider(.ipAddress, .medium, number.range(first, first + 3), next: first + 4, &best)
  }

  /// Hardware addresses and IPv6, which have colons.
  mutating func hexadecimal(at colon: Int) -> Int? {
    var start = colon
    while start > 0, colon - start < 5, text[start - 1].isHex { start -= 1 }
    guard colon - start <= 4, !text[start - 1].isWord, text[start - 1] != UInt8(ascii: ":"),
      text[start - 1] != UInt8(ascii: "/"),
      text[start - 1] != UInt8(ascii: "."), text[start - 1] != UInt8(ascii: "_")
    else { return nil }
    if colon - start == 2, text[colon + 3] == UInt8(ascii: ":"), let end = endOfMAC(start, UInt8(ascii: ":")) {
      found(.macAddress, start..<end, .high)
      return end
    }
    return address6(start)
  }

  /// Six pairs of hexadecimal digits, and no seventh.
  func endOfMAC(_ start: Int, _ separator: UInt8) -> Int? {
    for index in 0..<6 {
      let pair = start + index * 3
      guard text[pair].isHex, text[pair + 1].isHex, index == 5 || text[pair + 2] == separator else { return nil }
    }
    let end = start + 17
    return text[end].isWord || text[end] == separator && text[end + 1].isWord ? nil : end
  }

  /// RFC 4291 §2.2; nil for what is none, such as a time of day.
  private mutating func address6(_ start: Int) -> Int? {
    var index = start
    var groups = 0
    var digits = 0
    var gap = false
    while groups < 9 {
      let group = index
      while index - group < 5, text[index].isHex {
        if text[index].isDigit { digits += 1 }
        index += 1
      }
      if index - group > 4 || text[index].isWord { return index > start ? text.endOfWord(index) : nil }
      if text[index] == UInt8(ascii: "."), groups >= 2, let end = endOfQuad(group) {
        index = end
        groups += 2
        break
      }
      if index > group { groups += 1 }
      guard text[index] == UInt8(ascii: ":") else { break }
      if text[index + 1] == UInt8(ascii: ":") {
        if gap { return index + 2 }
        gap = true
        index += 2
        if !text[index].isHex { break }
      } else if text[index + 1].isHex {
        index += 1
      } else {
        break
      }
    }
    let isWhole = gap ? groups >= 2 && groups < 8 && digits > 0 : groups == 8
    if isWhole, !text[index].isWord, !(text[index] == UInt8(ascii: ":") && text[index + 1].isWord) {
      if !(gap && groups < 3 && index - start < 7) { found(.ipAddress, start..<index, .medium) }
    }
    return index > start ? index : nil
  }

  private func endOfQuad(_ start: Int) -> Int? {
    var index = start
    for part in 0..<4 {
      let begin = index
      while index - begin < 3, text[index].isDigit { index += 1 }
      if index == begin { return nil }
      if part < 3 {
        guard text[index] == UInt8(ascii: ".") else { return nil }
        index += 1
      }
    }
    return text[index].isWord ? nil : index
  }
}

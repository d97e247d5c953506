/// Words that begin with letters and have digits: account numbers, tax codes, documents.
extension Scanner {
  mutating func word(from start: Int, digitAt digit: Int) -> Int? {
    let end = text.endOfWord(digit)
    let letters = digit - start
    // In the middle of a long one, such as a hash.
    if letters >= 40 { return end }
    if isGlued(before: start) { return end }
    if letters == 2, kinds.contains(.iban), let iban = endOfIBAN(start) {
      found(.iban, start..<iban, .high)
      return iban
    }
    let length = end - start
    if letters >= 6, length == 16, kinds.contains(.itCodiceFiscale), isCodiceFiscale(start), !isGlued(behind: end) {
      found(.itCodiceFiscale, start..<end, .high)
    } else if letters == 1, let end = endOfNIE(start, end) {
      var best = Candidate.none
      consider(.esDNI, .medium, start..<end, next: 0, &best)
      if let kind = best.kind { found(kind, best.range, best.confidence) }
    } else if (6...9).contains(length), kinds.contains(.passport), !isGlued(behind: end) {
      document(start, end)
    } else if letters == 2, kinds.contains(.gcpKey), text.matches("ya29.", at: start) {
      return accessToken(start)
    }
    return end
  }

  /// Whether all from there on, at most `letters` of them first, are digits; a letter may end it.
  private mutating func document(_ start: Int, _ end: Int) {
    var digits = 0
    for index in start..<end {
      if text[index].isDigit { digits += 1 } else if !text[index].isUpper { return }
    }
    guard digits >= 5 else { return }
    var best = Candidate.none
    consider(.passport, .low, start..<end, next: 0, &best)
    if let kind = best.kind { found(kind, best.range, best.confidence) }
  }

  /// `X1234567L`, `X-1234567-L`: a foreigner's number counts X, Y, Z as 0, 1, 2.
  private func endOfNIE(_ start: Int, _ end: Int) -> Int? {
    let first = text[start] & 0xDF
    guard first >= UInt8(ascii: "X"), first <= UInt8(ascii: "Z") else { return nil }
    var value = Int(first - UInt8(ascii: "X"))
    for offset in 1...7 {
      guard text[start + offset].isDigit else { return nil }
      value = value * 10 + Int(text[start + offset] &- 0x30)
    }
    let letter = text[start + 8] == UInt8(ascii: "-") ? start + 9 : start + 8
    guard text[letter] & 0xDF == Digits.dniLetter(value), !isGlued(behind: letter + 1) else { return nil }
    return letter + 1
  }

  // MARK: IBAN

  /// The length for a country by ISO 13616's registry; nil where there is none.
  private static let ibanLengths: [UInt8] = {
    let registry =
      "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
      + "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 "
      + "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 "
      + "QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    var lengths = [UInt8](repeating: 0, count: 26 * 26)
    for entry in registry.split(separator: " ") {
      let bytes = Array(entry.utf8)
      lengths[Int(bytes[0] - 0x41) * 26 + Int(bytes[1] - 0x41)] = UInt8(entry.suffix(2)) ?? 0
    }
    return lengths
  }()

  /// The end of an account number that begins there, as one word or in groups: length by country, and MOD 97-10 of
  /// ISO/IEC 7064 with the first four characters put last.
  private func endOfIBAN(_ start: Int) -> Int? {
    let (first, second) = (text[start] & 0xDF &- 0x41, text[start + 1] & 0xDF &- 0x41)
    guard first < 26, second < 26, text[start + 3].isDigit else { return nil }
    let length = Int(Scanner.ibanLengths[Int(first) * 26 + Int(second)])
    guard length > 0 else { return nil }
    var index = start
    var taken = 0
    var rest = 0
    while taken < length {
      let byte = text[index]
      guard byte.isWord else {
        // One blank or dash between groups.
        guard byte == UInt8(ascii: " ") || byte == UInt8(ascii: "-"), taken >= 4, text[index + 1].isWord,
          text[index - 1].isWord
        else {
          return nil
        }
        index += 1
        continue
      }
      if taken >= 4 { rest = Scanner.mod97(rest, byte) }
      taken += 1
      index += 1
    }
    for offset in 0..<4 { rest = Scanner.mod97(rest, text[start + offset]) }
    return rest == 1 && !text[index].isWord ? index : nil
  }

  private static func mod97(_ rest: Int, _ byte: UInt8) -> Int {
    byte.isDigit ? (rest * 10 + Int(byte &- 0x30)) % 97 : (rest * 100 + Int((byte & 0xDF) &- 0x41) + 10) % 97
  }

  // MARK: Codice fiscale

  /// Values of characters at odd places (D.M. 23/12/1976); 0 to 9 and A to J share theirs.
  private static let oddValues: [Int] = [
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
  ]

  /// Six letters, year, month, day, municipality and check letter; where two people would share one, digits are
  /// letters.
  private func isCodiceFiscale(_ start: Int) -> Bool {
    var sum = 0
    for index in 0..<15 {
      let byte = text[start + index]
      let isNumber = index >= 6 && index != 8 && index != 11
      if byte.isDigit {
        if !isNumber { return false }
      } else if isNumber, !"LMNPQRSTUV".utf8.contains(byte & 0xDF) {
        return false
      }
      let value = byte.isDigit ? Int(byte &- 0x30) : Int((byte & 0xDF) &- 0x41)
      sum += index & 1 == 0 ? Scanner.oddValues[value] : value
    }
    guard "ABCDEHLMPRST".utf8.contains(text[start + 8] & 0xDF) else { return false }
    return Int((text[start + 15] & 0xDF) &- 0x41) == sum % 26
  }

  // MARK: Documents that machines read

  /// The second line of a passport's machine-readable zone (ICAO 9303-4): 44 characters with check digits 7, 3, 1.
  mutating func machineReadable(at index: Int) -> Int? {
    var start = index
    while start > 0, index - start < 44, Scanner.isMRZ(text[start - 1]) { start -= 1 }
    var end = index
    while end - start < 89, Scanner.isMRZ(text[end]) { end += 1 }
    if end - start == 44 || end - start == 88 {
      let second = end - 44
      if isChecked(second, 9), isChecked(second + 13, 6), isChecked(second + 21, 6), text[second + 10].isUpper {
        found(.passport, second..<end, .high)
      }
    }
    return end
  }

  private static func isMRZ(_ byte: UInt8) -> Bool { byte.isUpper || byte.isDigit || byte == UInt8(ascii: "<") }

  private func isChecked(_ start: Int, _ length: Int) -> Bool {
    var sum = 0
    for offset in 0..<length {
      let byte = text[start + offset]
      let value = byte.isDigit ? Int(byte &- 0x30) : byte.isUpper ? Int(byte &- 0x41) + 10 : 0
      sum += value * [7, 3, 1][offset % 3]
    }
    return text[start + length].isDigit && Int(text[start + length] &- 0x30) == sum % 10
  }
}

extension Candidate {
  static let none = Candidate()
  private init() { next = 0 }
}

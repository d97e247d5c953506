/// Cards and personal numbers, by the form in which their digits are grouped.
extension Scanner {
  /// Whether a number may end with this group.
  private func isClosed(_ number: NumberGroups, _ last: Int) -> Bool {
    last + 1 < number.count ? number.separator(last) == UInt8(ascii: " ") : !isGlued(behind: number.end)
  }

  /// Of several groups.
  mutating func grouped(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard first + 1 < number.count || number.isFollowedByLetter || text[number.end] == UInt8(ascii: "-") else { return }
    switch number.length(first) {
    case 1: nirInGroups(number, first, &best)
    case 2: beginsWithTwo(number, first, &best)
    case 3: beginsWithThree(number, first, &best)
    case 4: beginsWithFour(number, first, &best)
    case 6: beginsWithSix(number, first, &best)
    case 7: ppsNumber(number, first, &best)
    case 8:
      dni(number, first, &best)
      guard number.has([8, 4], from: first, "-"), isClosed(number, first + 1) else { return }
      let digits = number.digits(first, first + 1)
      if digits.number(0, 2) == 19 || digits.number(0, 2) == 20, digits.isPersonnummer(from: 2) {
        consider(.sePersonnummer, .high, number.range(first, first + 1), next: first + 2, &best)
      }
    case 13:
      guard number.has([13, 2], from: first, " -"), isClosed(number, first + 1) else { return }
      if number.digits(first, first + 1).isNIR {
        consider(.frNIR, .high, number.range(first, first + 1), next: first + 2, &best)
      }
    default: break
    }
  }

  private mutating func nirInGroups(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    let last = first + 6
    if number.has([1, 2, 2, 2, 3, 3, 2], from: first, " .-"), isClosed(number, last), number.digits(first, last).isNIR {
      consider(.frNIR, .high, number.range(first, last), next: last + 1, &best)
    }
  }

  private mutating func beginsWithTwo(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    if number.has([2, 2, 2, 3, 2], from: first, " .-"), isClosed(number, first + 4),
      number.digits(first, first + 4).isRijksregister
    {
      consider(.beNationalNumber, .high, number.range(first, first + 4), next: first + 5, &best)
    }
    if number.has([2, 3, 3, 3], from: first, " "), isClosed(number, first + 3),
      number.digits(first, first + 3).isSteuerID
    {
      consider(.deTaxID, .high, number.range(first, first + 3), next: first + 4, &best)
    }
    if number.has([2, 3, 3], from: first, "."), first + 3 == number.count { dni(number, first, &best) }
  }

  private mutating func beginsWithThree(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    if number.has([3, 2, 4], from: first, "- "), number.separator(first) == number.separator(first + 1),
      isClosed(number, first + 2), Scanner.isSSN(number.digits(first, first + 2))
    {
      let base: Confidence = number.separator(first) == UInt8(ascii: "-") ? .medium : .low
      consider(.usSSN, base, number.range(first, first + 2), next: first + 3, &best)
    }
    if number.has([3, 3, 3], from: first, " ."), isClosed(number, first + 2) {
      nineDigits(number, first, first + 2, &best)
    }
  }

  private mutating func beginsWithFour(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    if number.has([4, 4, 4, 4], from: first, " -.") {
      cardInGroups(number, first, first + 3, &best)
    } else if number.has([4, 6, 5], from: first, " -.") || number.has([4, 6, 4], from: first, " -.") {
      cardInGroups(number, first, first + 2, &best)
    }
    if number.has([4, 2, 3], from: first, " ."), isClosed(number, first + 2) {
      nineDigits(number, first, first + 2, &best)
    }
    if number.has([4, 6], from: first, " -"), isClosed(number, first + 1), number.digits(first, first + 1).isSVNR {
      consider(.atSVNR, .medium, number.range(first, first + 1), next: first + 2, &best)
    }
  }

  private mutating func cardInGroups(_ number: NumberGroups, _ first: Int, _ last: Int, _ best: inout Candidate) {
    let digits = number.digits(first, last)
    guard isClosed(number, last), number.separator(first) == number.separator(last - 1), Scanner.isCard(digits) else {
      return
    }
    // Nobody writes a card with points; many write part numbers so.
    let isWeak = number.separator(first) == UInt8(ascii: ".") || Scanner.isRareCard(digits)
    consider(.creditCard, isWeak ? .low : .medium, number.range(first, last), next: last + 1, &best)
  }

  /// Of neighbours whose numbers look alike, and of which some are valid in two countries.
  private mutating func beginsWithSix(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    sixAndFour(number, first, &best)
    hetu(number, first, &best)
  }

  private mutating func sixAndFour(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard first + 1 < number.count, isClosed(number, first + 1) else { return }
    let digits = number.digits(first, first + 1)
    let range = number.range(first, first + 1)
    switch (number.length(first + 1), number.separator(first)) {
    case (4, UInt8(ascii: "-")):
      if digits.isPersonnummer(from: 0) { consider(.sePersonnummer, .medium, range, next: first + 2, &best) }
      let cpr = digits.cpr
      if cpr.isDay { consider(.dkCPR, cpr.isChecked ? .medium : .low, range, next: first + 2, &best) }
      if digits.isSVNR { consider(.atSVNR, .low, range, next: first + 2, &best) }
    case (4, UInt8(ascii: "/")):
      if digits.isRodneCislo { consider(.czRodneCislo, .medium, range, next: first + 2, &best) }
    case (4, UInt8(ascii: " ")):
      let cpr = digits.cpr
      if cpr.isDay { consider(.dkCPR, .low, range, next: first + 2, &best) }
    default: break
    }
  }

  /// Of one group.
  mutating func single(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard number.length(first) >= 8, isClosed(number, first) else { return }
    let digits = number.digits(first, first)
    let range = number.range(first, first)
    func take(_ kind: DetectorKind, _ base: Confidence) { consider(kind, base, range, next: first + 1, &best) }
    switch digits.count {
    case 9: nineDigits(number, first, first, &best)
    case 10:
      if digits.isEGN { take(.bgEGN, .low) }
      if digits.isRodneCislo { take(.czRodneCislo, .low) }
      if digits.isPersonnummer(from: 0) { take(.sePersonnummer, .low) }
      if digits.isSVNR { take(.atSVNR, .low) }
      if digits.cpr.isDay { take(.dkCPR, .low) }
    case 11:
      if digits.isRijksregister { take(.beNationalNumber, .medium) }
      if digits.isPESEL { take(.plPESEL, .medium) }
      if digits.isBalticCode { take(.balticCode, .medium) }
      if digits.isSteuerID { take(.deTaxID, .medium) }
      if digits.isOIB { take(.hrOIB, .low) }
    case 12:
      if digits.number(0, 2) == 19 || digits.number(0, 2) == 20, digits.isPersonnummer(from: 2) {
        take(.sePersonnummer, .low)
      }
    case 13:
      if digits.isCNP { take(.roCNP, .medium) }
      if digits.isEMSO { take(.siEMSO, .medium) }
      if Scanner.isCard(digits) { take(.creditCard, .low) }
    case 15 where digits.isNIR: take(.frNIR, digits.number(3, 2) <= 12 ? .high : .low)
    case 14, 15, 16, 19:
      if Scanner.isCard(digits) { take(.creditCard, digits.count == 19 || Scanner.isRareCard(digits) ? .low : .medium) }
    default: break
    }
    if digits.count <= 9 { passport(range, next: first + 1, &best) }
  }

  private mutating func nineDigits(_ number: NumberGroups, _ first: Int, _ last: Int, _ best: inout Candidate) {
    let digits = number.digits(first, last)
    let range = number.range(first, last)
    if digits.isBSN { consider(.nlBSN, .low, range, next: last + 1, &best) }
    if digits.isNIF { consider(.ptNIF, .low, range, next: last + 1, &best) }
    if first == last, Scanner.isSSN(digits) { consider(.usSSN, .low, range, next: last + 1, &best) }
  }

  private func passport(_ range: Range<Int>, next: Int, _ best: inout Candidate) {
    consider(.passport, .low, range, next: next, &best)
  }

  // MARK: Numbers that end with a letter

  /// Eight digits and the letter; `12345678Z`, `12345678-Z`, `12.345.678-Z`.
  private mutating func dni(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard let letter = letterBehind(number), !isGlued(behind: letter + 1) else { return }
    let digits = number.digits(first, number.count - 1)
    guard digits.count == 8, Digits.dniLetter(digits.number(0, 8)) == text[letter] & 0xDF else { return }
    consider(.esDNI, .medium, number.start(first)..<(letter + 1), next: number.count, &best)
  }

  /// The letter that ends a number, perhaps behind a dash.
  private func letterBehind(_ number: NumberGroups) -> Int? {
    if number.isFollowedByLetter { return number.end }
    return text[number.end] == UInt8(ascii: "-") && text[number.end + 1].isLetter ? number.end + 1 : nil
  }

  /// `131052-308T`, `131052A308T`.
  private mutating func hetu(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    var serial = number.end + 1
    var end = number.count
    if first + 1 < number.count, number.separator(first) == UInt8(ascii: "-"),
      number.length(first + 1) == 4 || number.length(first + 1) == 3 && first + 2 == number.count
    {
      serial = number.start(first + 1)
      end = first + 2
    } else {
      let century = text[number.end] & 0xDF
      guard first + 1 == number.count, "ABCDEFUVWXY".utf8.contains(century) || text[number.end] == UInt8(ascii: "+")
      else {
        return
      }
    }
    let digits = number.digits(first, first)
    var value = digits.number(0, 6)
    for offset in 0..<3 {
      guard text[serial + offset].isDigit else { return }
      value = value * 10 + Int(text[serial + offset] &- 0x30)
    }
    let check = text[serial + 3]
    guard Digits.isDay(digits.number(4, 2), digits.number(2, 2), digits.number(0, 2)),
      Digits.hetuCheck[value % 31] == (check.isLetter ? check & 0xDF : check), !isGlued(behind: serial + 4)
    else { return }
    // With a digit for its check it looks as numbers of neighbours do.
    consider(.fiHETU, check.isDigit ? .medium : .high, number.start(first)..<(serial + 4), next: end, &best)
  }

  /// Seven digits, the check letter, and perhaps another.
  private mutating func ppsNumber(_ number: NumberGroups, _ first: Int, _ best: inout Candidate) {
    guard first + 1 == number.count, number.isFollowedByLetter else { return }
    let end = text.endOfWord(number.end, limit: 3)
    guard end - number.end <= 2, !isGlued(behind: end) else { return }
    let second = end - number.end == 2 ? text[number.end + 1] & 0xDF : nil
    guard second.map({ $0.isLetter }) ?? true,
      number.digits(first, first).ppsLetter(second: second) == text[number.end] & 0xDF
    else { return }
    consider(.iePPS, .low, number.start(first)..<end, next: number.count, &best)
  }

  // MARK: Rules

  /// Social Security Administration: no area 000, 666 or from 900 on, no group 00, no serial number 0000.
  static func isSSN(_ digits: Digits) -> Bool {
    let area = digits.number(0, 3)
    return digits.count == 9 && area != 0 && area != 666 && area < 900 && digits.number(3, 2) != 0
      && digits.number(5, 4) != 0
  }

  /// Debit cards whose ranges are wide and little used: alone they say nothing.
  private static func isRareCard(_ digits: Digits) -> Bool {
    let two = digits.number(0, 2)
    return two == 50 || (56...58).contains(two) || two == 63 || two == 67
  }

  /// By issuer and length (ISO/IEC 7812; the networks' published ranges), then Luhn.
  static func isCard(_ digits: Digits) -> Bool {
    let (two, three, four) = (digits.number(0, 2), digits.number(0, 3), digits.number(0, 4))
    let isIssued: Bool
    switch digits.count {
    case 13: isIssued = digits[0] == 4
    case 14: isIssued = (300...305).contains(three) || two == 36 || two == 38 || two == 39
    case 15: isIssued = two == 34 || two == 37
    case 16, 19:
      isIssued =
        digits[0] == 4 || (50...58).contains(two) && digits.count == 16 || (2221...2720).contains(four)
        || four == 6011 || (644...649).contains(three) || two == 65 || (3528...3589).contains(four) || two == 62
        || two == 67 || two == 63
    default: isIssued = false
    }
    return isIssued && digits.isLuhn
  }
}

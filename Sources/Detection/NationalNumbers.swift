/// Personal numbers of European countries, by their own rules. Each takes the digits without separators.
extension Digits {
  /// Steuerliche Identifikationsnummer: § 139b AO, and the check of ISO/IEC 7064 MOD 11,10. Of the first ten digits
  /// one comes twice or three times, all others once at most.
  var isSteuerID: Bool {
    guard count == 11, self[0] != 0, isMod11And10 else { return false }
    var seen = 0
    var repeated = 0
    for digit in 0...9 {
      var times = 0
      for index in 0..<10 where self[index] == digit { times += 1 }
      if times > 3 { return false }
      if times > 1 { repeated += 1 }
      if times > 0 { seen += 1 }
    }
    return repeated == 1 && (seen == 9 || seen == 8)
  }

  /// Numéro d'inscription au répertoire: 13 digits and the key 97 - n mod 97 (INSEE). Corsica's, with 2A or 2B for the
  /// department, are not known here.
  var isNIR: Bool {
    guard count == 15, self[0] == 1 || self[0] == 2 else { return false }
    let month = number(3, 2)
    // Months that are not known are 20, 30 to 42 and from 50 on.
    guard (1...12).contains(month) || month == 20 || (30...42).contains(month) || month >= 50 else { return false }
    return 97 - number(0, 13) % 97 == number(13, 2)
  }

  static let dniLetters = Array("TRWAGMYFPDXBNJZSQVHLCKE".utf8)
  static func dniLetter(_ number: Int) -> UInt8 { dniLetters[number % 23] }

  /// Burgerservicenummer: the elfproef, with -1 for the last digit.
  var isBSN: Bool {
    guard count == 9, number(0, 9) != 0 else { return false }
    return weighted([9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 == 0
  }

  /// Rijksregisternummer: 97 - n mod 97; those born from 2000 on count with a 2 before.
  var isRijksregister: Bool {
    guard count == 11 else { return false }
    let (month, day) = (number(2, 2), number(4, 2))
    // Registers of those without a known day have zeros; bis numbers add 20 or 40 to the month.
    guard month % 20 <= 12, month < 60, day <= 31, number(6, 3) > 0, month % 20 > 0, day > 0 else { return false }
    let (first, key) = (number(0, 9), number(9, 2))
    return 97 - first % 97 == key || self[0] < 4 && 97 - (2_000_000_000 + first) % 97 == key
  }

  /// PESEL: the century is in the month; 1900 to 2099 here.
  var isPESEL: Bool {
    guard count == 11 else { return false }
    let month = number(2, 2)
    guard month < 40, Digits.isDay(number(0, 2), month % 20, number(4, 2)) else { return false }
    return (weighted([1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) + self[10]) % 10 == 0
  }

  /// Número de identificação fiscal.
  var isNIF: Bool {
    guard count == 9, [1, 2, 3, 5, 6, 8, 9].contains(self[0]) || number(0, 2) == 45 else { return false }
    let rest = weighted([9, 8, 7, 6, 5, 4, 3, 2]) % 11
    return self[8] == (rest < 2 ? 0 : 11 - rest)
  }

  /// Personnummer of 10 digits, or samordningsnummer with 60 added to the day.
  func isPersonnummer(from start: Int) -> Bool {
    let day = number(start + 4, 2)
    return Digits.isDay(number(start, 2), number(start + 2, 2), day > 60 ? day - 60 : day) && luhn(start, 10)
  }

  /// Personnummer: a day and a serial number; the check of the years before 2007 is told by `isChecked`.
  var cpr: (isDay: Bool, isChecked: Bool) {
    guard count == 10 else { return (false, false) }
    let isDay = Digits.isDay(number(4, 2), number(2, 2), number(0, 2))
    return (isDay, isDay && weighted([4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0)
  }

  /// Cod numeric personal: sex and century, day, county, check.
  var isCNP: Bool {
    guard count == 13, (1...8).contains(self[0]), Digits.isDay(number(1, 2), number(3, 2), number(5, 2)) else {
      return false
    }
    let county = number(7, 2)
    guard (1...48).contains(county) || county == 51 || county == 52 || county == 70 else { return false }
    let rest = weighted([2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11
    return self[12] == (rest == 10 ? 1 : rest)
  }

  /// Единен граждански номер: 20 is added to the month before 1900, 40 from 2000 on.
  var isEGN: Bool {
    guard count == 10 else { return false }
    let month = number(2, 2)
    guard month < 60, Digits.isDay(number(0, 2), month % 20, number(4, 2)) else { return false }
    return weighted([2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == self[9]
  }

  /// Rodné číslo of 10 digits (since 1954): divisible by 11; 50, 20 or 70 added to the month.
  var isRodneCislo: Bool {
    guard count == 10 else { return false }
    var month = number(2, 2)
    if month > 50 { month -= 50 }
    if month > 20 { month -= 20 }
    guard Digits.isDay(number(0, 2), month, number(4, 2)) else { return false }
    let rest = number(0, 9) % 11
    return rest % 10 == self[9]
  }

  /// Sozialversicherungsnummer: serial number, check digit, day. There are months 13 to 15.
  var isSVNR: Bool {
    guard count == 10, self[0] != 0 else { return false }
    let (day, month) = (number(4, 2), number(6, 2))
    guard (1...31).contains(day), (1...15).contains(month) else { return false }
    return weighted([3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == self[3]
  }

  /// Isikukood and asmens kodas, which are one and the same: two rows of weights.
  var isBalticCode: Bool {
    guard count == 11, (1...6).contains(self[0]), Digits.isDay(number(1, 2), number(3, 2), number(5, 2)) else {
      return false
    }
    var rest = weighted([1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11
    if rest == 10 { rest = weighted([3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 }
    return rest % 10 == self[10]
  }

  /// Osobni identifikacijski broj.
  var isOIB: Bool { count == 11 && isMod11And10 }

  /// Personal public service number: seven digits, a check letter, and since 2013 perhaps one more letter.
  func ppsLetter(second: UInt8?) -> UInt8 {
    var sum = weighted([8, 7, 6, 5, 4, 3, 2])
    if let second, second != UInt8(ascii: "W") { sum += Int(second &- 0x40) * 9 }
    return sum % 23 == 0 ? UInt8(ascii: "W") : UInt8(0x40 + sum % 23)
  }

  /// Enotna matična številka občana, also of the other countries that have kept it.
  var isEMSO: Bool {
    guard count == 13 else { return false }
    let year = number(4, 3)
    guard year >= 900 || year < 100, Digits.isDay(year >= 900 ? 1000 + year : 2000 + year, number(2, 2), number(0, 2))
    else { return false }
    let rest = weighted([7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
    return rest != 1 && self[12] == (rest == 0 ? 0 : 11 - rest)
  }

  static let hetuCheck = Array("0123456789ABCDEFHJKLMNPRSTUVWXY".utf8)
}

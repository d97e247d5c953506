/// A day of the proleptic Gregorian calendar, which PostgreSQL uses throughout (PostgreSQL, appendix B.6).
struct CalendarDay: Hashable {
  var year: Int
  var month: Int
  var day: Int

  /// Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
  static let postgresEpoch = 10_957
  /// Of one day.
  static let microseconds: Int64 = 86_400_000_000

  /// From days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
  init(daysSince1970 days: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// From the front of `YYYY-MM-DD…`; nil for what is not written in that style, before year 1 or after 9999.
  init?(isoPrefix text: some Collection<UInt8>) {
    var parts = (year: 0, month: 0, day: 0)
    var place = 0
    for byte in text.prefix(10) {
      let digit = Int(byte) - 0x30
      switch place {
      case 4, 7: guard byte == UInt8(ascii: "-") else { return nil }
      case _ where !(0...9).contains(digit): return nil
      case 0..<4: parts.year = parts.year * 10 + digit
      case 5..<7: parts.month = parts.month * 10 + digit
      case _: parts.day = parts.day * 10 + digit
      }
      place += 1
    }
    guard place == 10, (1...9999).contains(parts.year), (1...12).contains(parts.month), (1...31).contains(parts.day)
    else { return nil }
    self.init(year: parts.year, month: parts.month, day: parts.day)
    guard CalendarDay(daysSince1970: daysSince1970) == self else { return nil }
  }

  /// days_from_civil of the same source.
  var daysSince1970: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The first day of the month or year that it is in.
  func start(ofMonth isMonth: Bool) -> CalendarDay {
    CalendarDay(year: year, month: isMonth ? month : 1, day: 1)
  }

  /// `YYYY-MM-DD`.
  var iso: String {
    func padded(_ number: Int, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  static func number(_ digits: some Collection<UInt8>) -> Int? {
    var number = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      number = number * 10 + Int(digit - 0x30)
    }
    return digits.isEmpty || digits.count > 9 ? nil : number
  }
}

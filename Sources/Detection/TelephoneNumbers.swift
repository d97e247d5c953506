/// Telephone numbers.
extension Scanner {
  /// E.164 with `+` or `00`; North American ones; national ones with their leading zero; others where words say so.
  func phone(_ number: NumberGroups, _ first: Int, _ isOpen: Bool, _ best: inout Candidate) {
    let start = number.start(first)
    if first == 0, text[start - 1] == UInt8(ascii: "+"), !text[start - 2].isWord {
      guard let last = lastGroup(number, first, atLeast: 8, atMost: 15), number.digits(first, last).isCountryCode(at: 0)
      else { return }
      let isFormed = last > first || number.digits(first, last).count >= 10
      return take(number, first, last, start - 1, isFormed ? .high : .medium, &best)
    }
    guard !isOpen else { return }
    let begin = first == 0 && text[start - 1] == UInt8(ascii: "(") && closes(number, first) ? start - 1 : start
    let digits = number.digits(first, first)
    if digits.count >= 4, digits[0] == 0, digits[1] == 0, digits[2] != 0 {
      guard let last = lastGroup(number, first, atLeast: 10, atMost: 17), last > first,
        number.digits(first, last).isCountryCode(at: 2)
      else { return }
      // As cards and serial numbers are written.
      let isFours = number.has([4, 4, 4, 4], from: first, " -.")
      return take(number, first, last, begin, isFours ? .low : .medium, &best)
    }
    if digits.count == 3 || digits.count == 1 && digits[0] == 1 {
      let area = digits.count == 3 ? first : first + 1
      if number.has([3, 3, 4], from: area, "-. ("), number.digits(area, area)[0] >= 2,
        number.digits(area + 1, area + 1)[0] >= 2, isEnd(number, area + 2)
      {
        let isPlain = number.separator(area) == UInt8(ascii: " ") && number.separator(area + 1) == UInt8(ascii: " ")
        return take(number, first, area + 2, begin, isPlain ? .low : .medium, &best)
      }
    }
    if (2...5).contains(digits.count), digits[0] == 0, digits[1] != 0,
      let last = lastGroup(number, first, atLeast: 9, atMost: 12),
      last > first, isNational(number, first, last)
    {
      return take(number, first, last, begin, .medium, &best)
    }
    guard let last = lastGroup(number, first, atLeast: 7, atMost: 15) else { return }
    take(number, first, last, begin, .low, &best)
  }

  private func take(
    _ number: NumberGroups, _ first: Int, _ last: Int, _ start: Int, _ base: Confidence, _ best: inout Candidate
  ) {
    consider(.phone, base, start..<number.end(last), next: last + 1, &best)
  }

  /// With a zero first: nine digits are few, a decimal point is none of a telephone number, and neither begins the part
  /// behind the area with a zero, nor is it the beginning of a longer number.
  private func isNational(_ number: NumberGroups, _ first: Int, _ last: Int) -> Bool {
    if last == first + 1 {
      return number.separator(first) != UInt8(ascii: ".") && number.digits(last, last)[0] != 0
    }
    if last + 1 < number.count, number.length(last + 1) == number.length(last) { return false }
    return number.digits(first, last).count >= 10
  }

  /// Whether a parenthesis before a group is closed behind it.
  private func closes(_ number: NumberGroups, _ first: Int) -> Bool { text[number.end(first)] == UInt8(ascii: ")") }

  private func isEnd(_ number: NumberGroups, _ last: Int) -> Bool {
    last + 1 < number.count ? number.separator(last) == UInt8(ascii: " ") : !isGlued(behind: number.end)
  }

  /// The last group of a telephone number: as many as fit into its length; nil when none ends there.
  private func lastGroup(_ number: NumberGroups, _ first: Int, atLeast: Int, atMost: Int) -> Int? {
    var last = first
    var total = number.length(first)
    while last + 1 < number.count, total + number.length(last + 1) <= atMost {
      // A number that is written with dashes or points does not go on behind a blank.
      if last > first, total >= atLeast, number.separator(last) == UInt8(ascii: " "),
        number.separator(last - 1) != UInt8(ascii: " "), number.separator(last - 1) != UInt8(ascii: "("),
        number.separator(last - 1) != UInt8(ascii: ")")
      {
        break
      }
      last += 1
      total += number.length(last)
    }
    return total >= atLeast && total <= atMost && isEnd(number, last) ? last : nil
  }
}

extension Digits {
  /// Whether a country's code begins there (ITU-T E.164, list of assigned codes; those of one digit are zones 1 and 7).
  func isCountryCode(at start: Int) -> Bool {
    let (one, two, three) = (self[start], number(start, 2), number(start, 3))
    return one == 1 || one == 7 || Digits.codesOfTwo.contains(two)
      || Digits.codesOfThree.contains { $0.contains(three) }
  }

  private static let codesOfTwo: Set<Int> = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62,
    63,
    64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
  ]
  private static let codesOfThree: [ClosedRange<Int>] = [
    211...213, 216...216, 218...218, 220...269, 290...291, 297...299, 350...359, 370...378, 380...383, 385...387,
    389...389,
    420...421, 423...423, 500...509, 590...599, 670...670, 672...683, 685...692, 800...800, 808...808, 850...850,
    852...853, 855...856, 870...870, 878...878, 880...883, 886...886, 888...888, 960...968, 970...977, 979...979,
    992...996, 998...998,
  ]
}

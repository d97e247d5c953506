/// Hours of some days of the week, by the clocks of a time zone.
public struct Hours: Sendable, Hashable {
  public enum Day: String, Sendable, Hashable, CaseIterable { case mon, tue, wed, thu, fri, sat, sun }
  /// IANA's name of the zone: `Europe/Berlin`.
  public var zone: String
  public var days: Set<Day>
  /// Minutes of the day, 0 to 1440, the first included and the last not. Where they end before they begin, they go on
  /// past midnight, and count as hours of the day on which they began.
  public var from: Int
  public var to: Int

  public init(zone: String, days: Set<Day> = Set(Day.allCases), from: Int = 0, to: Int = 1440) {
    self.zone = zone
    self.days = days
    self.from = from
    self.to = to
  }

  func contains(_ time: LocalTime) -> Bool {
    if from <= to { return days.contains(time.day) && (from..<to).contains(time.minute) }
    return days.contains(time.day) && time.minute >= from || days.contains(time.dayBefore) && time.minute < to
  }
}

/// What a clock on the wall says.
public struct LocalTime: Sendable, Hashable {
  public var day: Hours.Day
  /// Of the day, 0 to 1439.
  public var minute: Int

  public init(day: Hours.Day, minute: Int) {
    self.day = day
    self.minute = minute
  }

  fileprivate var dayBefore: Hours.Day {
    let days = Hours.Day.allCases
    return days[((days.firstIndex(of: day) ?? 0) + days.count - 1) % days.count]
  }
}

/// What clocks say now in a zone of this IANA name; nil where that cannot be known, and then every rule about hours
/// catches and none excuses. Asked only by rules about hours.
public typealias LocalClock = @Sendable (_ zone: String) -> LocalTime?

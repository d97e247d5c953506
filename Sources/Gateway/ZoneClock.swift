import Foundation
import PolicyEngine

/// What clocks say in a time zone: the system's clock by the rules of the IANA database.
public enum ZoneClock {
  /// nil for a zone that is not known.
  @Sendable public static func now(in zone: String) -> LocalTime? { time(at: Clock.seconds(), in: zone) }

  /// - Parameter seconds: since 1970.
  static func time(at seconds: Int64, in zone: String) -> LocalTime? {
    guard let zone = TimeZone(identifier: zone) else { return nil }
    let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
    let local = seconds + Int64(offset)
    let days = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
    // 1 January 1970 was a Thursday.
    let weekday = Int(((days + 3) % 7 + 7) % 7)
    return LocalTime(day: Hours.Day.allCases[weekday], minute: Int(local - days * 86_400) / 60)
  }
}

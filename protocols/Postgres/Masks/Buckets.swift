import AccessModel

/// Values that stand for the range in which another lies.
struct BucketMask: Hashable, Sendable {
  var bucket: Mask.Bucket
  var type: ValueType
  var isBinary: Bool

  /// False where every value becomes the one that says nothing.
  var makesValues: Bool {
    switch type {
    case .date, .timestamp, .timestampWithZone: bucket.date != nil
    case .integer, .numeric, .float4, .float8: bucket.number != nil
    default: false
    }
  }

  /// The first of the range; what has none becomes the value that says nothing. nil is NULL.
  func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    value.withUnsafeBytes { short($0)?.array } ?? type.neutral(isBinary: isBinary)
  }

  /// The first of the range, made without an allocation; nil for what has none.
  func short(_ value: UnsafeRawBufferPointer) -> ShortValue? {
    switch type {
    case .date, .timestamp, .timestampWithZone:
      guard let unit = bucket.date, let moment = type.moment(value, isBinary: isBinary) else { return nil }
      let day = moment >= 0 ? moment / CalendarDay.microseconds : (moment + 1) / CalendarDay.microseconds - 1
      return type.short(
        moment: CalendarDay(daysSince1970: Int(day)).start(ofMonth: unit == .month).moment, isBinary: isBinary)
    case .integer:
      guard let width = bucket.number, let number = type.integer(value, isBinary: isBinary) else { return nil }
      return BucketMask.floor(number, width).flatMap { type.short(integer: $0, isBinary: isBinary) }
    case .numeric: return numeric(value)
    case .float4, .float8: return float(value)
    default: return nil
    }
  }

  private func numeric(_ value: UnsafeRawBufferPointer) -> ShortValue? {
    guard let width = bucket.number, let number = ShortNumeric(value, isBinary: isBinary)?.floor,
      let start = BucketMask.floor(number, width)
    else { return nil }
    var out = ShortValue()
    if isBinary { out.append(numeric: start, scale: 0) } else { out.append(decimal: start) }
    return out
  }

  private static func floor(_ number: Int64, _ width: Int64) -> Int64? {
    let rest = number % width
    let (start, isOver) = number.subtractingReportingOverflow(rest < 0 ? rest + width : rest)
    return isOver ? nil : start
  }

  private func float(_ value: UnsafeRawBufferPointer) -> ShortValue? {
    guard let width = bucket.number, let number = ValueType.double(value, isBinary: isBinary), number.isFinite,
      number.magnitude < 1e15
    else { return nil }
    let start = (number / Double(width)).rounded(.down) * Double(width)
    var out = ShortValue()
    if !isBinary {
      out.append(decimal: Int64(start))
    } else if type == .float4 {
      out.append(bigEndian: UInt64(Float(start).bitPattern), bytes: 4)
    } else {
      out.append(bigEndian: start.bitPattern, bytes: 8)
    }
    return out
  }
}

extension ValueType {
  /// µs since 1970 of a date or timestamp, with a zone as UTC; nil for infinities and what is not in ISO's style.
  func moment(_ value: some RandomAccessCollection<UInt8>, isBinary: Bool) -> Int64? {
    isBinary ? moment(binary: value) : moment(text: value)
  }

  private func moment(binary value: some RandomAccessCollection<UInt8>) -> Int64? {
    let epoch = Int64(CalendarDay.postgresEpoch) * CalendarDay.microseconds
    let bits = value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch (self, value.count) {
    case (.date, 4):
      let days = Int32(bitPattern: UInt32(bits))
      guard days != .max, days != .min else { return nil }
      return Int64(days) * CalendarDay.microseconds + epoch
    case (_, 8):
      let moment = Int64(bitPattern: bits)
      let (sum, isOver) = moment.addingReportingOverflow(epoch)
      return isOver || moment == .min ? nil : sum
    default: return nil
    }
  }

  /// `2026-11-21`, `2026-11-21 10:00:00.123`, `2026-11-21 10:00:00+05:30`.
  private func moment(text value: some RandomAccessCollection<UInt8>) -> Int64? {
    guard let day = CalendarDay(isoPrefix: value) else { return nil }
    var moment = Int64(day.daysSince1970) * CalendarDay.microseconds
    var rest = value.dropFirst(10)
    if self == .date { return rest.isEmpty ? moment : nil }
    func take(_ count: Int, behind separator: UInt8) -> Int? {
      guard rest.first == separator, rest.count > count, let number = CalendarDay.number(rest.dropFirst().prefix(count))
      else { return nil }
      rest = rest.dropFirst(count + 1)
      return number
    }
    guard let hours = take(2, behind: UInt8(ascii: " ")), let minutes = take(2, behind: UInt8(ascii: ":")),
      let seconds = take(2, behind: UInt8(ascii: ":"))
    else { return nil }
    moment += Int64(hours * 3600 + minutes * 60 + seconds) * 1_000_000
    if rest.first == UInt8(ascii: ".") {
      let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
      guard (1...6).contains(digits.count), let fraction = CalendarDay.number(digits) else { return nil }
      moment += Int64(fraction) * [100_000, 10_000, 1_000, 100, 10, 1][digits.count - 1]
      rest = rest.dropFirst(digits.count + 1)
    }
    if self == .timestamp { return rest.isEmpty ? moment : nil }
    guard let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    guard let zoneHours = take(2, behind: sign) else { return nil }
    let zoneMinutes = rest.isEmpty ? 0 : take(2, behind: UInt8(ascii: ":"))
    // Zones of the nineteenth century have seconds.
    let zoneSeconds = rest.isEmpty ? 0 : take(2, behind: UInt8(ascii: ":"))
    guard let zoneMinutes, let zoneSeconds, rest.isEmpty else { return nil }
    let zone = Int64(zoneHours * 3600 + zoneMinutes * 60 + zoneSeconds) * 1_000_000
    return moment + (sign == UInt8(ascii: "+") ? -zone : zone)
  }
}

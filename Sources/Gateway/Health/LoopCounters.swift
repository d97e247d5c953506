/// What one event loop has counted since the gateway started. Each loop counts for itself; who asks adds them up.
struct LoopCounters: Sendable {
  /// Connections that were taken on, and attempts to sign in that failed.
  var connections: UInt64 = 0
  var failedLogins: UInt64 = 0
  /// Sessions that reached their backend, and backends that could not be had.
  var sessions: UInt64 = 0
  var failedBackends: UInt64 = 0
  /// Commands by what was decided. `unrecorded` were refused because their record could not be written.
  var permitted: UInt64 = 0
  var denied: UInt64 = 0
  var held: UInt64 = 0
  var unrecorded: UInt64 = 0
  /// Permitted commands that ended in an error of the backend.
  var failed: UInt64 = 0
  var durations = DurationHistogram()

  static func += (sum: inout LoopCounters, other: LoopCounters) {
    sum.connections += other.connections
    sum.failedLogins += other.failedLogins
    sum.sessions += other.sessions
    sum.failedBackends += other.failedBackends
    sum.permitted += other.permitted
    sum.denied += other.denied
    sum.held += other.held
    sum.unrecorded += other.unrecorded
    sum.failed += other.failed
    sum.durations += other.durations
  }
}

/// How long commands took, in buckets whose bounds double: 128 µs, 256 µs, … 67 s, and all that is longer.
struct DurationHistogram: Sendable {
  static let bucketCount = 20
  private static let lowestBit = 7

  private(set) var counts = [UInt64](repeating: 0, count: bucketCount + 1)
  /// Of all durations, in µs.
  private(set) var sum: UInt64 = 0

  /// The upper bound of a bucket, in µs.
  static func bound(_ bucket: Int) -> UInt64 { 1 << UInt64(lowestBit + bucket) }

  mutating func add(_ microseconds: Int64) {
    let value = UInt64(max(0, microseconds))
    sum &+= value
    // The number of bits of what is just below the bound.
    let bits = value <= 1 ? 0 : 64 - (value - 1).leadingZeroBitCount
    counts[min(DurationHistogram.bucketCount, max(0, bits - DurationHistogram.lowestBit))] &+= 1
  }

  static func += (sum: inout DurationHistogram, other: DurationHistogram) {
    for index in sum.counts.indices { sum.counts[index] &+= other.counts[index] }
    sum.sum &+= other.sum
  }
}

import Testing

@testable import Gateway

/// What Prometheus reads.
@Suite("Metrics")
struct PrometheusTextTests {
  @Test("a duration falls into the bucket whose bound it does not pass")
  func buckets() {
    for (microseconds, bucket) in [
      (0, 0), (1, 0), (128, 0), (129, 1), (256, 1), (257, 2), (1 << 26, 19), (1 << 40, 20),
    ] {
      var histogram = DurationHistogram()
      histogram.add(Int64(microseconds))
      #expect(histogram.counts.firstIndex(of: 1) == bucket, "\(microseconds) µs")
    }
    var odd = DurationHistogram()
    odd.add(-5)
    #expect(odd.counts[0] == 1 && odd.sum == 0)
  }

  @Test("buckets are cumulative and end with the count")
  func cumulative() {
    var status = GatewayStatus()
    for microseconds in [100, 100, 1_000, 1 << 40] as [Int64] { status.counters.durations.add(microseconds) }
    let lines = PrometheusText(status, version: "1", policy: "abcdef").text.split(separator: "\n").map(String.init)
    #expect(lines.contains("sallyport_command_seconds_bucket{le=\"0.000128\"} 2"))
    #expect(lines.contains("sallyport_command_seconds_bucket{le=\"0.001024\"} 3"))
    #expect(lines.contains("sallyport_command_seconds_bucket{le=\"67.108864\"} 3"))
    #expect(lines.contains("sallyport_command_seconds_bucket{le=\"+Inf\"} 4"))
    #expect(lines.contains("sallyport_command_seconds_count 4"))
  }

  @Test("a loop that does not answer and a full disk are illnesses, draining is none")
  func troubles() {
    var status = GatewayStatus()
    status.loops = 2
    status.answeringLoops = 2
    status.isDraining = true
    #expect(status.illnesses.isEmpty)
    #expect(status.troubles.count == 1)
    status.answeringLoops = 1
    status.freeBytes = 1 << 20
    #expect(status.illnesses.count == 2)
  }
}

import Foundation
import Testing

/// Messages of hundreds of MiB, and peers that stop reading: the gateway keeps none of it.
@Suite("End to end: streams", .serialized)
struct EndToEndStreamTests {
  /// What the gateway's memory may grow by, whatever passes.
  private static let growth = 64 << 20
  /// MiB of the longest message; `make soak` asks for 900.
  private static let mebibytes = Int(ProcessInfo.processInfo.environment["SALLYPORT_STREAM_MIB"] ?? "") ?? 256

  /// Peak resident memory in bytes.
  private func peak(_ gateway: GatewayProcess) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(gateway.pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    return try #require(kilobytes) << 10
  }

  private func run(
    _ gateway: GatewayProcess, _ name: String, _ mebibytes: Int, options: String = "sslmode=disable",
    _ more: [String] = []
  ) throws {
    let dsn = gateway.dsn("ci", try gateway.token("ci"), options: options)
    let before = try gateway.residentBytes()
    let end = try ChildProcess.run(
      try TestRun.python(), ["\(TestRun.root())/Tests/clients/streams.py", name, dsn, "\(mebibytes)"] + more,
      within: 300)
    #expect(end.status == 0, "\(name): \(end.output)\(end.errors.suffix(2000))")
    let grown = try peak(gateway) - before
    #expect(grown < EndToEndStreamTests.growth, "\(name): the gateway grew by \(grown >> 20) MiB")
  }

  @Test("a parameter of hundreds of MiB goes in and comes back, and the gateway does not grow by 64 MiB")
  func echo() throws {
    try withGateway(try TestConfiguration.open("postgres")) { gateway in
      try run(gateway, "echo", EndToEndStreamTests.mebibytes)
    }
  }

  @Test("the same over TLS")
  func echoOverTLS() throws {
    try withGateway(try TestConfiguration.open("postgres")) { gateway in
      try run(gateway, "echo", max(96, EndToEndStreamTests.mebibytes / 4), options: "sslmode=require")
    }
  }

  @Test("large objects by FunctionCall, in pieces of any size")
  func largeObject() throws {
    try withGateway(try TestConfiguration.open("postgres")) { gateway in
      try run(gateway, "large_object", 80)
    }
  }

  @Test("a long value of a refused statement is dropped as it comes")
  func denied() throws {
    let rules = """

      rules:
        - { name: no-deletes, when: { sql: { statement: [delete] } }, then: deny }
      """
    try withGateway(try TestConfiguration.open("postgres") + rules) { gateway in
      try run(gateway, "denied", 128)
    }
  }

  @Test("a client that does not read holds the backend back, not the gateway's memory")
  func slowReader() throws {
    let cluster = try TestCluster.shared()
    let direct =
      "host=127.0.0.1 port=\(cluster.port) user=app password=\(cluster.password("app")) dbname=postgres sslmode=disable"
    try withGateway(try TestConfiguration.open("postgres")) { gateway in
      try run(gateway, "slow_reader", 128, [direct])
    }
  }

  @Test("a backend that does not read holds the client back, not the gateway's memory")
  func slowBackend() throws {
    try withGateway(try TestConfiguration.open("postgres")) { gateway in
      try run(gateway, "slow_backend", 128, [""])
    }
  }
}

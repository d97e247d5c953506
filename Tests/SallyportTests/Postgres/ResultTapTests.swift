import AccessModel
import NIOCore
import SQLAnalysis
import Testing

@testable import Postgres

/// What a session tells of results to whoever records it.
@Suite("Results as they are recorded") struct ResultTapTests {
  private static let columns = "RowDescription \"n\" 0 0 25 65535 -1 0"

  private func driver(_ bounds: ResultBounds?, drips: Bool = false) throws -> SessionDriver {
    let driver = SessionDriver(policy: try TranscriptRun.policy("open.yaml"), drips: drips)
    driver.session = PostgresSession(
      ready: BackendHandshake.Ready(
        greeting: ByteBuffer(), settings: ["standard_conforming_strings": "on", "client_encoding": "UTF8"], key: nil,
        status: .idle), analyses: DirectAnalyses(), maskable: false, records: bounds)
    return driver
  }

  private func row(_ value: String) -> [UInt8] {
    var buffer = ByteBuffer()
    DataRow(values: [ByteBuffer(string: value)]).encode(into: &buffer)
    return Array(buffer.readableBytesView)
  }

  private func description(_ name: String) -> [UInt8] {
    var buffer = ByteBuffer()
    let column = RowDescription.Column(
      name: ByteBuffer(string: name), table: 0, attribute: 0, type: 25, typeSize: -1, typeModifier: -1, format: 0)
    RowDescription(columns: [column]).encode(into: &buffer)
    return Array(buffer.readableBytesView)
  }

  /// `columns`, `rows 2 of 24 bytes`, `stream 3`, `cut`; rows that came in several parts as one.
  private func spelled(_ parts: [ResultPart]) -> [String] {
    var spelled: [String] = []
    var (rows, bytes) = (0, 0)
    func settle() {
      if rows > 0 { spelled.append("rows \(rows) of \(bytes) bytes") }
      (rows, bytes) = (0, 0)
    }
    for part in parts {
      if case .rows(let frames, let count) = part {
        rows += count
        bytes += frames.count
        continue
      }
      settle()
      switch part {
      case .columns: spelled.append("columns")
      case .stream(let data): spelled.append("stream \(data.count)")
      case .cut: spelled.append("cut")
      case .rows: break
      }
    }
    settle()
    return spelled
  }

  private func query(_ bounds: ResultBounds?, rows: [String], drips: Bool) throws -> [String] {
    let driver = try driver(bounds, drips: drips)
    try driver.send([try WireFrame("Query \"select n\"", from: .client)], from: .client)
    driver.feed(description("n") + rows.flatMap(row), from: .backend)
    try driver.send(
      try ["CommandComplete \"SELECT 1\"", "ReadyForQuery I"].map { try WireFrame($0, from: .backend) }, from: .backend)
    var got = 0
    while let frame = driver.nextFrame(to: .client) {
      got += frame.spelled(from: .backend).hasPrefix("DataRow") ? 1 : 0
    }
    #expect(got == rows.count, "the client gets all of it")
    return spelled(driver.results)
  }

  @Test("However the bytes come, what fits the bounds is told, and that there was more", arguments: [false, true])
  func bounds(drips: Bool) throws {
    let size = row("aaaa").count
    #expect(try query(nil, rows: ["aaaa"], drips: drips) == [])
    #expect(try query(ResultBounds(rows: 9, bytes: 999), rows: [], drips: drips) == ["columns"])
    let three = ["aaaa", "bbbb", "cccc"]
    #expect(
      try query(ResultBounds(rows: 3, bytes: 999), rows: three, drips: drips) == [
        "columns", "rows 3 of \(3 * size) bytes",
      ])
    #expect(
      try query(ResultBounds(rows: 2, bytes: 999), rows: three, drips: drips)
        == ["columns", "rows 2 of \(2 * size) bytes", "cut"])
    #expect(
      try query(ResultBounds(rows: 9, bytes: 2 * size + 1), rows: three, drips: drips)
        == ["columns", "rows 2 of \(2 * size) bytes", "cut"])
    // A long row is not waited for when it is not kept; what is short behind it is not told either.
    let long = String(repeating: "x", count: 3_000)
    #expect(
      try query(ResultBounds(rows: 9, bytes: 200), rows: ["aaaa", long, "bbbb"], drips: drips)
        == ["columns", "rows 1 of \(size) bytes", "cut"])
  }

  @Test("A prepared statement that is run again tells its columns each time; the client sees none of our Describe")
  func portals() throws {
    let driver = try driver(ResultBounds(rows: 9, bytes: 999))
    try driver.send([try WireFrame("Parse \"s\" \"select n\"", from: .client)], from: .client)
    for _ in 0..<2 {
      try driver.send(
        try ["Bind \"\" \"s\" 0 0 0", "Execute \"\" 0", "Sync"].map { try WireFrame($0, from: .client) }, from: .client)
    }
    driver.feed(try WireFrame("ParseComplete", from: .backend).bytes, from: .backend)
    for _ in 0..<2 {
      driver.feed(try WireFrame("BindComplete", from: .backend).bytes + description("n") + row("a"), from: .backend)
      try driver.send(
        try ["CommandComplete \"SELECT 1\"", "ReadyForQuery I"].map { try WireFrame($0, from: .backend) },
        from: .backend)
    }
    var sent: [String] = []
    while let frame = driver.nextFrame(to: .backend) { sent.append(frame.spelled(from: .client)) }
    #expect(sent.filter { $0.hasPrefix("Describe") }.count == 2)
    #expect(spelled(driver.results) == ["columns", "rows 1 of 12 bytes", "columns", "rows 1 of 12 bytes"])
    var got: [String] = []
    while let frame = driver.nextFrame(to: .client) { got.append(frame.spelled(from: .backend)) }
    #expect(got.count == 9 && !got.contains { $0.hasPrefix("RowDescription") }, "\(got)")
  }
}

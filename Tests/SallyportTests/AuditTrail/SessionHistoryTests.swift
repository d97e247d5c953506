import AccessModel
import Crypto
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// Sessions found in a trail, and what was recorded of them.
@Suite struct SessionHistoryTests {
  private let fixture = TrailFixture()
  private var history: SessionHistory { SessionHistory(directory: fixture.trail) }

  private func open(_ session: String, _ user: String, on connection: String = "shop") -> AuditEvent {
    .sessionOpened(
      SessionFacts(
        session: session, gateway: "g", region: "", subject: Subject(user: user, groups: [], connection: connection),
        backendAddress: "10.0.0.1:5432", backendUser: "app", database: "shop", application: "psql"))
  }

  /// Twenty sessions over several small segments of two lanes, every one with statements of the others between its own.
  private func fill() throws {
    let directory = try fixture.directory()
    for name in ["loop-0", "loop-1"] {
      let lane = try fixture.lane(name, in: directory, size: 8_192)
      let names = (0..<10).map { "\(name.suffix(1))session\($0)" }
      for (index, session) in names.enumerated() {
        try lane.append(open(session, index.isMultiple(of: 2) ? "ana" : "bo", on: index < 5 ? "shop" : "vault"))
      }
      for id in 1...30 as ClosedRange<UInt64> {
        for session in names { try lane.append(decided("select \(id) as \(session)", session: session, id: id)) }
      }
      for session in names.dropLast() { try lane.append(.sessionClosed(session: session, reason: "left")) }
    }
  }

  @Test func sessionsAreListedByWhoWhereAndWhen() throws {
    try fill()
    let all = try history.list(.init(), limit: 100)
    #expect(all.count == 20 && all.map(\.openedAt) == all.map(\.openedAt).sorted(by: >))
    #expect(all.filter { $0.closedAt == nil }.map(\.session).sorted() == ["0session9", "1session9"])
    #expect(all.last?.reason == "left" && all.last?.user == "ana" && all.last?.backend == "10.0.0.1:5432")
    #expect(
      try history.list(.init(user: "bo", connection: "vault"), limit: 100).map(\.session).sorted()
        == ["0session5", "0session7", "0session9", "1session5", "1session7", "1session9"])
    #expect(try history.list(.init(), limit: 3) == Array(all.prefix(3)))
    let since = all[4].openedAt
    #expect(try history.list(.init(since: since), limit: 100) == Array(all.prefix(5)))
    #expect(try history.list(.init(since: since, until: since), limit: 100).map(\.session) == [all[4].session])
  }

  @Test func allRecordsOfOneSessionAreReadPageByPage() throws {
    try fill()
    for session in ["0session0", "1session7", "0session9"] {
      var place = try #require(try history.find(session)).place as SessionHistory.Place?
      var texts: [String?] = []
      var pages = 0
      while let from = place {
        var count = 0
        place = try history.read(session, from: try #require(SessionHistory.Place(from.description))) { record in
          guard count < 7 else { return false }
          count += 1
          #expect(record.entry?.session == session)
          texts.append(record.entry?.text)
          return true
        }
        pages += 1
      }
      #expect(pages == 5)
      #expect(texts.compactMap { $0 } == (1...30).map { "select \($0) as \(session)" })
    }
    #expect(try history.find("0session") == nil && history.find("../0session0") == nil && history.find("") == nil)
    #expect(SessionHistory.Place("../x:1:1") == nil && SessionHistory.Place("loop-0:1") == nil)
  }

  @Test func aSearchEndsWhenNobodyWaitsForIt() throws {
    try fill()
    let late = SessionHistory(directory: fixture.trail) { true }
    #expect(throws: SessionHistory.Failure.self) { try late.list(.init(), limit: 1) }
    #expect(throws: SessionHistory.Failure.self) { try late.find("0session0") }
  }

  @Test func aDamagedSegmentIsNotShownAsIfItWereWhole() throws {
    try fill()
    let place = try #require(try history.find("0session0")).place
    var bytes = try fixture.read(1)
    let text = try #require(Data(bytes).range(of: Data("select 2 as 0session0".utf8)))
    bytes[text.lowerBound] ^= 1
    try fixture.write(bytes, to: 1)
    #expect(throws: SessionHistory.Failure.self) { try history.read("0session0", from: place) { _ in true } }
  }
}

@Suite struct RecordingFileTests {
  private let fixture = TrailFixture()
  private static let columns: [UInt8] =
    [0, 2] + Array("n\0".utf8) + [0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 1]
    + Array("t\0".utf8) + [0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]
  /// A row of a binary int4 and a text.
  private static let row: [UInt8] =
    [0x44, 0, 0, 0, 19, 0, 2, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 1, 0x78]
  private static let nulls: [UInt8] = [0x44, 0, 0, 0, 14, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255]

  private func write(_ bytes: [UInt8]) throws -> (count: Int, hash: String) {
    let folder = RecordingFile.folder(data: fixture.data)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(RecordingFile.magic + bytes).write(
      to: URL(fileURLWithPath: try #require(RecordingFile.path(data: fixture.data, session: "s1"))))
    return (bytes.count, Array(SHA256.hash(data: bytes)).hex)
  }

  private func read(_ count: Int, _ hash: String, offset: Int = RecordingFile.magic.count) throws -> [RecordedPiece] {
    try RecordingFile.read(data: fixture.data, session: "s1", offset: offset, bytes: count, sha256: hash)
  }

  @Test func whatWasRecordedIsSpelledOut() throws {
    let (count, hash) = try write(
      RecordingFile.piece(.columns, command: 7, time: 1, Self.columns)
        + RecordingFile.piece(.rows, command: 7, time: 2, Self.row + Self.nulls)
        + RecordingFile.piece(.stream, command: 7, time: 3, [1, 2]) + RecordingFile.piece(.cut, command: 7, time: 4, [])
    )
    let pieces = try read(count, hash)
    #expect(pieces.map(\.time) == [1, 2, 3, 4] && pieces.allSatisfy { $0.command == 7 })
    guard case .columns(let columns) = pieces[0].content else { throw TestFailure("no columns") }
    #expect(columns.map(\.name) == ["n", "t"])
    #expect(pieces[1].content == .rows([["7", "x"], [nil, nil]]))
    #expect(pieces[2].content == .stream([1, 2]) && pieces[3].content == .cut)
  }

  @Test func everyOneByteChangeAndEveryCutIsTold() throws {
    let whole =
      RecordingFile.piece(.columns, command: 7, time: 1, Self.columns)
      + RecordingFile.piece(.rows, command: 7, time: 2, Self.row)
    let (count, hash) = try write(whole)
    for index in whole.indices {
      var changed = whole
      changed[index] ^= 0x41
      _ = try write(changed)
      #expect(throws: RecordingFault.self) { try read(count, hash) }
      // Without the hash the content may be anything, and is refused or read, never a trap.
      _ = try? RecordingFile.pieces(changed)
      _ = try? RecordingFile.pieces(Array(whole.prefix(index)))
    }
    _ = try write(Array(whole.dropLast()))
    #expect(throws: RecordingFault.self) { try read(count, hash) }
    #expect(throws: RecordingFault.self) { try read(-1, hash) }
    #expect(throws: RecordingFault.self) { try read(count, hash, offset: -1) }
    #expect(throws: RecordingFault.self) { try read(.max, hash) }
    #expect(RecordingFile.path(data: "d", session: "../x") == nil && RecordingFile.path(data: "d", session: "") == nil)
  }
}

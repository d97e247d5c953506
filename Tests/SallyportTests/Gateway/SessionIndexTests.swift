import AccessModel
import Enforcement
import Foundation
import Store
import Testing

@testable import AuditTrail
@testable import Gateway

/// Sessions are found in a long trail without reading it.
@Suite("Index of sessions")
struct SessionIndexTests {
  private let fixture = TrailFixture()

  private func facts(_ session: String, _ user: String) -> AuditEvent {
    .sessionOpened(
      SessionFacts(
        session: session, gateway: "g", region: "", subject: Subject(user: user, groups: [], connection: "shop"),
        backendAddress: "10.0.0.1:5432", backendUser: "app", database: "shop", application: "psql"))
  }

  /// Sessions one after the other in two lanes, each with statements; every third one is still open.
  private func fill(_ sessions: Int, statements: Int, size: Int = 4_096, from first: Int = 0) throws {
    let directory = try fixture.directory()
    for name in ["loop-0", "loop-1"] {
      let lane = try fixture.lane(name, in: directory, size: size)
      for number in first..<(first + sessions) {
        let session = "\(name.suffix(1))s\(number)"
        try lane.append(facts(session, number.isMultiple(of: 2) ? "ana" : "bo"))
        for id in 0..<statements {
          try lane.append(decided("select \(number)", session: session, id: UInt64(id)))
          try lane.append(finished(UInt64(id), session: session))
        }
        if !number.isMultiple(of: 3) { try lane.append(.sessionClosed(session: session, reason: "left")) }
      }
      lane.close()
    }
  }

  private func history(_ index: (any SessionIndex)?) -> SessionHistory {
    SessionHistory(directory: fixture.trail, index: index)
  }

  private static let filters: [(SessionHistory.Filter, Int)] = [
    (.init(), 1_000), (.init(), 7), (.init(user: "bo"), 1_000), (.init(user: "nobody"), 10),
    (.init(connection: "shop", since: 1_790_000_000_500_000), 1_000),
    (.init(user: "ana", since: 1_790_000_000_200_000, until: 1_790_000_001_000_000), 1_000),
  ]

  @Test("what it answers is what skimming the whole trail answers, while the trail grows and after a restart")
  func same() throws {
    try FileManager.default.createDirectory(atPath: fixture.data, withIntermediateDirectories: true)
    let index = try SessionIndexFile(data: fixture.data)
    for turn in 0..<3 {
      try fill(30, statements: 4, from: turn * 30)
      #expect(try history(nil).bringUpToDate(index) > 2)
      #expect(try history(nil).bringUpToDate(index) == 0, "what was taken up was read again")
      for (filter, limit) in Self.filters {
        #expect(try history(index).list(filter, limit: limit) == history(nil).list(filter, limit: limit))
      }
      for name in ["0s0", "1s29", "0s\(turn * 30 + 29)", "1s999"] {
        let (found, wanted) = (try history(index).find(name), try history(nil).find(name))
        #expect(found?.place == wanted?.place && found?.summary.openedAt == wanted?.summary.openedAt)
      }
    }
    let again = try SessionIndexFile(data: fixture.data)
    #expect(try history(again).list(.init(), limit: 10) == history(nil).list(.init(), limit: 10))
  }

  @Test("segments that are in the index are not read: they could be gone but for the newest one's header")
  func unread() throws {
    try fill(60, statements: 4)
    let wanted = try history(nil).list(.init(), limit: 1_000)
    let index = try SessionIndexFile(data: fixture.data)
    let count = try history(nil).bringUpToDate(index)
    for lane in ["loop-0", "loop-1"] {
      let newest = try #require(try index.newest(ofLane: lane) as (segment: UInt64, header: [UInt8])?).segment
      for segment in 1...newest { #expect(truncate(fixture.file(segment, lane: lane), 256) == 0) }
    }
    #expect(count > 10)
    #expect(try history(index).list(.init(), limit: 1_000) == wanted)
    #expect(try history(index).find("0s0")?.summary == wanted.first { $0.session == "0s0" })
    #expect(try history(nil).list(.init(), limit: 1_000).count < wanted.count, "the segments were not cut")
  }

  @Test("a trail that was put back, an index that is damaged, gone, or of another version: the trail is believed")
  func another() throws {
    try fill(20, statements: 4)
    let index = try SessionIndexFile(data: fixture.data)
    _ = try history(nil).bringUpToDate(index)
    // Another trail under the same numbers.
    try FileManager.default.removeItem(atPath: fixture.trail)
    fixture.time += 1_000_000
    try fill(25, statements: 4, from: 100)
    let wanted = try history(nil).list(.init(), limit: 1_000)
    #expect(try history(index).list(.init(), limit: 1_000) == wanted)
    #expect(try history(index).find("0s1") == nil && history(index).find("0s101") != nil)
    _ = try history(nil).bringUpToDate(index)
    #expect(try history(index).list(.init(), limit: 1_000) == wanted)

    for damage in [Data("not a database at all, whatever its name says".utf8), Data()] {
      let other = TrailFixture()
      try FileManager.default.createDirectory(atPath: other.data, withIntermediateDirectories: true)
      try damage.write(to: URL(fileURLWithPath: "\(other.data)/sessions.db"))
      let fresh = try SessionIndexFile(data: other.data)
      #expect(try fresh.newest(ofLane: "loop-0") as (segment: Int64, header: [UInt8])? == nil)
    }
    let indexing = try #require(SessionIndexing(data: fixture.data, logger: .init(label: "test")))
    indexing.stop()
    indexing.bringUpToDate()
  }

  /// 1,000,000 records in `make soak`; a test of the arrangement, not of the machine, in `make test`.
  private static let records = Int(ProcessInfo.processInfo.environment["SALLYPORT_SESSION_RECORDS"] ?? "") ?? 20_000

  @Test("listing the newest of a long trail takes a fraction of a second")
  func long() throws {
    // Of a session come 2 records of its own and 2 of each of its 99 statements.
    try fill(Self.records / 400, statements: 99, size: 16 << 20)
    let index = try SessionIndexFile(data: fixture.data)
    var began = monotonicSeconds()
    let count = try history(nil).bringUpToDate(index)
    print("session index: \(Self.records) records, \(count) segments taken up in \(monotonicSeconds() - began) s")
    began = monotonicSeconds()
    let all = try history(nil).list(.init(), limit: 100)
    print("session list by skimming: \(monotonicSeconds() - began) s")
    began = monotonicSeconds()
    #expect(try history(index).list(.init(), limit: 100) == all)
    #expect(try history(index).find("0s0") != nil)
    let seconds = monotonicSeconds() - began
    print("session list by the index: \(seconds) s")
    #expect(seconds < 2)
  }
}

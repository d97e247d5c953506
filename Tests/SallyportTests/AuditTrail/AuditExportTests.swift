import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// What other systems are given of a trail.
@Suite struct AuditExportTests {
  private let fixture = TrailFixture()
  private typealias Object = [String: Any]

  /// A sign-in that failed and one that did not, and a session with a statement of each kind of end.
  private func trail() throws {
    let lane = try fixture.lane(in: fixture.directory())
    func signIn(_ user: String, _ succeeded: Bool) throws {
      try lane.append(
        .authenticated(
          Authentication(
            user: user, clientAddress: "10.0.0.9", method: "scram", succeeded: succeeded,
            reason: succeeded ? "" : "wrong proof")))
    }
    func open(_ session: String, _ user: String) throws {
      try lane.append(
        .sessionOpened(
          SessionFacts(
            session: session, gateway: "gw", region: "eu",
            subject: Subject(user: user, groups: ["eng"], connection: "shop", clientAddress: "10.0.0.9"),
            backendAddress: "10.1.0.5:5432", backendUser: "app", database: "shopdb", application: "psql")))
    }
    func decide(
      _ id: UInt64, _ text: String, _ kind: SQLStatement.Kind, _ effects: Effects, _ action: DecisionRecord.Action,
      session: String = "aaaaaaaaaaaaa", stage: Command.Stage = .execute
    ) throws {
      let footprint = Footprint([ResourceAccess(.relation(schema: "public", "customers"), effects)])
      let statement = SQLStatement(kind: kind, effects: effects, footprint: footprint, predicate: .present)
      try lane.append(
        .decided(
          DecisionRecord(
            session: session, id: CommandID(id),
            command: Command(
              stage: stage, effects: effects, footprint: footprint, text: text,
              detail: .sql(SQLDetail(statements: [statement]))),
            action: action, rule: action == .permit ? "" : "review", reason: action == .deny ? "not here" : "",
            policy: "c0ffee")))
    }
    func end(_ id: UInt64, _ ending: Outcome.Ending, _ error: String = "", session: String = "aaaaaaaaaaaaa") throws {
      try lane.append(
        .finished(
          session: session, command: CommandID(id),
          outcome: Outcome(ending: ending, tag: "SELECT 3", errorCode: error, rows: 3, bytes: 99, masked: ["ssn"]),
          duration: 5_000))
    }
    try signIn("eve", false)
    try signIn("ana", true)
    try open("aaaaaaaaaaaaa", "ana")
    try decide(1, "select 1", .select, .read, .permit)
    try end(1, .suspended)
    try end(1, .completed)
    try decide(2, "delete from customers", .delete, .write, .deny)
    try decide(3, "update customers", .update, .write, .hold)
    try decide(3, "update customers", .update, .write, .permit)
    try end(3, .failed, "23505")
    try decide(4, "select 4", .select, .read, .permit, stage: .prepare)
    try open("bbbbbbbbbbbbb", "bo")
    try decide(1, "create table x()", .create, .define, .permit, session: "bbbbbbbbbbbbb")
    try lane.append(.sessionClosed(session: "aaaaaaaaaaaaa", reason: "client left"))
    try lane.append(.administration(actor: "ana", verb: "audit.seal", subject: ""))
  }

  private func export(
    _ format: AuditExporter.Format, _ filter: AuditFilter = AuditFilter()
  ) throws -> [Object] {
    var exporter = AuditExporter(format, filter: filter, version: "1.0")
    let lines = try fixture.records().flatMap { exporter.lines(for: $0) } + exporter.remainder()
    return try lines.map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Object) }
  }

  @Test func aJSONLineHasTheFactsOfItsSession() throws {
    try trail()
    let lines = try export(.json)
    #expect(lines.count == (try fixture.records().count))
    let decision = try #require(lines.first { $0["text"] as? String == "select 1" })
    #expect(decision["user"] as? String == "ana" && decision["groups"] as? [String] == ["eng"])
    #expect(decision["client"] as? String == "10.0.0.9" && decision["backend"] as? String == "10.1.0.5:5432")
    #expect(decision["connection"] as? String == "shop" && decision["gateway"] as? String == "gw")
    #expect(decision["region"] as? String == "eu" && decision["database"] as? String == "shopdb")
    let finished = try #require(lines.first { $0["event"] as? String == "finished" })
    #expect(finished["user"] as? String == "ana" && finished["rows"] as? Int == 3)
  }

  @Test func filters() throws {
    try trail()
    let records = try fixture.records()
    func count(_ filter: AuditFilter) throws -> Int { try export(.json, filter).count }
    #expect(try count(AuditFilter(session: "bbbbbbbbbbbbb")) == 2)
    #expect(try count(AuditFilter(user: "eve")) == 1)
    #expect(try count(AuditFilter(user: "bo")) == 2)
    #expect(try count(AuditFilter(user: "ana")) == records.count - 3)
    let middle = records[records.count / 2].time
    #expect(try count(AuditFilter(since: middle)) == records.count - records.count / 2)
    #expect(try count(AuditFilter(until: middle)) == records.count / 2)
    #expect(try count(AuditFilter(since: middle, until: middle)) == 0)
    // What began before the time asked for still knows whose it was.
    #expect(
      try export(.json, AuditFilter(since: middle)).allSatisfy {
        $0["event"] as? String == "administration" || $0["user"] != nil
      })
  }

  @Test func commandsAreOneEventEach() throws {
    try trail()
    let events = try export(.ocsf).filter { $0["class_uid"] as? Int == 6005 }
    func find(_ text: String, _ action: Int? = nil) throws -> Object {
      try #require(
        events.first {
          ($0["query_info"] as? Object)?["query_string"] as? String == text
            && (action == nil || $0["action_id"] as? Int == action)
        })
    }
    #expect(events.count == 6)
    let select = try find("select 1")
    #expect(select["activity_name"] as? String == "Query" && select["status_id"] as? Int == 1)
    #expect(select["duration"] as? Int == 5 && select["disposition_id"] as? Int == 1)
    #expect((select["unmapped"] as? Object)?["masked"] as? [String] == ["ssn"])
    #expect((select["table"] as? Object)?["name"] as? String == "public.customers")
    let denied = try find("delete from customers")
    #expect(denied["status_id"] as? Int == 2 && denied["disposition_id"] as? Int == 2)
    #expect(denied["activity_name"] as? String == "Delete" && denied["severity_id"] as? Int == 3)
    let rule = ((denied["actor"] as? Object)?["authorizations"] as? [Object])?.first?["policy"] as? Object
    #expect(rule?["name"] as? String == "review" && rule?["desc"] as? String == "not here")
    #expect(try find("update customers", 0)["disposition_id"] as? Int == 14)
    let failed = try find("update customers", 1)
    #expect(failed["status_id"] as? Int == 2 && failed["status_code"] as? String == "23505")
    // Its end was not seen.
    #expect(try find("create table x()")["status_id"] as? Int == 0)
    #expect(((try find("create table x()")["actor"] as? Object)?["user"] as? Object)?["name"] as? String == "bo")
  }

  @Test func everyEventFitsTheSchema() throws {
    try trail()
    var exporter = AuditExporter(.ocsf, filter: AuditFilter(), version: "1.0")
    let lines = try fixture.records().flatMap { exporter.lines(for: $0) } + exporter.remainder()
    #expect(try ocsfFaults(lines) == "")
    let events = try export(.ocsf)
    #expect(events.count == lines.count && events.count { $0["class_uid"] as? Int == 3002 } == 3)
    // Milliseconds.
    #expect(events.allSatisfy { (1_790_000_000_000...1_790_000_100_000).contains($0["time"] as? Int ?? 0) })
    // The check itself finds what is wrong.
    let first = try #require(lines.first)
    for (good, bad) in [
      ("\"severity_id\":", "\"severity_id\":7"), ("\"time\":", "\"time\":\"now\",\"x\":"), ("\"user\":", "\"usr\":"),
      ("\"version\":\"1.3.0\"", "\"version\":\"1.2.0\""), ("\"activity_name\":\"Logon\"", "\"activity_name\":\"On\""),
    ] {
      #expect(first.contains(good), "\(first)")
      #expect(try ocsfFaults([first.replacing(good, with: bad, maxReplacements: 1)]) != "", "\(bad)")
    }
  }

  /// A command that never ends, and sessions that never close, must not fill the memory.
  @Test func whatNeverEndsIsLetGo() throws {
    try trail()
    let record = try #require(try fixture.records().first { $0.entry?.event == "decided" })
    let entry = try #require(record.entry)
    var commands = CommandBook(limit: 3, byteLimit: .max)
    var gone = 0
    for id in 1...10 as ClosedRange<UInt64> {
      var entry = entry
      entry.command = id
      gone += commands.begin(CommandBook.Command(record: record, entry: entry, session: nil)).count
    }
    #expect(gone == 7 && commands.takeAll().map(\.entry.command) == [8, 9, 10])
    var small = CommandBook(limit: 100, byteLimit: record.payload.count * 2)
    for id in 1...10 as ClosedRange<UInt64> {
      var entry = entry
      entry.command = id
      _ = small.begin(CommandBook.Command(record: record, entry: entry, session: nil))
    }
    #expect(small.takeAll().count == 2)
    let opened = try #require(try fixture.records().first { $0.entry?.event == "session_opened" })
    var sessions = SessionBook(limit: 2)
    for name in ["a", "b", "c"] {
      var entry = try #require(opened.entry)
      entry.session = name
      sessions.open(opened, entry)
    }
    #expect(sessions.find("a") == nil && sessions.find("b") != nil && sessions.find("c") != nil)
  }
}

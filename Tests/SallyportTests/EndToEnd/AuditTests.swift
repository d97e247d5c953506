import Foundation
import Glibc
import Testing

/// What is remembered, and that it is remembered first.
@Suite("End to end: audit", .serialized)
struct EndToEndAuditTests {
  // Octelium: the audit's verdict is the wire's.
  @Test("every statement that ran was decided in the trail before it ended there")
  func order() throws {
    let database = try TestCluster.shared().createDatabase("trail", withShop: true)
    try withGateway(try TestConfiguration.demo(database)) { gateway in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let session = try startPsql(
        gateway.dsn("ana", ana),
        """
        SELECT 'first' FROM products LIMIT 1;
        DELETE FROM orders;
        DELETE FROM orders WHERE id = 7;
        UPDATE products SET price_cents = 5 WHERE id = 1;
        SELECT 'broken' FROM nowhere;
        SELECT ssn FROM customers LIMIT 2;
        SELECT 'last';
        """)
      _ = try eventually("the held statement") {
        try gateway.command("approvals", "list").output.contains("ana on shop") ? true : nil
      }
      #expect(try gateway.command("approvals", "approve", "1", as: dora).status == 0)
      #expect(try session.wait().output.hasSuffix("last\n"))

      let records = try gateway.records()
      let name = try #require(records.first { $0.event == "session_opened" && $0.user == "ana" }?.session)
      let own = records.filter { $0.session == name }
      #expect(Set(own.map(\.lane)).count == 1)
      #expect(own.map(\.sequence) == own.map(\.sequence).sorted())
      #expect(own.first?.event == "session_opened" && own.last?.event == "session_closed")

      let permits = own.filter { $0.event == "decided" && $0.action == "permit" }
      #expect(permits.count == 6)
      for permit in permits {
        let end = own.first { $0.event == "finished" && $0.command == permit.command }
        #expect(try permit.sequence < #require(end).sequence, "\(permit)")
        #expect(permit.stage == "execute" && permit.effects != nil)
      }
      func decision(_ text: String, _ action: String) -> AuditLine? {
        own.first { $0.event == "decided" && $0.text?.hasPrefix(text) == true && $0.action == action }
      }
      func end(_ text: String) -> AuditLine? {
        let id = decision(text, "permit")?.command
        return own.first { $0.event == "finished" && $0.command == id }
      }
      #expect(decision("SELECT 'first'", "permit")?.effects == ["read"])
      #expect(decision("UPDATE", "permit")?.effects?.contains("write") == true)
      #expect(decision("DELETE FROM orders", "deny")?.rule == "no-unbounded-delete")
      #expect(decision("DELETE FROM orders WHERE", "hold")?.rule == "deletes-are-reviewed")
      #expect(decision("DELETE FROM orders WHERE", "permit")?.approvers == ["dora"])
      #expect(end("SELECT 'first'")?.ending == "completed" && end("SELECT 'first'")?.rows == 1)
      #expect(end("UPDATE")?.tag == "UPDATE 1")
      #expect(end("SELECT 'broken'")?.ending == "failed" && end("SELECT 'broken'")?.error == "42P01")
      #expect(end("SELECT ssn")?.masked?.isEmpty == false)
      #expect(records.contains { $0.event == "administration" && $0.verb == "token.create" })
      #expect(records.contains { $0.event == "administration" && $0.verb == "approvals.approve" && $0.actor == "dora" })
    }
  }

  @Test("a client that takes half of a result and goes: the trail knows how much it got")
  func halfTaken() throws {
    let database = try TestCluster.shared().createDatabase("half")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let client = try startPython(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        with connect() as connection:
            text = "SELECT repeat('x', 1000), generate_series(1, 100000000)"
            for number, _ in enumerate(connection.cursor().stream(text)):
                if number == 2000:
                    print("taken", flush=True)
        """)
      _ = try eventually("2,000 rows") { client.output.contains("taken") ? true : nil }
      client.send(SIGKILL)
      try client.wait()
      let finished = try eventually("the record of the end") {
        try gateway.records().first { $0.event == "finished" }
      }
      #expect(finished.ending == "lost")
      #expect((finished.rows ?? 0) >= 2_000, "\(finished.rows ?? 0) rows")
    }
  }

  @Test("a changed byte and a cut end are found and named; a second gateway keeps out")
  func damage() throws {
    let database = try TestCluster.shared().createDatabase("damage")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      #expect(try psql(dsn, "SELECT 'early';").status == 0)
      // The trail as it was, which is also what a trail looks like whose end was cut off.
      let cut = "\(gateway.folder)/cut"
      try FileManager.default.createDirectory(atPath: cut, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: "\(gateway.data)/audit", toPath: "\(cut)/audit")
      for turn in 0..<4 { #expect(try psql(dsn, "SELECT 'later \(turn)';").status == 0) }

      let second = try ChildProcess.run(
        try TestRun.binary(), ["serve", "--config", "\(gateway.folder)/sallyport.yaml", "--data", gateway.data],
        environment: ["SALLYPORT_DEMO_OWNER_PASSWORD": "x", "SALLYPORT_DEMO_APP_PASSWORD": "x"])
      #expect(
        second.status == 1 && second.errors.contains("in use by another gateway"), "\(second.status) \(second.errors)")
      #expect(!second.output.contains("listening"))
      #expect(try psql(dsn, "SELECT 1;").status == 0, "the first gateway goes on")

      let heads = try gateway.command("audit", "verify").output.split(separator: "\n")
        .compactMap { line in line.hasPrefix("  head ") ? String(line.dropFirst(7)) : nil }
      #expect(heads.count == 3)
      func verify(_ data: String, _ more: [String] = []) throws -> ProcessEnd {
        try ChildProcess.run(try TestRun.binary(), ["audit", "verify", "--data", data] + more)
      }
      let withHeads = heads.flatMap { ["--head", $0] }
      #expect(try verify(gateway.data, withHeads).status == 0)
      #expect(try verify(cut).status == 0, "without a head a cut cannot be told")
      let shorter = try verify(cut, withHeads)
      #expect(
        shorter.status == 3 && shorter.output.contains("the end is cut off"), "\(shorter.output)\(shorter.errors)")

      try gateway.stop()
      let (file, place) = try find("SELECT 'later 2'", in: "\(gateway.data)/audit")
      let whole = try #require(FileManager.default.contents(atPath: file))
      var changed = whole
      changed[place] ^= 1
      try changed.write(to: URL(fileURLWithPath: file))
      let found = try verify(gateway.data)
      let lane = URL(fileURLWithPath: file).deletingLastPathComponent().lastPathComponent
      #expect(found.status == 3, "\(found.output)\(found.errors)")
      #expect(
        found.output.contains("NOT SOUND") && found.output.contains("FAULT: lane \(lane), segment 1"), "\(found.output)"
      )
      try whole.write(to: URL(fileURLWithPath: file))
      #expect(try verify(gateway.data).status == 0)
    }
  }

  private func find(_ text: String, in folder: String) throws -> (file: String, place: Int) {
    let names = FileManager.default.enumerator(atPath: folder)
    while let name = names?.nextObject() as? String {
      guard name.hasSuffix(".seg"), let bytes = FileManager.default.contents(atPath: "\(folder)/\(name)"),
        let range = bytes.range(of: Data(text.utf8))
      else { continue }
      return ("\(folder)/\(name)", range.lowerBound)
    }
    throw TestFailure("no segment has \(text)")
  }

  @Test(
    "a client that is refused thousands of times fills no disk: first whole records, then counts; all else is whole")
  func flood() throws {
    let database = try TestCluster.shared().createDatabase("flood")
    let rules = "rules: [{ name: no-deletes, when: { sql: { statement: [delete] } }, then: deny }]"
    let text = try TestConfiguration.open(database) + "\n" + rules
    try withGateway(text) { gateway in
      let token = try gateway.token("ana")
      // Plainly, in transactions (where the backend is sent a failing statement in its place), and by others meanwhile.
      let deletes = (1...3_000).map { "DELETE FROM t WHERE n = \($0);" }.joined(separator: "\n")
      let inTransactions = (1...300).map { "BEGIN; \nDELETE FROM t WHERE n = \($0);\nROLLBACK;" }.joined(
        separator: "\n")
      let flood = try startPsql(gateway.dsn("ana", token), "\(deletes)\n\(inTransactions)")
      for turn in 0..<20 { #expect(try psql(gateway.dsn("ana", token), "SELECT 'kept \(turn)';").status == 0) }
      let end = try flood.wait(within: 60)
      #expect(end.errors.components(separatedBy: "42501").count == 3_301, "each is refused in the client's eyes")

      let wrong = gateway.dsn("ci", "spt_wrong", options: "sslmode=disable")
      try python(
        wrong,
        """
        def sign_in(times):
            for _ in range(times):
                try:
                    psycopg.connect(dsn)
                    sys.exit("let in")
                except psycopg.OperationalError as error:
                    expect("28P01" in str(error) or "authentication failed" in str(error), error)
        threads = [threading.Thread(target=sign_in, args=(40,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """)
      try gateway.stop()
      let records = try gateway.records()
      let denied = records.filter { $0.event == "decided" && $0.action == "deny" }
      let counted = records.filter { $0.event == "denied_repeatedly" }
      #expect(denied.count >= 100 && denied.count < 400 && denied.allSatisfy { $0.rule == "no-deletes" })
      #expect(denied.count + counted.reduce(0) { $0 + ($1.count ?? 0) } == 3_300)
      #expect(counted.allSatisfy { $0.rule == "no-deletes" && $0.session == denied.first?.session })
      let inPlace = records.count { $0.purpose == "failingStatement" } + counted.reduce(0) { $0 + ($1.inPlace ?? 0) }
      #expect(inPlace == 300)
      // What ran has its record, each.
      #expect(records.count { $0.text?.hasPrefix("SELECT 'kept") == true } == 20)
      #expect(records.count { $0.text?.contains("BEGIN") == true } == 300)
      let failures = records.filter { $0.event == "authenticated" && $0.succeeded == false }
      let failed = records.filter { $0.event == "authenticated_repeatedly" }
      #expect(failures.count >= 100 && failures.count + failed.reduce(0) { $0 + ($1.count ?? 0) } == 200)
      #expect(try gateway.command("audit", "tail", "-n", "10000").output.contains("DENY ×"))
    }
  }
}

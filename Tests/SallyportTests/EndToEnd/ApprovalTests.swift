import Foundation
import Glibc
import Testing

/// Statements that wait for people, and statements that people give up.
@Suite("End to end: approvals and cancel", .serialized)
struct EndToEndApprovalTests {
  private static let delete = "DELETE FROM orders WHERE id = 7;"

  private func withDemo(wait: String = "2m", _ body: (GatewayProcess, String) throws -> Void) throws {
    let database = try TestCluster.shared().createDatabase("approvals", withShop: true)
    try withGateway(try TestConfiguration.demo(database, wait: wait)) { try body($0, database) }
  }

  /// The number in the NOTICE that a waiting psql printed.
  private func request(of client: ChildProcess) throws -> String {
    try eventually("the NOTICE of a held statement") {
      guard client.isRunning else { throw TestFailure("it did not wait: \(client.output)\(client.errors)") }
      let words = client.errors.split(whereSeparator: { !$0.isLetter && !$0.isNumber }).map(String.init)
      guard client.errors.contains("\n"), let at = words.firstIndex(of: "request"), at + 1 < words.count else {
        return nil
      }
      return words[at + 1]
    }
  }

  private func orders(_ database: String) throws -> String {
    try TestCluster.shared().direct(database, "SELECT count(*) FROM orders WHERE id = 7")
  }

  // Approver = requester, groups counted instead of people, and approving twice: one each.
  @Test("held, shown, approved by the right person only, then done")
  func approved() throws {
    try withDemo { gateway, database in
      let (ana, bo, dora) = (try gateway.token("ana"), try gateway.token("bo"), try gateway.token("dora"))
      let began = monotonicSeconds()
      let client = try startPsql(gateway.dsn("ana", ana), EndToEndApprovalTests.delete)
      let id = try request(of: client)
      #expect(monotonicSeconds() - began < 5)
      #expect(
        client.errors.contains("deletes-are-reviewed") && client.errors.contains("approvals approve \(id)"),
        "\(client.errors)")
      #expect(client.errors.contains("dba, within "), "who, and until when: \(client.errors)")
      // Sessions are dealt out to the event loops in turn, so that some are on the one where it waits.
      for _ in 0..<4 { #expect(try psql(gateway.dsn("bo", bo), "SELECT 'others';").output == "others\n") }

      let list = try gateway.command("approvals", "list", as: dora)
      #expect(list.output.contains("\(id)  ana on shop  deletes-are-reviewed"), "\(list.output)\(list.errors)")
      let shown = try gateway.command("approvals", "show", id, as: dora).output
      #expect(
        shown.contains("statement   DELETE FROM orders WHERE id = 7") && shown.contains("touches     "), "\(shown)")
      #expect(shown.contains("1 of dba"))

      for (token, words) in [
        (ana, "ana does not have the role approver"), (bo, "bo does not have the role approver"),
        ("", "this needs a person"),
        ("spt_wrong", "the token is not valid"),
      ] {
        for verb in ["approve", "deny"] {
          let end = try gateway.command("approvals", verb, id, as: token)
          #expect(end.status == 1 && end.errors.contains(words), "\(end.output)\(end.errors)")
        }
      }
      let other = try gateway.command("approvals", "approve", "999", as: dora)
      #expect(other.status == 1 && other.errors.contains("does not wait"), "\(other.errors)")
      #expect(try orders(database) == "1")
      #expect(client.isRunning)

      let yes = try gateway.command("approvals", "approve", id, "--reason", "order was a duplicate", as: dora)
      #expect(yes.status == 0 && yes.output.contains("is approved and goes on"), "\(yes.errors)")
      let end = try client.wait()
      #expect(end.status == 0 && !end.errors.contains("ERROR"), "\(end.errors)")
      #expect(try orders(database) == "0")
      #expect(try gateway.command("approvals", "approve", id, as: dora).status == 1)
      #expect(try gateway.command("approvals", "list").output.contains("nothing waits"))

      let records = try gateway.records().filter { $0.session != nil }
      let steps = records.filter { $0.event == "approval" }.compactMap(\.step)
      #expect(steps == ["requested", "approved", "consumed"])
      for refused in ["ana", "bo"] {
        #expect(
          try gateway.records().contains {
            $0.verb == "approvals.approve" && $0.actor == refused && $0.subject?.hasPrefix("refused: ") == true
          })
      }
      let decided = records.filter { $0.event == "decided" && $0.text?.hasPrefix("DELETE") == true }
      #expect(decided.map(\.action) == ["hold", "permit"] && decided.last?.approvers == ["dora"])
    }
  }

  @Test("refused, out of time, or in a transaction that cannot go on")
  func refused() throws {
    try withDemo { gateway, database in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let client = try startPsql(gateway.dsn("ana", ana), "\(EndToEndApprovalTests.delete)\nSELECT 'goes on';")
      let no = try gateway.command(
        "approvals", "deny", try request(of: client), "--reason", "ask sales first", as: dora)
      #expect(no.status == 0, "\(no.errors)")
      let end = try client.wait()
      #expect(end.errors.contains("42501") && end.errors.contains("ask sales first"), "\(end.errors)")
      #expect(end.output == "goes on\n")

      let block = try startPsql(
        gateway.dsn("ana", ana), "BEGIN;\n\(EndToEndApprovalTests.delete)\nSELECT 'no';\nROLLBACK;\nSELECT 'goes on';")
      let id = try request(of: block)
      #expect(
        try eventually("locks in the notice") {
          block.errors.contains("Locks that your transaction holds") ? true : nil
        })
      #expect(try gateway.command("approvals", "deny", id, as: dora).status == 0)
      let blocked = try block.wait()
      #expect(blocked.errors.contains("25P02") && blocked.output == "goes on\n", "\(blocked.output)\(blocked.errors)")
      #expect(try orders(database) == "1")
    }
    try withDemo(wait: "1s") { gateway, database in
      let end = try psql(
        gateway.dsn("ana", try gateway.token("ana")), "\(EndToEndApprovalTests.delete)\nSELECT 'goes on';")
      #expect(
        end.errors.contains("42501") && end.errors.contains("Nobody approved the statement within 1 s."),
        "\(end.errors)")
      #expect(end.output == "goes on\n")
      #expect(try orders(database) == "1")
      #expect(try gateway.command("approvals", "list").output.contains("nothing waits"))
      #expect(try gateway.records().filter { $0.event == "approval" }.compactMap(\.step) == ["requested", "expired"])
    }
  }

  @Test("Ctrl-C ends what is held and what runs, with 57014; the connection goes on")
  func interrupt() throws {
    try withDemo { gateway, database in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      let held = try startPsql(dsn, "\(EndToEndApprovalTests.delete)\nSELECT 'goes on';")
      _ = try request(of: held)
      held.send(SIGINT)
      let end = try held.wait()
      // psql that reads a script ends at Ctrl-C once the statement is cancelled.
      #expect(end.errors.contains("57014"), "\(end.output)\(end.errors)")
      #expect(try orders(database) == "1")
      _ = try eventually("the request to go") {
        try gateway.command("approvals", "list").output.contains("nothing waits") ? true : nil
      }

      try python(
        dsn,
        """
        with connect() as connection:
            for text in ("DELETE FROM orders WHERE id = 7", "SELECT pg_sleep(30)"):
                began = time.monotonic()
                heard = threading.Event()
                connection.add_notice_handler(lambda d: heard.set())
                def give_up():
                    if "DELETE" in text:
                        heard.wait(10)
                        connection.cancel()
                        return
                    with psycopg.connect(dsn, autocommit=True) as other:
                        wait_for("the sleep", lambda: other.execute(
                            "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'",
                            [connection.info.backend_pid]).fetchone())
                    connection.cancel()
                thread = threading.Thread(target=give_up)
                thread.start()
                refused("57014", lambda: connection.execute(text))
                thread.join()
                expect(time.monotonic() - began < 15, "it took too long")
                expect(connection.execute("SELECT 1").fetchone() == (1,), "the connection does not go on")
        """)
      #expect(try orders(database) == "1")
    }
  }

  // supavisor #1148, #174: late cancels hit the next statement; wrong keys.
  @Test("a wrong key cancels nothing, a late cancel never hits the next statement")
  func lateCancel() throws {
    let database = try TestCluster.shared().createDatabase("cancel")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        port = int(psycopg.conninfo.conninfo_to_dict(dsn)["port"])
        with connect() as connection:
            def wrong_keys():
                for process in (connection.info.backend_pid, 1, 0):
                    for secret in (0, 1, -1):
                        peer = socket.create_connection(("127.0.0.1", port), timeout=10)
                        peer.sendall(struct.pack("!iiii", 16, 80877102, process, secret))
                        expect(peer.recv(10) == b"", "an answer to a cancel request")
            thread = threading.Thread(target=wrong_keys)
            thread.start()
            expect(connection.execute("SELECT 5 FROM pg_sleep(0.5)").fetchone() == (5,), "a wrong key cancelled")
            thread.join()

            late = 0
            for turn in range(20):
                sender = threading.Thread(target=connection.cancel)
                sender.start()
                try:
                    connection.execute("SELECT 1")
                except psycopg.errors.QueryCanceled:
                    late += 1
                # psycopg's cancel returns when the gateway has closed the cancel's connection.
                sender.join()
                try:
                    row = connection.execute("SELECT %s FROM pg_sleep(0.05)", [turn]).fetchone()
                except psycopg.errors.QueryCanceled:
                    sys.exit(f"turn {turn}: a late cancel hit the next statement")
                expect(row == (turn,) or row == (str(turn),), row)
            print("cancelled in time:", late)
        """)
    }
  }
}

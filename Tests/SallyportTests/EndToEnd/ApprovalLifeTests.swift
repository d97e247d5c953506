import Foundation
import Glibc
import Testing

/// Approvals that outlive the session that asked, and what they are bound to.
@Suite("End to end: approvals for later", .serialized)
struct EndToEndApprovalLifeTests {
  /// Deletes on `shop` need an approval by one of dba, as `approve` says more closely.
  private func withReview(_ approve: String, _ body: (GatewayProcess, String) throws -> Void) throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("review")
    try cluster.direct(
      database,
      """
      CREATE TABLE public.t (id int PRIMARY KEY, note text); CREATE SCHEMA other; CREATE TABLE other.t (id int, note text);
      GRANT USAGE ON SCHEMA other TO app; GRANT ALL ON public.t, other.t TO app;
      INSERT INTO public.t SELECT g, 'n' FROM generate_series(1, 50) g; INSERT INTO other.t SELECT * FROM public.t;
      CREATE VIEW public.v AS SELECT * FROM public.t; GRANT ALL ON public.v TO app
      """)
    try withGateway(
      """
      gateway: { name: test, listen: { postgres: "127.0.0.1:0" }, threads: 2 }
      users:
        ana: { groups: [engineering] }
        bo: { groups: [engineering] }
        dora: { groups: [dba] }
        dave: { groups: [dba] }
        eve: { groups: [dba, engineering] }
      roles: { approver: [dba] }
      connections:
        shop:
          protocol: postgres
          address: 127.0.0.1:\(cluster.port)
          database: \(database)
          databases: [postgres]
          credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }]
      access: [{ groups: [engineering], connections: [shop], allow: { postgres: all } }]
      rules:
        - { name: review, when: { sql: { statement: [delete] } }, then: { approve: { by: [dba], \(approve) } } }
      """
    ) { try body($0, database) }
  }

  private func count(_ database: String, _ table: String = "public.t") throws -> String {
    try TestCluster.shared().direct(database, "SELECT count(*) FROM \(table)")
  }

  /// The number of the request that a refusal names.
  private func number(_ errors: String) throws -> String {
    guard let range = errors.range(of: "request [0-9]+", options: .regularExpression) else {
      throw TestFailure("no request in: \(errors)")
    }
    return String(errors[range].dropFirst(8))
  }

  private func approve(_ gateway: GatewayProcess, _ id: String, _ token: String) throws {
    let end = try gateway.command("approvals", "approve", id, as: token)
    #expect(end.status == 0, "\(end.errors)")
  }

  @Test("wait: 0 refuses at once; once approved the same statement runs, once, in a new session and after a restart")
  func later() throws {
    try withReview("wait: 0, expires: 10m, valid_for: 5m") { gateway, database in
      let (ana, bo, dora) = (try gateway.token("ana"), try gateway.token("bo"), try gateway.token("dora"))
      let text = "DELETE FROM t WHERE id = 7;"
      let first = try psql(gateway.dsn("ana", ana), text + "\nSELECT 'goes on';")
      #expect(first.errors.contains("42501") && first.errors.contains("run exactly the same statement again"))
      #expect(first.output == "goes on\n", "\(first.errors)")
      let id = try number(first.errors)
      // Asking again before it is approved makes no second request.
      #expect(try number(try psql(gateway.dsn("ana", ana), text).errors) == id)
      let shown = try gateway.command("approvals", "show", id, as: dora)
      #expect(shown.output.contains("DELETE FROM t WHERE id = 7"), "\(shown.output)")
      #expect(try gateway.command("approvals", "show", id).output.contains("id = ?"))
      #expect(try gateway.command("approvals", "show", id, as: ana).status == 0)
      #expect(try gateway.command("approvals", "show", id, as: bo).status == 1)

      // It lives on through a restart, and so does what was approved; the exact text does not.
      try gateway.stop()
      try gateway.restart()
      #expect(try gateway.command("approvals", "show", id, as: dora).output.contains("WHERE id = ?"))
      try approve(gateway, id, dora)
      try gateway.stop()
      try gateway.restart()
      #expect(try count(database) == "50")

      // Edited, of another person, on another database, with another search_path or role: all ask anew.
      for (who, token, edited, options, connection) in [
        ("ana", ana, "DELETE FROM t WHERE id = 8;", "", "shop"),
        ("ana", ana, "DELETE FROM t WHERE id = 7 ;", "", "shop"),
        ("ana", ana, text, "options=-csearch_path=other", "shop"), ("bo", bo, text, "", "shop"),
        ("ana", ana, "DELETE FROM pg_description WHERE objoid = 7;", "", "shop/postgres"),
        ("ana", ana, "SET search_path = other, public;\n" + text, "", "shop"),
      ] {
        let end = try psql(
          gateway.dsn(who, token, database: connection, options: "sslmode=disable \(options)"), edited)
        #expect(try number(end.errors) != id, "\(edited) \(options)")
      }
      #expect(try count(database) == "50")
      #expect(try count(database, "other.t") == "50")

      let done = try psql(gateway.dsn("ana", ana), text)
      #expect(done.errors.isEmpty && done.status == 0, "\(done.errors)")
      #expect(try count(database) == "49")
      let replayed = try psql(gateway.dsn("ana", ana), text)
      #expect(replayed.errors.contains("42501"))
      #expect(try number(replayed.errors) != id)
      #expect(try gateway.command("approvals", "show", id, as: dora).output.contains("\(id), consumed"))
      let records = try gateway.records().filter { $0.request == Int64(id) }
      #expect(records.compactMap(\.step).sorted() == ["approved", "consumed", "requested"], "\(records)")
      let permit = try gateway.records().last { $0.action == "permit" && $0.text?.hasPrefix("DELETE") == true }
      #expect(permit?.approvers == ["dora"] && permit?.rule == "review")
    }
  }

  @Test("Bound to every value, its format and its declared type; a store that cannot use it up refuses")
  func values() throws {
    try withReview("wait: 0, expires: 10m, valid_for: 5m") { gateway, database in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let run = """
        import json, re, subprocess, os
        binary, data, token = sys.argv[2:5]
        def ask(connection, values, place="%s"):
            try:
                connection.execute(f"DELETE FROM public.t WHERE id = {place} AND note = {place}", values)
            except psycopg.Error as error:
                return re.search("request ([0-9]+)", str(error.diag.message_detail)).group(1)
        def approve(number):
            subprocess.run([binary, "approvals", "approve", number, "--data", data], check=True, stdout=subprocess.DEVNULL,
                env={**os.environ, "SALLYPORT_TOKEN": token})
            return number
        with connect() as connection:
            number = approve(ask(connection, (7, "n")))
            for values, place in [((8, "n"), "%s"), ((7, "m"), "%s"), ((7, "n"), "%b")]:
                other = ask(connection, values, place)
                expect(other not in (None, number), f"{values} as {place} used the approval")
            # The same bytes, read as another type.
            result = connection.pgconn.exec_params(
                b"DELETE FROM public.t WHERE id = $1 AND note = $2", [b"7", b"n"], param_types=[20, 25])
            expect(b"request" in result.error_message, "another type used the approval")

        """
      let arguments = [try TestRun.binary(), gateway.data, dora]
      try python(
        gateway.dsn("ana", ana),
        run
          + """
              expect(ask(connection, (7, "n")) is None, "the approved values do not run")
              expect(ask(connection, (7, "n")) not in (None, number), "it ran twice")
              print(approve(ask(connection, (9, "n"))))

          """.split(separator: "\n").map { $0.isEmpty ? "" : "    " + $0.drop { $0 == " " } }.joined(separator: "\n"),
        arguments)
      #expect(try count(database) == "49")
      // The disk is full, or whatever else a store can have.
      try python(
        gateway.dsn("ana", ana),
        """
        import sqlite3
        state = sqlite3.connect(sys.argv[2] + "/state.db")
        state.execute("CREATE TRIGGER full BEFORE UPDATE ON approvals WHEN NEW.status = 'consumed' "
                      "BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        state.commit()
        with connect() as connection:
            delete = ("DELETE FROM public.t WHERE id = %s AND note = %s", (9, "n"))
            refused("58030", lambda: connection.execute(*delete))
            state.execute("DROP TRIGGER full")
            state.commit()
            connection.execute(*delete)
        """, [gateway.data])
      #expect(try count(database) == "48")
    }
  }

  @Test("an estimate of the rows, unless planning would run a user's code or cannot be told")
  func estimates() throws {
    try withReview("wait: 0") { gateway, database in
      let cluster = try TestCluster.shared()
      try cluster.direct(
        database,
        """
        ANALYZE;
        CREATE FUNCTION public.seven() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 7';
        CREATE TABLE public.guarded (id int); ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
        GRANT ALL ON public.guarded TO app
        """)
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      func shown(_ text: String) throws -> String {
        let id = try number(try psql(gateway.dsn("ana", ana), text).errors)
        return try eventually("the estimate of \(text)", within: 5) {
          let shown = try gateway.command("approvals", "show", id, as: dora).output
          let line = shown.split(separator: "\n").first { $0.hasPrefix("rows") } ?? ""
          if line.contains("about") { return String(line) }
          // None will come: wait for that of another request that was made behind it.
          return text.contains("between") ? nil : String(line)
        }
      }
      #expect(try shown("DELETE FROM t WHERE id between 1 and 50;") == "rows        about 50")
      for text in ["DELETE FROM t WHERE id = seven();", "DELETE FROM v WHERE id > 0;", "DELETE FROM guarded;"] {
        let id = try number(try psql(gateway.dsn("ana", ana), text).errors)
        // When the one behind it is there, its own would be as well.
        #expect(try shown("DELETE FROM t WHERE id between 1 and \(50 + text.count);").contains("about"))
        let none = try gateway.command("approvals", "show", id, as: dora).output
        #expect(none.contains("rows        no estimate"), "\(none)")
      }
      // Under no account but an approver's own.
      let id = try number(try psql(gateway.dsn("ana", ana), "DELETE FROM t WHERE id between 1 and 50;").errors)
      #expect(try gateway.command("approvals", "show", id).output.contains("no estimate"))
      #expect(try count(database) == "50")
    }
  }

  @Test("valid_for and expires end what nobody used; the wait can end before the request")
  func outOfTime() throws {
    try withReview("wait: 1s, expires: 3s, valid_for: 1s") { gateway, database in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let waited = try psql(gateway.dsn("ana", ana), "DELETE FROM t WHERE id = 1;")
      #expect(waited.errors.contains("lives on"), "\(waited.errors)")
      let id = try number(waited.errors)
      try approve(gateway, id, dora)
      let expired = { (id: String) in
        try eventually("the end of request \(id)") {
          try gateway.command("approvals", "show", id, as: dora).output.contains("\(id), expired") ? true : nil
        }
      }
      _ = try expired(id)
      let late = try psql(gateway.dsn("ana", ana), "DELETE FROM t WHERE id = 1;")
      let second = try number(late.errors)
      #expect(second != id)
      _ = try expired(second)
      #expect(try gateway.command("approvals", "approve", second, as: dora).errors.contains("does not wait"))
      #expect(try count(database) == "50")
      let ends = try eventually("both ends on record") {
        let ended = try gateway.records().filter { $0.step == "expired" }.compactMap(\.request)
        return ended.count == 2 ? ended : nil
      }
      #expect(Set(ends.map(String.init)) == [id, second])
    }
  }

  @Test("scope: transaction covers the same rules and effects up to the transaction's end; a reason is asked for")
  func transaction() throws {
    try withReview("wait: 20s, scope: transaction, reason: required") { gateway, database in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let silent = try psql(gateway.dsn("ana", ana), "DELETE FROM t WHERE id = 1;")
      #expect(silent.errors.contains("SET sallyport.reason"), "\(silent.errors)")
      let client = try startPsql(
        gateway.dsn("ana", ana),
        """
        SET sallyport.reason = 'INC-42';
        BEGIN;
        DELETE FROM t WHERE id = 1;
        DELETE FROM t WHERE id = 2;
        DELETE FROM other.t WHERE id = 3;
        COMMIT AND CHAIN;
        DELETE FROM t WHERE id = 4;
        """)
      let id = try eventually("the first NOTICE") { try? number(client.errors) }
      let shown = try gateway.command("approvals", "show", id, "--json", as: dora).output
      #expect(shown.contains("\"reason\" : \"INC-42\"") && shown.contains("\"scope\" : \"transaction\""), "\(shown)")
      try approve(gateway, id, dora)
      let next = try eventually("the second NOTICE") {
        let waiting = try gateway.command("approvals", "list", as: dora).output
        return waiting.contains("id = 4") ? String(waiting.prefix { $0 != " " }) : nil
      }
      #expect(next != id)
      #expect(try count(database) == "48")
      #expect(try count(database, "other.t") == "49")
      #expect(try gateway.command("approvals", "deny", next, as: dora).status == 0)
      _ = try client.wait()
      #expect(try gateway.records().filter { $0.step == "used" }.compactMap(\.request) == [Int64(id), Int64(id)])
      let started = try startPsql(
        gateway.dsn("ana", ana, options: "sslmode=disable options='-c sallyport.reason=OPS-7'"),
        "DELETE FROM t WHERE id = 5;")
      _ = try eventually("the reason of the start-up packet") { started.errors.contains("OPS-7") ? true : nil }
      started.send(SIGINT)
      _ = try started.wait()
    }
  }

  @Test("scope: session covers the same rules and effects of its tables up to the session's end, and no other session")
  func session() throws {
    try withReview("wait: 20s, scope: session") { gateway, database in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let client = try startPsql(
        gateway.dsn("ana", ana),
        """
        DELETE FROM t WHERE id = 1;
        BEGIN; DELETE FROM t WHERE id = 2; ROLLBACK;
        DELETE FROM t WHERE id = 3;
        """)
      let id = try eventually("the NOTICE") { try? number(client.errors) }
      try approve(gateway, id, dora)
      #expect(try client.wait().status == 0)
      #expect(try count(database) == "48")
      let used = try gateway.records().filter { $0.step == "used" }.compactMap(\.request)
      // The first was released, those behind it are covered.
      #expect(used.count == 2 && Set(used) == [Int64(id)])
      let other = try startPsql(gateway.dsn("ana", ana), "DELETE FROM t WHERE id = 4;")
      let next = try eventually("a request of its own") { try? number(other.errors) }
      #expect(next != id)
      #expect(try gateway.command("approvals", "deny", next, as: dora).status == 0)
      _ = try other.wait()
      #expect(try count(database) == "48")
    }
  }

  @Test("what the gateway's grammar does not know can be approved; the backend then says what it makes of it")
  func unparsable() throws {
    let database = try TestCluster.shared().createDatabase("newer")
    let rules = """

      rules:
        - { name: newer, when: { effect: unknown }, then: { approve: { by: [dba], wait: 20s } } }
      roles: { approver: [dba] }

      """
    try withGateway(try TestConfiguration.open(database) + rules) { gateway in
      let client = try startPsql(
        gateway.dsn("ana", try gateway.token("ana")), "SELECT json_array(1 RETURNING text); SELECT 'on';")
      let id = try eventually("the NOTICE") { try? number(client.errors) }
      try approve(gateway, id, try gateway.token("dora"))
      let end = try client.wait()
      #expect(end.errors.contains("syntax error at or near \"RETURNING\"") && end.output == "on\n", "\(end.errors)")
      #expect(!end.errors.contains("The gateway reads SQL with"), "not the gateway's words")
    }
  }

  @Test("what a statement touches is looked at again when it is approved; two people, and never the requester")
  func again() throws {
    try withReview("wait: 30s, count: 2") { gateway, database in
      let cluster = try TestCluster.shared()
      let (ana, eve) = (try gateway.token("ana"), try gateway.token("eve"))
      let (dora, dave) = (try gateway.token("dora"), try gateway.token("dave"))
      let client = try startPsql(gateway.dsn("eve", eve), "DELETE FROM v WHERE id = 1;")
      let id = try eventually("the NOTICE") { try? number(client.errors) }
      #expect(try gateway.command("approvals", "approve", id, as: eve).errors.contains("their own request"))
      try approve(gateway, id, dora)
      #expect(try gateway.command("approvals", "approve", id, as: dora).errors.contains("has approved"))
      #expect(client.isRunning)
      try cluster.direct(
        database, "CREATE OR REPLACE VIEW public.v AS SELECT * FROM other.t")
      try approve(gateway, id, dave)
      let end = try client.wait()
      #expect(end.errors.contains("changed while it waited"), "\(end.errors)")
      #expect(try count(database) == "50")
      #expect(try count(database, "other.t") == "50")

      let good = try startPsql(gateway.dsn("ana", ana), "DELETE FROM v WHERE id = 1;")
      let second = try eventually("the NOTICE") { try? number(good.errors) }
      try approve(gateway, second, dora)
      try approve(gateway, second, eve)
      #expect(try good.wait().status == 0, "\(good.errors)")
      #expect(try count(database, "other.t") == "49")
    }
  }
}

/// Webhooks and grants.
@Suite("End to end: approvals by webhook, grants", .serialized)
struct EndToEndGrantTests {
  private func withReview(_ more: String = "", _ body: (GatewayProcess, String) throws -> Void) throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("grants")
    try cluster.direct(database, "GRANT ALL ON SCHEMA public TO app")
    try withGateway(
      """
      gateway: { name: test, listen: { postgres: "127.0.0.1:0" }, threads: 2 }
      users:
        ana: { groups: [engineering] }
        dora: { groups: [dba] }
        dave: { groups: [dba] }
        ci: { kind: service, owner: dora, groups: [engineering], auth: token }
      roles: { approver: [dba] }
      connections:
        shop:
          protocol: postgres
          address: 127.0.0.1:\(cluster.port)
          database: \(database)
          credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }]
      access: [{ groups: [engineering], connections: [shop], allow: { postgres: all } }]
      rules:
        - { name: ddl, when: { effect: define }, then: { approve: { by: [dba], wait: 0 } } }
      \(more)
      """
    ) { try body($0, database) }
  }

  @Test("a grant spares holds of its effects, for its time, up to its end; it is approved like a statement")
  func grant() throws {
    try withReview { gateway, _ in
      let (ana, dora, ci) = (try gateway.token("ana"), try gateway.token("dora"), try gateway.token("ci"))
      let asked = try gateway.command(
        "access", "request", "shop", "--effect", "define", "--for", "30m", "--reason", "release 7", as: ana)
      #expect(asked.status == 0 && asked.output.hasPrefix("request 1 for define on shop for 30 min"), "\(asked.errors)")
      let create = "CREATE TABLE public.a (id int); DROP TABLE public.a;"
      #expect(try psql(gateway.dsn("ana", ana), create).errors.contains("42501"))
      #expect(try gateway.command("approvals", "approve", "1", as: ana).status == 1)
      #expect(try gateway.command("approvals", "show", "1", as: dora).output.contains("release 7"))
      #expect(try gateway.command("approvals", "approve", "1", as: dora).status == 0)
      for _ in 0..<2 { #expect(try psql(gateway.dsn("ana", ana), create).errors.isEmpty) }
      // What does more than was granted, and somebody else, still ask.
      let more = try psql(gateway.dsn("ana", ana), "CREATE TABLE public.b AS SELECT 1 FROM pg_class;")
      #expect(more.errors.contains("42501"), "\(more.errors)")
      let other = try psql(gateway.dsn("ci", ci), create)
      #expect(other.errors.contains("42501"))
      // Whoever answers for a service does not approve for it.
      guard let range = other.errors.range(of: "request [0-9]+", options: .regularExpression) else { return }
      let own = try gateway.command("approvals", "approve", String(other.errors[range].dropFirst(8)), as: dora)
      #expect(own.errors.contains("dora answers for ci"), "\(own.errors)")

      let list = try gateway.command("access", "list", as: ana).output
      #expect(list.contains("1  ana  define on shop for 30 min  approved until"), "\(list)")
      #expect(try gateway.command("access", "list", as: ci).output == "no grants\n")
      #expect(try gateway.command("access", "revoke", "1", as: ci).status == 1)
      #expect(try gateway.command("access", "revoke", "1", as: dora).status == 0)
      #expect(try psql(gateway.dsn("ana", ana), create).errors.contains("42501"))
      let steps = try gateway.records().filter { $0.request == 1 }.compactMap(\.step)
      #expect(
        steps.filter { $0 == "used" }.count == 4 && Set(steps).isSuperset(of: ["requested", "approved", "cancelled"]))
    }
  }

  /// A webhook in Python: it writes each body with its headers to a file; what comes to /hang is never answered.
  private static let server = """
    import http.server, json, sys, threading
    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
            with open(sys.argv[1], "a") as file:
                file.write(json.dumps({"path": self.path, "body": body, "time": self.headers["x-sallyport-timestamp"],
                    "signature": self.headers["x-sallyport-signature"]}) + "\\n")
            if self.path == "/hang":
                threading.Event().wait()
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("location", "/elsewhere")
            else:
                self.send_response(200)
            self.end_headers()
        do_GET = do_POST
        def log_message(self, *arguments): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  private struct Posted: Decodable {
    struct Body: Decodable {
      struct Metadata: Decodable {
        struct Payload: Decodable {
          var code: String
          var request: Int64
        }
        var eventPayload: Payload
      }
      var text: String
      var metadata: Metadata
    }
    var path: String
    var body: String
    var time: String
    var signature: String
    func decoded() throws -> Body {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Body.self, from: Data(body.utf8))
    }
  }

  private func withWebhook(
    _ path: String, _ body: (GatewayProcess, _ posted: () throws -> [Posted]) throws -> Void
  ) throws {
    let file = TestRun.newPath("posted")
    let secret = TestRun.newPath("secret")
    try "hook-secret-123".write(toFile: secret, atomically: false, encoding: .utf8)
    let server = try ChildProcess(try TestRun.python(), ["-c", Self.server, file])
    let port = try eventually("the webhook's port") {
      Int(server.output.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    let webhook = "approvals: { webhook: { url: \"http://127.0.0.1:\(port)\(path)\", secret: { file: \(secret) } } }"
    try withReview(webhook) { gateway, _ in
      try body(gateway) {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return try text.split(separator: "\n").map { try JSONDecoder().decode(Posted.self, from: Data($0.utf8)) }
      }
    }
    server.send(SIGKILL)
  }

  @Test("a webhook gets the masked text, signed, with a code that works once and only for approvers")
  func webhook() throws {
    try withWebhook("/hook") { gateway, posted in
      let (ana, dora, dave) = (try gateway.token("ana"), try gateway.token("dora"), try gateway.token("dave"))
      let create = "CREATE TABLE public.a (note text DEFAULT 'a secret value');"
      #expect(try psql(gateway.dsn("ana", ana), create).errors.contains("42501"))
      let message = try eventually("the webhook") { try posted().first }
      #expect(!message.body.contains("secret value") && message.body.contains("1 values hidden"), "\(message.body)")
      let body = try message.decoded()
      #expect(body.text.contains("*ana* asks for approval 1 on *shop*") && body.metadata.eventPayload.request == 1)
      let check = """
        import hashlib, hmac, sys
        print("v1=" + hmac.new(b"hook-secret-123", (sys.argv[1] + "." + sys.argv[2]).encode(), hashlib.sha256).hexdigest())
        """
      let expected = try ChildProcess.run(try TestRun.python(), ["-c", check, message.time, message.body]).output
      #expect(message.signature + "\n" == expected)

      let code = body.metadata.eventPayload.code
      let forged = String(code.dropLast(3)) + (code.hasSuffix("AAA") ? "BBB" : "AAA")
      #expect(try gateway.command("approvals", "approve", "--code", forged, as: dora).errors.contains("not valid"))
      #expect(try gateway.command("approvals", "approve", "--code", code, as: ana).status == 1)
      #expect(try gateway.command("approvals", "approve", "--code", code).errors.contains("needs a person"))
      let good = try gateway.command("approvals", "approve", "--code", code, as: dora)
      #expect(good.status == 0 && good.output.contains("is approved"), "\(good.errors)")
      #expect(try gateway.command("approvals", "approve", "--code", code, as: dave).status == 1)
      #expect(try psql(gateway.dsn("ana", ana), create).errors.isEmpty)
      #expect(!(try gateway.records().contains { $0.subject?.contains(code) == true }))
    }
  }

  @Test("a webhook that hangs, or sends elsewhere, costs nobody anything")
  func hanging() throws {
    for path in ["/hang", "/moved"] {
      try withWebhook(path) { gateway, posted in
        let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
        let began = monotonicSeconds()
        let create = "CREATE TABLE public.a (id int);"
        #expect(try psql(gateway.dsn("ana", ana), create).errors.contains("request 1"))
        _ = try eventually("the webhook") { try posted().first }
        #expect(try gateway.command("approvals", "approve", "1", as: dora).status == 0)
        #expect(try psql(gateway.dsn("ana", ana), create).errors.isEmpty)
        try gateway.stop()
        #expect(monotonicSeconds() - began < 8)
        #expect(try posted().allSatisfy { $0.path == path })
      }
    }
  }
}

import Foundation
import Testing

/// Limits that end what lasts too long, and keep out what is too much.
@Suite("End to end: limits of sessions", .serialized)
struct EndToEndLimitTests {
  private static let prelude = """
    import select

    def told(connection, code, words):
        # The gateway speaks first; nobody has to ask.
        expect(select.select([connection.fileno()], [], [], 15)[0], "nothing was said")
        error = refused(code, lambda: connection.execute("SELECT 1"))
        expect(words in str(error), error)
        expect(connection.closed, "still open")


    """

  /// A database behind a connection of these limits.
  private func withLimits(_ limits: String, _ body: (GatewayProcess, (String) throws -> String) throws -> Void) throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("limits")
    let more =
      "  b-limited: { protocol: postgres, address: \"127.0.0.1:\(cluster.port)\", database: \(database), "
      + "credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }], limits: \(limits) }"
    try withGateway(try TestConfiguration.open(database, more: more)) { gateway in
      try body(gateway) { user in gateway.dsn(user, try gateway.token(user), database: "b-limited") }
    }
  }

  @Test("idle sessions and idle transactions end, in PostgreSQL's own codes")
  func idle() throws {
    try withLimits("{ idle: 1s, idle_in_transaction: 2s }") { _, dsn in
      try python(
        try dsn("ana"),
        EndToEndLimitTests.prelude + """
          told(connect(), "57P05", "have done nothing for 1 s")
          connection = connect()
          connection.execute("BEGIN; SELECT 1")
          told(connection, "25P03", "nothing is done for 2 s")
          connection = connect()
          connection.execute("BEGIN")
          refused("22012", lambda: connection.execute("SELECT 1/0"))
          told(connection, "25P03", "nothing is done for 2 s")
          # Working is not idle.
          expect(connect().execute("SELECT pg_sleep(3)").fetchone(), "no answer")
          """)
    }
  }

  @Test("a statement over its time: 57014 naming the limit; the session and what is behind it go on")
  func statement() throws {
    try withLimits("{ statement: 1s }") { gateway, dsn in
      try python(
        try dsn("ana"),
        EndToEndLimitTests.prelude + """
          connection = connect()
          for binary in (False, True):
              error = refused("57014", lambda: connection.execute("SELECT pg_sleep(60)", binary=binary))
              expect("the gateway's time limit of 1 s" in str(error), error)
              expect(connection.execute("SELECT 1").fetchone() == (1,), "the session does not go on")
          error = refused("57014", lambda: connection.execute("SELECT 1; SELECT pg_sleep(60); SELECT 2"))
          expect("the gateway's time limit of 1 s" in str(error), error)
          # The backend's own limit is told in the backend's own words.
          connection.execute("SET statement_timeout = '50ms'")
          error = refused("57014", lambda: connection.execute("SELECT pg_sleep(60)"))
          expect("due to statement timeout" in str(error), error)
          connection.execute("RESET statement_timeout")
          connection.execute("BEGIN")
          refused("57014", lambda: connection.execute("SELECT pg_sleep(60)"))
          expect(connection.info.transaction_status.name == "INERROR", connection.info.transaction_status)
          connection.execute("ROLLBACK")
          with connection.pipeline() as pipeline:
              first = connection.execute("SELECT 1")
              second = connection.execute("SELECT pg_sleep(60)")
              refused("57014", pipeline.sync)
              expect(first.fetchone() == (1,), "what was in front of it is lost")
          expect(connection.execute("SELECT 2").fetchone() == (2,), "the session does not go on")
          """)
      let finished = try gateway.records().filter { $0.event == "finished" }
      #expect(finished.count { $0.error == "57014" } == 6, "\(finished.compactMap(\.error))")
    }
  }

  @Test("a session that has reached its lifetime ends when nothing is under way, and not before")
  func lifetime() throws {
    try withLimits("{ lifetime: 2s }") { _, dsn in
      try python(
        try dsn("ana"),
        EndToEndLimitTests.prelude + """
          told(connect(), "57P01", "reached its lifetime")
          # Busy all the time: the end comes between two statements.
          connection = connect()
          end = time.monotonic() + 20
          said = []
          connection.add_notice_handler(lambda diagnostic: said.append(diagnostic.sqlstate))
          try:
              while time.monotonic() < end:
                  expect(connection.execute("SELECT 1").fetchone() == (1,), "no answer")
              sys.exit("it lives on")
          except psycopg.OperationalError as error:
              # libpq takes what comes right behind ReadyForQuery for a notice.
              expect("57P01" in said + [error.sqlstate], (said, error.sqlstate))
          # Not inside a transaction, nor inside a statement.
          connection = connect()
          connection.execute("CREATE TABLE IF NOT EXISTS kept (a int)")
          connection.execute("BEGIN")
          connection.execute("INSERT INTO kept VALUES (1)")
          expect(connection.execute("SELECT pg_sleep(4)").fetchone(), "no answer")
          connection.add_notice_handler(lambda diagnostic: said.append(diagnostic.message_hint))
          connection.execute("COMMIT")
          expect(select.select([connection.fileno()], [], [], 15)[0], "nothing was said")
          try:
              connection.execute("SELECT 1")
              sys.exit("it lives on")
          except psycopg.OperationalError as error:
              expect("Connect again." in said or "Connect again." in str(error), (said, error))
          expect(connect().execute("SELECT count(*) FROM kept").fetchone() == (1,), "what was done is lost")
          """)
    }
  }

  @Test("sessions of a person and of a connection: 53300 with a hint; who leaves makes room")
  func number() throws {
    try withLimits("{ sessions: 3, sessions_per_user: 2 }") { gateway, dsn in
      let others = try gateway.token("bo")
      try python(
        try dsn("ana"),
        """
        def full(words, dsn):
            try:
                psycopg.connect(dsn)
            except psycopg.OperationalError as error:
                expect(words in str(error), error)
                expect("Close one that is not in use" in str(error), error)
                return
            sys.exit("there was room")
        mine = [connect(), connect()]
        full('too many sessions of user "ana" on connection "b-limited"', dsn)
        theirs = psycopg.conninfo.make_conninfo(dsn, user="bo", password=sys.argv[2])
        other = psycopg.connect(theirs)
        full('too many sessions on connection "b-limited"', theirs)
        # Elsewhere there is room.
        psycopg.connect(dsn, dbname="shop").close()
        mine.pop().close()
        def again():
            try:
                return psycopg.connect(theirs)
            except psycopg.OperationalError:
                return None
        mine.append(wait_for("room", again))
        # A sign-in that fails takes none.
        for _ in range(5):
            try:
                psycopg.connect(theirs, password="wrong")
            except psycopg.OperationalError:
                pass
        other.close()
        wait_for("room", again)
        """, [others])
    }
  }
}

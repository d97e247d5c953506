import Foundation
import Testing

/// What those who run the gateway live with: health, metrics, a stop without broken statements, a balancer in front.
@Suite("End to end: operation", .serialized)
struct EndToEndOperationTests {
  private static let http = """
    import urllib.error, urllib.request
    console = sys.argv[2]

    def get(path, method="GET", body=None):
        request = urllib.request.Request(f"http://{console}{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics():
        lines = [line for line in get("/metrics")[1].splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


    """

  /// The open configuration with a console and other settings of `gateway:`.
  private func configuration(_ database: String, _ more: String = "") throws -> String {
    try TestConfiguration.open(database).replacingOccurrences(
      of: "listen: { postgres: \"127.0.0.1:0\" }",
      with: "listen: { postgres: \"127.0.0.1:0\", console: \"127.0.0.1:0\" }\(more)")
  }

  @Test("health and metrics: numbers that follow what happens, nothing else to be had")
  func metrics() throws {
    let database = try TestCluster.shared().createDatabase("metrics")
    try withGateway(try configuration(database)) { gateway in
      let token = try gateway.token("ana")
      try python(
        gateway.dsn("ana", token),
        Self.http + """
          expect(get("/healthz") == (200, "ok\\n"), get("/healthz"))
          expect(get("/readyz") == (200, "ok\\n"), get("/readyz"))
          expect(get("/")[0] == 404 and get("/../etc/passwd")[0] == 404, "something else is served")
          expect(get("/metrics", "DELETE")[0] == 405, "DELETE")
          expect(get("/metrics", "POST", b"x" * 100)[0] in (405, 413), "POST")
          before = metrics()
          connection = connect()
          connection.execute("SELECT 1")
          refused("22012", lambda: connection.execute("SELECT 1/0"))
          after = metrics()
          def grew(name):
              return after[name] - before[name]
          expect(grew('sallyport_commands_total{decision="permit"}') >= 2, "permits")
          expect(grew("sallyport_failed_commands_total") == 1, "failures")
          expect(grew("sallyport_sessions_total") == 1 and after["sallyport_sessions"] == 1, "sessions")
          expect(grew("sallyport_command_seconds_count") >= 2, "durations")
          expect(after["sallyport_answering_loops"] == 2, "loops")
          try:
              psycopg.connect(dsn, password="spt_wrong")
              sys.exit("a wrong token was taken")
          except psycopg.OperationalError:
              pass
          expect(metrics()["sallyport_failed_logins_total"] == before["sallyport_failed_logins_total"] + 1, "logins")
          """, [gateway.console])
    }
  }

  @Test("SIGTERM: no new sessions, idle ones are told to go, what is under way ends well; readiness says so")
  func drain() throws {
    let database = try TestCluster.shared().createDatabase("drain")
    try withGateway(try configuration(database, ", drain: 60s")) { gateway in
      let token = try gateway.token("ana")
      try python(
        gateway.dsn("ana", token),
        Self.http + """
          import os, select, signal
          idle, busy = connect(), connect()
          transaction = psycopg.connect(dsn)
          transaction.execute("CREATE TABLE kept (n int)")
          result = []
          worker = threading.Thread(target=lambda: result.extend(busy.execute("SELECT 7 FROM pg_sleep(1)").fetchone()))
          worker.start()
          wait_for("the statement", lambda: metrics()["sallyport_commands_total{decision=\\"permit\\"}"] >= 3)
          os.kill(int(sys.argv[3]), signal.SIGTERM)
          expect(select.select([idle.fileno()], [], [], 10)[0], "the idle session was not told")
          error = refused("57P01", lambda: idle.execute("SELECT 1"))
          expect(get("/readyz")[0] == 503 and get("/healthz")[0] == 200, "draining is not told")
          try:
              psycopg.connect(dsn)
              sys.exit("a new session was taken")
          except psycopg.OperationalError:
              pass
          worker.join()
          expect(result == [7], f"the statement under way did not end well: {result}")
          transaction.execute("INSERT INTO kept VALUES (1)")
          transaction.commit()
          """, [gateway.console, "\(gateway.pid)"])
      // The last session has ended, so it does not wait for its 60 s.
      #expect(try gateway.process.wait(within: 10).status == 0)
      let kept = try TestCluster.shared().direct(database, "SELECT n FROM kept")
      #expect(kept == "1", "the transaction under way was lost")
    }
  }

  @Test("a transaction that does not end is ended when time is up")
  func impatience() throws {
    let database = try TestCluster.shared().createDatabase("impatience")
    try withGateway(try configuration(database, ", drain: 1s")) { gateway in
      let token = try gateway.token("ana")
      try python(
        gateway.dsn("ana", token),
        """
        import os, select, signal
        connection = connect()
        connection.execute("BEGIN")
        os.kill(int(sys.argv[2]), signal.SIGTERM)
        expect(select.select([connection.fileno()], [], [], 10)[0], "nothing was said")
        refused("57P01", lambda: connection.execute("SELECT 1"))
        """, ["\(gateway.pid)"])
      #expect(try gateway.process.wait(within: 10).status == 0)
    }
  }

  @Test("behind a real HAProxy the record names the client; without the header, or from elsewhere, nobody gets in")
  func balancer() throws {
    let database = try TestCluster.shared().createDatabase("balancer")
    try withGateway(try configuration(database, ", proxy_protocol: { from: [127.0.0.0/8] }")) { gateway in
      let token = try gateway.token("ana")
      try python(
        gateway.dsn("ana", token),
        """
        import os, subprocess, tempfile
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # Another client than the balancer itself: 127.0.0.0 instead of 127.0.0.1.
        text = f\"""
        defaults
          mode tcp
          timeout connect 5s
          timeout client 30s
          timeout server 30s
        listen gateway
          bind 127.0.0.1:{port}
          tcp-request connection set-src src,ipmask(24)
          server gateway 127.0.0.1:{sys.argv[2]} send-proxy-v2
        \"""
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write(text)
            file.flush()
            balancer = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", file.name])
            def up():
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0
            try:
                wait_for("haproxy", up)
                with connect(port=port) as connection:
                    expect(connection.execute("SELECT 1").fetchone() == (1,), "no answer")
                try:
                    connect()
                    sys.exit("a connection without a header was served")
                except psycopg.OperationalError:
                    pass
            finally:
                balancer.terminate()
                balancer.wait(10)
        """, ["\(gateway.port)"])
      let records = try gateway.command("audit", "tail", "--json").output.split(separator: "\n")
      for event in ["authenticated", "session_opened"] {
        let those = records.filter { $0.contains("\"\(event)\"") }
        #expect(those.count == 1 && those.allSatisfy { $0.contains("\"127.0.0.0\"") }, "\(event): \(records)")
      }
    }
  }
}

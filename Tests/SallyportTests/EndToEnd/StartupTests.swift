import Foundation
import Testing

/// What comes before the first statement: TLS in both ways of beginning it, versions, parameters, cancel keys.
///
/// libpq 15 speaks neither direct TLS nor protocol 3.2, so Python's own `ssl` and `socket` do it by hand here.
@Suite("End to end: start-up", .serialized)
struct EndToEndStartupTests {
  /// A peer that speaks the protocol by hand, for users of `auth: token`.
  private static let byHand = """
    import ssl
    at = psycopg.conninfo.conninfo_to_dict(dsn)

    def frame(kind, body=b""):
        return kind + struct.pack("!i", len(body) + 4) + body

    def packet(body):
        return struct.pack("!i", len(body) + 4) + body

    def dial():
        return socket.create_connection(("127.0.0.1", int(at["port"])), timeout=15)

    def encrypt(plain, protocols=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(protocols)
        return context.wrap_socket(plain, server_hostname="localhost")

    def requested(protocols=None):
        plain = dial()
        plain.sendall(packet(struct.pack("!i", 80877103)))
        expect(plain.recv(1) == b"S", "no TLS")
        return encrypt(plain, protocols)

    def direct():
        return encrypt(dial(), ["postgresql"])

    def startup(version=0x30000, **more):
        names = {"user": at["user"], "database": at["dbname"], **more}
        body = b"".join(k.encode() + b"\\0" + v.encode() + b"\\0" for k, v in names.items())
        return packet(struct.pack("!i", version) + body + b"\\0")

    class Peer:
        def __init__(self, stream, version=0x30000, **more):
            self.stream = stream
            self.reader = stream.makefile("rb")
            self.seen = {}
            stream.sendall(startup(version, **more))
            while True:
                kind, body = self.read()
                if kind == b"R" and body == struct.pack("!i", 3):
                    stream.sendall(frame(b"p", at["password"].encode() + b"\\0"))
                self.seen[kind] = body
                if kind in (b"Z", b"E", b""):
                    break

        def read(self):
            head = self.reader.read(5)
            if len(head) < 5:
                return b"", b""
            kind, size = struct.unpack("!ci", head)
            return kind, self.reader.read(size - 4)

        def ask(self, sql):
            self.stream.sendall(frame(b"Q", sql.encode() + b"\\0"))

        def answer(self):
            messages = []
            while not messages or messages[-1][0] not in (b"Z", b""):
                messages.append(self.read())
            return messages

        def value(self, sql):
            self.ask(sql)
            rows = [body for kind, body in self.answer() if kind == b"D"]
            return rows[0][6:].decode()

    def silence(stream):
        # An end without an answer, whatever way TLS puts it.
        try:
            return stream.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            return True


    """

  private func byHand(_ program: String) throws {
    let database = try TestCluster.shared().createDatabase("startup")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      try python(gateway.dsn("ci", try gateway.token("ci")), EndToEndStartupTests.byHand + program)
    }
  }

  @Test("direct TLS with ALPN; without it there is no answer; ALPN is offered behind SSLRequest too")
  func directTLS() throws {
    try byHand(
      """
      stream = direct()
      expect(stream.selected_alpn_protocol() == "postgresql", stream.selected_alpn_protocol())
      peer = Peer(stream)
      expect(peer.value("SELECT 6 * 7") == "42", "no answer")
      for protocols in (None, ["h2"], ["http/1.1", "h2"]):
          try:
              stream = encrypt(dial(), protocols)
              stream.sendall(startup())
          except (ssl.SSLError, ConnectionError):
              continue
          expect(silence(stream), f"{protocols} was answered")
      stream = requested(["postgresql"])
      expect(stream.selected_alpn_protocol() == "postgresql", stream.selected_alpn_protocol())
      expect(Peer(stream).value("SELECT 1") == "1", "no answer")
      expect(Peer(requested()).value("SELECT 1") == "1", "no answer without ALPN")
      # In clear behind what asks for TLS, and in front of it.
      for first in (packet(struct.pack("!i", 80877103)) + startup(), startup() + b"\\x16\\x03\\x01\\x00\\x05hello"):
          plain = dial()
          plain.sendall(first)
          reader = plain.makefile("rb")
          said = reader.read(1)
          expect(said in (b"", b"E", b"R"), said)
          if said == b"R":
              expect(reader.read(8) == struct.pack("!ii", 8, 3), "not a request for the password")
              rest = reader.read()
              expect(rest.startswith(b"E") and b"08P01" in rest, rest)
      """)
  }

  @Test("protocol 3.2: longer cancel keys; newer ones and options are negotiated; 3.0 as ever")
  func versions() throws {
    try byHand(
      """
      for version, length, answer in (
          (0x30000, 8, None), (0x30001, 8, None), (0x30002, 36, None),
          (0x30003, 36, struct.pack("!ii", 0x30002, 0)), (0x3270F, 36, struct.pack("!ii", 0x30002, 0)),
      ):
          peer = Peer(dial(), version)
          expect(len(peer.seen[b"K"]) == length, f"{version:x}: {peer.seen}")
          expect(peer.seen.get(b"v") == answer, f"{version:x}: {peer.seen}")
          expect(peer.value("SELECT 1") == "1", "no answer")
      peer = Peer(dial(), 0x30000, **{"_pq_.color": "on"})
      expect(peer.seen[b"v"] == struct.pack("!ii", 0x30000, 1) + b"_pq_.color\\0", peer.seen)
      expect(peer.value("SELECT 1") == "1", "no answer")
      for version in (0x20000, 0x40000):
          peer = Peer(dial(), version)
          expect(b"C0A000\\0" in peer.seen[b"E"], peer.seen)
      """)
  }

  @Test("cancel: over TLS, direct TLS and in clear, with short and long keys; a wrong key cancels nothing")
  func cancel() throws {
    try byHand(
      """
      def send(packet, how):
          stream = how()
          try:
              stream.sendall(packet)
          except (ssl.SSLError, ConnectionError):
              pass
          expect(silence(stream), "a cancel request was answered")

      def request(key):
          return packet(struct.pack("!i", 80877102) + key)

      with connect() as other:
          def runs(key):
              pid = struct.unpack("!i", key[:4])[0]
              sql = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND query LIKE '%%pg_sleep%%'"
              return other.execute(sql, (pid,)).fetchone()

          for version in (0x30000, 0x30002):
              for how in (dial, requested, direct):
                  peer = Peer(how(), version)
                  key = peer.seen[b"K"]
                  peer.ask("SELECT pg_sleep(40)")
                  wait_for("the statement to run", lambda: runs(key))
                  for wrong in (key[:-1] + bytes([key[-1] ^ 1]), key[:4] + bytes(len(key) - 4), key[:8] + bytes(28),
                                key + b"\\0", bytes(4) + key[4:]):
                      if wrong != key:
                          send(request(wrong), how)
                  expect(runs(key), "a wrong key cancelled it")
                  send(request(key), how)
                  messages = peer.answer()
                  expect(any(kind == b"E" and b"C57014\\0" in body for kind, body in messages), messages)
                  expect(peer.value("SELECT 5") == "5", "the session does not go on")
      """)
  }

  @Test("where the session to the backend is encrypted, the cancel request is too")
  func cancelToTheBackend() throws {
    let relay = try ChildProcess(
      try TestRun.python(),
      [
        "-c",
        """
        import socket, sys, threading
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        def copy(source, target, isFirst):
            try:
                while data := source.recv(65536):
                    if isFirst:
                        print("first", data.hex(), flush=True)
                        isFirst = False
                    target.sendall(data)
            except OSError:
                pass
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        while True:
            client, _ = listener.accept()
            backend = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            threading.Thread(target=copy, args=[client, backend, True], daemon=True).start()
            threading.Thread(target=copy, args=[backend, client, False], daemon=True).start()
        """, "\(try TestCluster.shared().port)",
      ])
    let port = try eventually("the relay") {
      relay.output.split(separator: "\n").first.flatMap { Int($0.dropFirst(5)) }
    }
    let credential = "credentials: [{ user: app, password: { file: \(try TestCluster.shared().passwordFile("app")) } }]"
    let more = ["require", "disable"].map { tls in
      "  b-\(tls): { protocol: postgres, address: \"127.0.0.1:\(port)\", database: postgres, tls: \(tls), \(credential) }"
    }.joined(separator: "\n")
    try withGateway(try TestConfiguration.open("postgres", more: more)) { gateway in
      let token = try gateway.token("ana")
      for (tls, first) in [("require", "0000000804d2162f"), ("disable", "0000001004d2162e")] {
        let known = relay.output.count
        try python(
          gateway.dsn("ana", token, database: "b-\(tls)"),
          """
          with connect() as connection, connect() as other:
              pid = connection.info.backend_pid
              def cancel():
                  sql = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND query LIKE '%%pg_sleep%%' AND state = 'active'"
                  wait_for("the statement to run", lambda: other.execute(sql, (pid,)).fetchone())
                  connection.cancel()
              threading.Thread(target=cancel).start()
              refused("57014", lambda: connection.execute("SELECT pg_sleep(40)"))
              expect(connection.execute("SELECT 1").fetchone() == (1,), "the session does not go on")
          """)
        let opened = relay.output.dropFirst(known).split(separator: "\n").map { $0.dropFirst(6) }
        #expect(opened.count == 3, "\(tls): \(opened)")
        #expect(opened.last?.hasPrefix(first) == true, "\(tls): \(opened)")
        // The code of a cancel request, in clear.
        if tls == "require" { #expect(!opened.contains { $0.contains("04d2162e") }, "\(opened)") }
      }
    }
  }

  @Test("parameters: what SET could do passes; who the session is and what it loads does not")
  func parameters() throws {
    let database = try TestCluster.shared().createDatabase("parameters")
    try TestCluster.shared().direct(
      database,
      "CREATE SCHEMA s; CREATE TABLE s.here AS SELECT 'in s' AS place; GRANT ALL ON SCHEMA s TO app; "
        + "GRANT ALL ON s.here TO app")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let token = try gateway.token("ana")
      func run(_ options: String, _ sql: String) throws -> ProcessEnd {
        try psql(gateway.dsn("ana", token, options: "sslmode=disable \(options)"), sql)
      }
      for (options, sql, answer) in [
        ("options='-c search_path=s'", "SELECT place FROM here;", "in s"),
        ("options='-csearch_path=s,public --work-mem=5MB'", "SHOW work_mem;", "5MB"),
        ("options='-c statement_timeout=7s -c app.tenant=5'", "SELECT current_setting('app.tenant');", "5"),
        ("client_encoding=LATIN1", "SHOW client_encoding;", "LATIN1"),
        ("application_name=mine", "SHOW application_name;", "ana"),
        ("replication=off", "SELECT 1;", "1"), ("replication=0", "SELECT 1;", "1"),
      ] {
        let end = try run(options, sql)
        #expect(end.output == answer + "\n", "\(options): \(end.errors)")
      }
      for (options, words) in [
        ("options='-c role=postgres'", "\"role\" is not allowed"),
        ("options='-c session_authorization=postgres'", "\"session_authorization\" is not allowed"),
        ("options='--session-preload-libraries=x'", "\"session_preload_libraries\" is not allowed"),
        ("options='-c local_preload_libraries=x'", "\"local_preload_libraries\" is not allowed"),
        ("options='-c standard_conforming_strings=off'", "\"standard_conforming_strings\" is not allowed"),
        ("options='-c client_encoding=SJIS'", "is not supported by the gateway"),
        ("options='-c ignore_system_indexes=on'", "\"ignore_system_indexes\" is not allowed"),
        ("options='-c log_connections=off'", "\"log_connections\" is not allowed"),
        ("options='-P'", "start-up option \"-P\" is not allowed"), ("client_encoding=SJIS", "use UTF8 instead"),
        ("replication=database", "Access to connection \"shop\" does not name replication"),
        ("replication=true", "it takes allow: { postgres: [read, replicate] }"),
        ("replication=maybe", "invalid value for parameter \"replication\""),
      ] {
        let end = try run(options, "SELECT 1;")
        #expect(end.status == 2 && end.output.isEmpty && end.errors.contains(words), "\(options): \(end.errors)")
      }
    }
  }

  @Test("the account on the backend follows the person's group")
  func accounts() throws {
    let database = try TestCluster.shared().createDatabase("groups", withShop: true)
    try withGateway(try TestConfiguration.demo(database)) { gateway in
      for (user, account) in [("ana", "shop_app"), ("bo", "shop_app"), ("dora", "shop_owner"), ("ci", "shop_app")] {
        let end = try psql(gateway.dsn(user, try gateway.token(user)), "SELECT current_user, session_user;")
        #expect(end.output == "\(account)|\(account)\n", "\(user): \(end.errors)")
      }
      let opened = try gateway.records().filter { $0.event == "session_opened" }
      #expect(opened.count == 4)
    }
  }
}

import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// What a record holds of each event.
@Suite struct RecordContentTests {
  static let nothing = CommandShape(effects: .read, footprint: .nothing, detail: .sql(SQLDetail(statements: [])))

  private func entry(_ event: AuditEvent) throws -> AuditEntry {
    var writer = JSONWriter()
    writer.event(event)
    // Foundation's parser is the judge of what is JSON.
    _ = try JSONSerialization.jsonObject(with: Data(writer.bytes))
    return try JSONDecoder().decode(AuditEntry.self, from: Data(writer.bytes))
  }

  @Test func gatewayAndControl() throws {
    let started = try entry(.gatewayStarted(version: "1.0", policy: "c0ffee"))
    #expect(started.event == "gateway_started" && started.version == "1.0" && started.policy == "c0ffee")
    let stopped = try entry(.gatewayStopped(reason: "signal 15"))
    #expect(stopped.event == "gateway_stopped" && stopped.reason == "signal 15")
    let control = try entry(.control(session: "s", purpose: .failingStatement))
    #expect(control.event == "control" && control.session == "s" && control.purpose == "failingStatement")
    let verb = try entry(.administration(actor: "eva", verb: "approve", subject: "request 7"))
    #expect(verb.event == "administration" && verb.actor == "eva" && verb.verb == "approve")
    #expect(verb.subject == "request 7")
  }

  @Test func signInAndSession() throws {
    let failed = try entry(
      .authenticated(
        Authentication(user: "ana", clientAddress: "::1", method: "scram", succeeded: false, reason: "wrong proof")))
    #expect(failed.event == "authenticated" && failed.user == "ana" && failed.client == "::1")
    #expect(failed.method == "scram" && failed.succeeded == false && failed.reason == "wrong proof")
    let subject = Subject(
      user: "ana", groups: ["engineering", "dba"], connection: "shop", labels: ["env": "prod"],
      clientAddress: "10.0.0.9")
    let opened = try entry(
      .sessionOpened(
        SessionFacts(
          session: "0123456789abc", gateway: "gw-1", region: "eu", subject: subject, backendAddress: "10.1.0.5:5432",
          backendUser: "app_ro", database: "shop", application: "psql")))
    #expect(opened.event == "session_opened" && opened.session == "0123456789abc" && opened.gateway == "gw-1")
    #expect(opened.region == "eu" && opened.user == "ana" && opened.groups == ["engineering", "dba"])
    #expect(opened.connection == "shop" && opened.labels == ["env": "prod"] && opened.protocol == "postgres")
    #expect(opened.client == "10.0.0.9" && opened.backend == "10.1.0.5:5432" && opened.backendUser == "app_ro")
    #expect(opened.database == "shop" && opened.application == "psql")
    let closed = try entry(.sessionClosed(session: "0123456789abc", reason: "client left"))
    #expect(closed.event == "session_closed" && closed.session == "0123456789abc" && closed.reason == "client left")
  }

  @Test func decision() throws {
    let footprint = Footprint([
      ResourceAccess(.relation(schema: "public", "customers"), [.read, .write]),
      ResourceAccess(.routine(schema: nil, "f"), .unknown),
    ])
    let statement = SQLStatement(kind: .update, effects: [.write], footprint: footprint, predicate: .present)
    let record = DecisionRecord(
      session: "s", id: CommandID(.max),
      command: Command(
        stage: .prepare, effects: [.read, .write], footprint: footprint, text: "update \"a\" set b = '\u{1F600}\t\\'",
        parameters: Parameters(count: 2, encoded: [1, 2, 3]), detail: .sql(SQLDetail(statements: [statement]))),
      action: .hold, rule: "review", reason: "needs two", approvers: ["ben", "eva"], policy: "c0ffee")
    let read = try entry(.decided(record))
    #expect(read.event == "decided" && read.session == "s" && read.command == .max && read.action == "hold")
    #expect(read.rule == "review" && read.reason == "needs two" && read.approvers == ["ben", "eva"])
    #expect(read.stage == "prepare" && read.effects == ["read", "write"] && read.statements == ["update"])
    #expect(read.text == record.command.text && read.policy == "c0ffee")
    #expect(read.parameters == 2 && read.parameterBytes == 3 && read.misunderstood == nil && read.redacted == nil)
    #expect(
      read.footprint
        == .resources([
          .init(kind: "routine", path: [nil, "f"], effects: ["unknown"]),
          .init(kind: "relation", path: ["public", "customers"], effects: ["read", "write"]),
        ]))
    let unknown = try entry(
      decided(
        "x", footprint: .everything,
        detail: .sql(SQLDetail(statements: [], misunderstood: .syntax(message: "near \"secret\"", position: 7)))))
    #expect(unknown.footprint == .everything && unknown.misunderstood == "syntax error at character 7")
  }

  @Test func outcomeAndApproval() throws {
    let outcome = Outcome(
      ending: .failed, tag: "UPDATE 3", errorCode: "42501", rows: 3, bytes: 99, masked: ["ssn", "email"])
    let done = try entry(.finished(session: "s", command: CommandID(4), outcome: outcome, duration: 1_234))
    #expect(done.event == "finished" && done.session == "s" && done.command == 4 && done.ending == "failed")
    #expect(done.tag == "UPDATE 3" && done.error == "42501" && done.rows == 3 && done.bytes == 99)
    #expect(done.masked == ["ssn", "email"] && done.maskedCount == 2 && done.duration == 1_234)
    let approval = try entry(
      .approval(
        ApprovalRecord(
          request: 7, session: "s", command: CommandID(4), step: .refused, person: "eva", reason: "not today")))
    #expect(approval.event == "approval" && approval.request == 7 && approval.session == "s" && approval.command == 4)
    #expect(approval.step == "refused" && approval.person == "eva" && approval.reason == "not today")
  }

  @Test func everyCharacterComesBack() throws {
    let text = String(String.UnicodeScalarView((0...0x2FF).compactMap(Unicode.Scalar.init))) + "\u{2028}\u{10FFFF}é"
    #expect(try entry(decided(text)).text == text)
  }

  @Test func longTextIsCutBetweenCharactersAndHashed() throws {
    let text = "x" + String(repeating: "é", count: 40_000)
    let read = try entry(decided(text))
    #expect(read.text?.utf8.count == RecordLimits.text - 1)
    #expect(text.hasPrefix(try #require(read.text)))
    #expect(read.textBytes == 80_001)
    #expect(read.textSHA256?.count == 64)
    #expect(try entry(decided(String(repeating: "a", count: RecordLimits.text))).textBytes == nil)
  }

  @Test func recordsAreBoundedWhateverTheEventHolds() throws {
    let long = String(repeating: "\u{1}", count: 80_000)
    let many = (0..<400).map { "\(long.prefix(900))\($0)" }
    let accesses = many.map { ResourceAccess(.relation(schema: $0, $0), .read) }
    let worst: [AuditEvent] = [
      decided(long, footprint: Footprint(accesses)),
      .finished(
        session: long, command: CommandID(.max),
        outcome: Outcome(ending: .completed, tag: long, errorCode: long, rows: .max, bytes: .max, masked: many),
        duration: .max),
      .sessionClosed(session: long, reason: long), .gatewayStopped(reason: long),
    ]
    for event in worst {
      var writer = JSONWriter()
      writer.event(event)
      let size = SegmentFormat.recordSize(payload: writer.bytes.count)
      #expect(size <= (OutcomeReserve.covers(event) ? RecordLimits.outcome : 1 << 20))
      _ = try JSONSerialization.jsonObject(with: Data(writer.bytes))
    }
  }
}

@Suite struct PasswordRedactionTests {
  @Test(arguments: [
    ("ALTER ROLE a PASSWORD 'hunter2'", "ALTER ROLE a PASSWORD '***'"),
    (
      "create user a encrypted pAssword'hunter2' valid until '2030-01-01'",
      "create user a encrypted pAssword'***' valid until '***'"
    ),
    ("alter role a password E'hunter\\'2' login", "alter role a password E'***' login"),
    ("alter role a password 'hunter''2'", "alter role a password '***'"),
    ("alter role a password $x$hunter2$$$x$ login", "alter role a password '***' login"),
    ("alter role a password U&'hunter\\0032'", "alter role a password U&'***'"),
    ("alter role a password 'hunter2", "alter role a password '***'"),
    ("alter role a password $$hunter2", "alter role a password '***'"),
    ("alter role a password \"hunter2\"", "alter role a password \"***\""),
    (
      "create user mapping for a server s options (user 'u', password 'hunter2')",
      "create user mapping for a server s options (user '***', password '***')"
    ),
    (
      "create subscription s connection 'host=h password=hunter2' publication p",
      "create subscription s connection '***' publication p"
    ),
    (
      "create subscription s connection 'postgres://u:hunter2@h/d' publication p",
      "create subscription s connection '***' publication p"
    ),
    (
      "select dblink_connect('c', 'host=h user=u password=hunter2')", "select dblink_connect('***', '***')"
    ),
    (
      "alter server s options (add password 'hunter2', drop x)", "alter server s options (add password '***', drop x)"
    ),
    (
      "create user /* for s3 */ mapping for a server s options (secret_access_key 'hunter2')",
      "create user /* for s3 */ mapping for a server s options (secret_access_key '***')"
    ),
    ("select dblink_connect(E'host=h p\\x61ssword=hunter2')", "select dblink_connect(E'***')"),
    ("select dblink_connect(E'host=h \\160a\\163sword=hunter2')", "select dblink_connect(E'***')"),
    ("select dblink_connect(E'host=h \\password=hunter2')", "select dblink_connect(E'***')"),
    ("select dblink_connect(U&'host=h pass\\0077ord=hunter2')", "select dblink_connect(U&'***')"),
    ("select dblink_connect(U&'pass!0077ord=hunter2' UESCAPE '!')", "select dblink_connect(U&'***' UESCAPE '***')"),
    ("select dblink_connect($c$password=hunter2$c$)", "select dblink_connect('***')"),
    ("select dblink_connect('postgres://h/d?p%61ssword=hunter2')", "select dblink_connect('***')"),
    ("copy t from 'https://h/f?X-Amz-Signature=hunter2'", "copy t from '***'"),
    ("select http_get('https://h/f?a=b&api_key=hunter2')", "select http_get('***')"),
    ("alter role a password /* no */ 'hunter2'", "alter role a password /* no */ '***'"),
    ("alter role a password\n--x\n'hunter2'\n'hunter2'", "alter role a password\n--x\n'***'\n'***'"),
    ("alter role a password hunter2", "alter role a password ***"),
    ("select 1; create user a password hunter2", "select 1; create user a password ***"),
    ("comment on role a is 'password hunter2'", "comment on role a is '***'"),
    ("do $f$ begin execute 'alter role a password ''hunter2'''; end $f$", "do '***'"),
    (
      "/* password=hunter2 /* nested */ */ alter role a password 'hunter2' -- password hunter2\n;",
      "/****/ alter role a password '***' --***\n;"
    ),
    (
      "select password, 'x' from \"users\" where id$a = $1 /* why */",
      "select password, '***' from \"users\" where id$a = $1 /* why */"
    ),
  ])
  func secretsGo(_ text: String, _ redacted: String) {
    #expect(PasswordRedaction.redact(text) == redacted)
    #expect(PasswordRedaction.redact(text)?.contains("hunter2") == false)
  }

  @Test(arguments: [
    "select 'hunter2'", "select * from t where mail = 'a@b.c'", "select 'https://a.b/c', 'd@e'", "pass word 'x'", "",
    "select 'https://a.b/c?page=2'", "select * from mapping where a = 'b'", "select E'a\\tb', 'C:\\Pa'",
    "select $$//$$ @ 1",
  ])
  func theRestStays(_ text: String) {
    #expect(PasswordRedaction.redact(text) == nil)
  }

  /// The quick look must not miss what the slow one finds, wherever in the text it stands.
  @Test func theQuickLookMissesNothing() {
    for secret in ["password", "PASSWORD", "pAssWd", "x://a@", "http://u:p@h"] {
      for before in 0..<18 {
        for after in [0, 1, 7, 8, 9] {
          let text = String(repeating: "x", count: before) + secret + String(repeating: "y", count: after)
          #expect(PasswordRedaction.redact("'" + text + "'") == "'***'", "\(text)")
        }
      }
    }
  }

  @Test func noPrefixOfAStatementTrapsOrShowsThePassword() {
    let text = "/* a */ alter role a password E'hunter2\\'' -- password\n$a$ $ \" e'"
    for end in text.indices {
      let prefix = String(text[..<end])
      #expect(PasswordRedaction.redact(prefix)?.contains("hunter2") != true)
    }
  }
}

import AccessModel
import NIOCore
import PolicyEngine
import Testing

@testable import Postgres

@Suite("Replication") struct ReplicationTests {
  @Test(arguments: [
    ("IDENTIFY_SYSTEM", "read,replicate"), ("  \n\tIDENTIFY_SYSTEM;", "read,replicate"),
    ("START_REPLICATION SLOT \"a\" PHYSICAL 0/1 TIMELINE 1", "read,replicate"),
    ("READ_REPLICATION_SLOT a", "read,replicate"), ("TIMELINE_HISTORY 2", "read,replicate"),
    ("SHOW wal_level", "read,replicate"),
    ("CREATE_REPLICATION_SLOT a TEMPORARY PHYSICAL ( RESERVE_WAL)", "read,replicate"),
    ("CREATE_REPLICATION_SLOT \"TEMPORARY\" LOGICAL \"p\"", "read,administer,replicate"),
    ("CREATE_REPLICATION_SLOT a \"TEMPORARY\" PHYSICAL", "read,administer,replicate"),
    ("CREATE_REPLICATION_SLOT a PHYSICAL", "read,administer,replicate"),
    ("DROP_REPLICATION_SLOT a WAIT", "read,administer,replicate"),
    ("ALTER_REPLICATION_SLOT a (FAILOVER)", "read,administer,replicate"),
    ("BASE_BACKUP", "read,replicate"), ("BASE_BACKUP ( LABEL 'TARGET', TARGET 'client')", "read,replicate"),
    ("BASE_BACKUP(TARGET 'server', TARGET_DETAIL '/tmp/x')", "unknown"), ("BASE_BACKUP (target 'server')", "unknown"),
    ("BASE_BACKUP (\"Target\" 'server')", "unknown"), ("BASE_BACKUP (TARGET client)", "unknown"),
    ("BASE_BACKUP (TARGET 'client', TARGET 'server')", "unknown"), ("BASE_BACKUP (LABEL 'x", "unknown"),
    ("BASE_BACKUP (LABEL 'it''s', TARGET 'blackhole')", "unknown"),
  ]) func effects(_ text: String, _ effects: String) throws {
    let command = try #require(ReplicationCommand(text)).command
    #expect(command.effects.description == effects)
    #expect(command.footprint == .everything)
    #expect(command.facts.shape.summary.kinds.contains(KindSet(.replicate)))
  }

  @Test(arguments: [
    "identify_system", "show wal_level", "SELECT 1", "\"IDENTIFY_SYSTEM\"", "IDENTIFY_SYSTEM$", "IDENTIFY_SYSTEMS",
    "/* x */ IDENTIFY_SYSTEM", "-- x\nIDENTIFY_SYSTEM", ";IDENTIFY_SYSTEM", "", "\u{a0}IDENTIFY_SYSTEM",
  ]) func whatPostgreSQLTakesForSQL(_ text: String) { #expect(ReplicationCommand(text) == nil) }

  /// `allow: all` is not enough, and neither is naming it where a mask applies.
  @Test func accessHasToNameIt() throws {
    let subject = Subject(user: "ana", groups: ["dba"], connection: "shop")
    let mask = Rule(
      name: "hidden", then: .mask(ColumnMask(columns: ["ssn"].compactMap { NamePattern($0) }, mask: .redact)))
    let command = try #require(ReplicationCommand("IDENTIFY_SYSTEM")).command
    func denial(_ allow: Effects, replicates: Bool, rules: [Rule] = []) -> String? {
      let grant = AccessGrant(
        groups: ["dba"], connections: .names([NameGlob("*")]), allow: ["postgres": allow], replicates: replicates)
      let policy = Policy(PolicyDocument(grants: [grant], rules: rules), hash: "").scoped(to: subject)
      guard case .deny(let denial) = policy.decide(command) else { return nil }
      return denial.rule
    }
    #expect(denial(.unknown, replicates: false) == "access")
    #expect(denial(.unknown, replicates: true) == nil)
    #expect(denial([.read, .replicate], replicates: true) == nil)
    #expect(denial([.read, .replicate], replicates: true, rules: [mask]) == "hidden")
    #expect(denial(.replicate, replicates: true) == "access", "it reads, too")
    for matcher in [
      Matcher(effects: EffectSelector(.replicate)), Matcher(effects: EffectSelector(.read)), Matcher(),
    ] {
      let rule = Rule(name: "none", when: matcher, then: .deny)
      #expect(denial(.unknown, replicates: true, rules: [rule]) == "none")
    }
  }

  /// Of two parameters of this name PostgreSQL 15 would let the first one count too.
  @Test func oneParameterReachesTheBackend() throws {
    func sent(_ values: String...) throws -> [String] {
      let message = StartupMessage(parameters: values.map { .init("replication", $0) })
      return try BackendHandshake.parameters(for: message, user: "app", database: "db", person: "ana")
        .filter { $0.name == "replication" }.map(\.value)
    }
    #expect(try sent("database") == ["database"] && sent("on") == ["true"] && sent("off").isEmpty)
    #expect(try sent("database", "false").isEmpty && sent("false", "1") == ["true"])
    #expect(throws: ProtocolError.self) { try sent("DATABASE") }
    #expect(throws: ProtocolError.self) { try sent("what", "off") }
  }

  @Test func theConnectionOfPhysicalReplicationIsNamedByASetting() {
    func database(_ parameters: (String, String)...) -> String {
      var handshake = ClientHandshake(offersTLS: false, isLoopback: true)
      var packet = ByteBuffer()
      StartupPacket.startup(StartupMessage(parameters: parameters.map { .init($0.0, $0.1) })).encode(into: &packet)
      _ = handshake.receive(packet)
      return handshake.database
    }
    let options = ("options", "-c sallyport.connection=shop/reports")
    #expect(
      database(("user", "ana"), ("database", "replication"), options, ("replication", "true")) == "shop/reports")
    #expect(database(("user", "ana"), ("database", "lab"), options, ("replication", "database")) == "lab")
    #expect(database(("user", "ana"), ("database", "lab"), options) == "lab")
  }

  // MARK: A stream

  private func streaming() throws -> SessionDriver {
    let grant = AccessGrant(
      users: ["ana"], connections: .names([NameGlob("*")]), allow: ["postgres": .unknown], replicates: true)
    let policy = Policy(PolicyDocument(grants: [grant]), hash: "").scoped(
      to: Subject(user: "ana", groups: [], connection: "shop"))
    let driver = SessionDriver(policy: policy, replication: .logical)
    try feed(driver, .client, "Query \"START_REPLICATION SLOT a LOGICAL 0/0\"", "CopyData \"early\"")
    #expect(sent(driver, to: .backend) == ["Query \"START_REPLICATION SLOT a LOGICAL 0/0\""])
    return driver
  }

  private func feed(_ driver: SessionDriver, _ side: Side, _ lines: String...) throws {
    driver.feed(try lines.flatMap { try WireFrame($0, from: side).bytes }, from: side)
  }

  private func sent(_ driver: SessionDriver, to side: Side) -> [String] {
    var lines: [String] = []
    while let frame = driver.nextFrame(to: side) {
      lines.append(frame.spelled(from: side == .client ? .backend : .client))
    }
    return lines
  }

  @Test func bothDirectionsStream() throws {
    let driver = try streaming()
    try feed(driver, .backend, "CopyBothResponse 0", "CopyData \"one\"", "CopyData \"two\"")
    #expect(sent(driver, to: .backend) == ["CopyData \"early\""])
    #expect(sent(driver, to: .client) == ["CopyBothResponse 0", "CopyData \"one\"", "CopyData \"two\""])
    try feed(driver, .client, "CopyData \"status\"", "CopyDone", "Query \"IDENTIFY_SYSTEM\"")
    #expect(sent(driver, to: .backend) == ["CopyData \"status\"", "CopyDone"])
    try feed(
      driver, .backend, "CopyData \"three\"", "CopyDone", "CommandComplete \"START_REPLICATION\"", "ReadyForQuery I")
    #expect(sent(driver, to: .backend) == ["Query \"IDENTIFY_SYSTEM\""])
    #expect(sent(driver, to: .client).suffix(2) == ["CommandComplete \"START_REPLICATION\"", "ReadyForQuery I"])
    #expect(
      driver.audit.events.contains {
        guard case .finished(_, _, let outcome, _) = $0 else { return false }
        return outcome.rows == 3 && outcome.tag == "START_REPLICATION" && outcome.ending == .completed
      })
  }

  @Test(arguments: ["Query \"SELECT 1\"", "Sync", "Flush", "Parse \"\" \"SELECT 1\"", "CopyFail \"no\""])
  func nothingElseBelongsIntoAStream(_ message: String) throws {
    let driver = try streaming()
    try feed(driver, .backend, "CopyBothResponse 0")
    _ = (sent(driver, to: .client), sent(driver, to: .backend))
    try feed(driver, .client, message)
    #expect(sent(driver, to: .backend).isEmpty)
    #expect(sent(driver, to: .client).first?.contains("invalid standby message type") == true)
  }

  @Test func aStreamThatNobodyAskedForEndsTheSession() throws {
    let driver = SessionDriver(policy: try TranscriptRun.policy("open.yaml"))
    try feed(driver, .client, "Query \"SELECT 1\"")
    try feed(driver, .backend, "CopyBothResponse 0", "CopyData \"x\"")
    #expect(!sent(driver, to: .client).contains { $0.hasPrefix("Copy") })
  }
}

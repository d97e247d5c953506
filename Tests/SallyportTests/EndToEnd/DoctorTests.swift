import Foundation
import Testing

/// `sallyport doctor` before real backends, good and broken ones.
@Suite("End to end: doctor")
struct EndToEndDoctorTests {
  private struct Finding: Codable {
    var verdict: String
    var subject: String
    var words: String
    var mend: String?
  }

  private func examine(_ connections: String, gateway: String = "", rules: String = "") throws -> (
    status: Int32, findings: [Finding]
  ) {
    let folder = try TestRun.newFolder("doctor")
    chmod(folder, 0o700)
    try """
    gateway: { name: test\(gateway) }
    users: { ana: { groups: [engineering] } }
    connections:
    \(connections)
    access: [{ groups: [engineering], connections: ["*"], allow: { postgres: all } }]
    \(rules)
    """.write(toFile: "\(folder)/sallyport.yaml", atomically: true, encoding: .utf8)
    let end = try ChildProcess.run(
      try TestRun.binary(),
      ["doctor", "--config", "\(folder)/sallyport.yaml", "--data", folder, "--json", "--patience", "3"])
    let findings = try end.output.split(separator: "\n").map {
      try JSONDecoder().decode(Finding.self, from: Data($0.utf8))
    }
    if findings.isEmpty { throw TestFailure("doctor said nothing: \(end.errors)") }
    return (end.status, findings)
  }

  @Test("what works is good: by password, by client certificate, over TLS")
  func good() throws {
    let cluster = try TestCluster.shared()
    let (status, findings) = try examine(
      """
        app: { protocol: postgres, address: "127.0.0.1:\(cluster.port)", database: postgres, credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }] }
        tls: { protocol: postgres, address: "127.0.0.1:\(cluster.port)", database: postgres, tls: verify-full, tls_ca: \(cluster.folder)/tls/ca.pem, credentials: [{ user: only_tls, password: { file: \(cluster.passwordFile("only_tls")) } }] }
      """)
    #expect(status == 0)
    let backends = findings.filter { $0.subject.hasPrefix("connection ") }
    #expect(backends.map(\.verdict) == ["good", "good"], "\(backends)")
    #expect(backends.first?.words.contains("PostgreSQL 15") == true)
    #expect(backends.last?.words.contains(", TLS") == true)
  }

  @Test("masks for columns that are not there, and for types that they have no values for, are found")
  func masks() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("doctor")
    try cluster.direct(
      database,
      """
      CREATE TYPE kind AS ENUM ('a'); CREATE DOMAIN code AS text;
      CREATE TABLE people (id int, ssn text, mood kind, born date, small int2, cent code, pin int4); GRANT SELECT ON people TO app
      """)
    func examine(_ rules: String) throws -> (status: Int32, findings: [Finding]) {
      let (status, findings) = try self.examine(
        """
          app: { protocol: postgres, address: "127.0.0.1:\(cluster.port)", database: \(database), credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }] }
        """, rules: "rules:\n\(rules)")
      return (status, findings.filter { $0.subject == "connection app, masks" })
    }
    let (status, findings) = try examine(
      """
        - { name: named, then: { mask: { columns: [public.people.nosuch, nowhere.ssn, "*.iban", people.ssn], with: redact } } }
        - { name: mood, then: { mask: { columns: [people.mood], with: redact } } }
        - { name: parts, then: { mask: { columns: [people.born, people.ssn, people.pin], with: { partial: { keep_last: 2 } } } } }
        - { name: tokens, then: { mask: { columns: [people.small, people.cent, people.born], with: tokenize } } }
        - { name: others, unless: { groups: [engineering] }, then: { mask: { columns: ["*.nothing"], with: redact } } }
        - { name: tried, mode: shadow, then: { mask: { columns: ["*.nothing"], with: redact } } }
      """)
    #expect(status == 1)
    let told = Set(findings.map { "\($0.verdict) \($0.words)" })
    #expect(
      told == [
        "broken rule \"named\": there is no column public.people.nosuch, and what touches its table is refused to those under the mask",
        "warning rule \"named\": there is no column nowhere.ssn", "warning rule \"named\": there is no column *.iban",
        "warning rule \"mood\": redact has no values for public.people.mood (public.kind); they become NULL",
        "warning rule \"parts\": partial has no values for public.people.born (date); they become the value that says nothing",
        "warning rule \"tokens\": tokenize has no values for public.people.small (smallint); they become the value that says nothing",
      ], "\(told)")
    #expect(findings.allSatisfy { $0.mend != nil })
    let (good, fine) = try examine(
      "  - { name: fine, then: { mask: { columns: [people.ssn, people.cent], with: hash } } }")
    #expect(good == 0 && fine.map(\.verdict) == ["good"] && fine[0].words.hasPrefix("2 columns"), "\(fine)")
  }

  @Test("what is broken is named, each with its mend, and no secret is in it")
  func broken() throws {
    let cluster = try TestCluster.shared()
    let (status, findings) = try examine(
      """
        nobody: { protocol: postgres, address: "127.0.0.1:1", credentials: [{ user: app }] }
        wrong: { protocol: postgres, address: "127.0.0.1:\(cluster.port)", database: postgres, credentials: [{ user: app, password: { file: \(cluster.passwordFile("digest")) } }] }
        missing: { protocol: postgres, address: "127.0.0.1:\(cluster.port)", database: postgres, credentials: [{ user: app, password: { env: SALLYPORT_NOT_SET } }] }
        root: { protocol: postgres, address: "127.0.0.1:\(cluster.port)", database: absent_database, credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }] }
        silent: { protocol: postgres, address: "192.0.2.1:5432", region: us, credentials: [{ user: app }] }
      """, gateway: ", region: eu, tls: { certificate: absent.pem, key: { file: absent.key } }")
    #expect(status == 1)
    let broken = findings.filter { $0.verdict == "broken" }
    for (subject, words) in [
      ("certificate for clients", "absent.pem"), ("connection nobody, account app", "refused"),
      ("connection wrong, account app", "password"),
      ("connection missing, account app", "SALLYPORT_NOT_SET is not set"),
      ("connection root, account app", "absent_database"), ("connection silent, account app", "192.0.2.1"),
    ] {
      let those = broken.filter { $0.subject == subject }
      #expect(those.count == 1 && those[0].words.contains(words) && those[0].mend != nil, "\(subject): \(findings)")
    }
    #expect(
      findings.contains { $0.verdict == "warning" && $0.subject == "connection silent" && $0.words.contains("eu") })
    for secret in cluster.secrets { #expect(!findings.contains { $0.words.contains(secret) }) }
  }
}

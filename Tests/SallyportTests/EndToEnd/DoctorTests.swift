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

  private func examine(_ connections: String, gateway: String = "") throws -> (status: Int32, findings: [Finding]) {
    let folder = try TestRun.newFolder("doctor")
    chmod(folder, 0o700)
    try """
    gateway: { name: test\(gateway) }
    users: { ana: { groups: [engineering] } }
    connections:
    \(connections)
    access: [{ groups: [engineering], connections: ["*"], allow: { postgres: all } }]
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

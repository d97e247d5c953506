import Foundation
import Glibc
import Testing

/// Who gets in, and who hears what when not.
@Suite("End to end: sign-in", .serialized)
struct EndToEndSignInTests {
  /// What a failed sign-in says; the test fails when it does not fail.
  private func refusal(_ dsn: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let end = try psql(dsn, "SELECT 1;")
    #expect(end.status == 2 && end.output.isEmpty, "it was let in", sourceLocation: sourceLocation)
    // Ports differ from run to run; what the server says begins at FATAL.
    return end.errors.range(of: "FATAL").map { String(end.errors[$0.lowerBound...]) } ?? end.errors
  }

  private func passes(_ dsn: String, _ script: String = "SELECT 1;", sourceLocation: SourceLocation = #_sourceLocation)
    throws -> String
  {
    let end = try psql(dsn, script)
    #expect(end.status == 0, "\(end.errors)", sourceLocation: sourceLocation)
    return end.output.trimmingCharacters(in: .newlines)
  }

  // CVE-2015-6817: who is not known is nobody.
  @Test("SCRAM: the right token passes; wrong ones, other people's and unknown people hear the same words")
  func scram() throws {
    let database = try TestCluster.shared().createDatabase("scram")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let token = try gateway.token("ana")
      #expect(try passes(gateway.dsn("ana", token), "SELECT current_user;") == "app")
      let wrong = try refusal(gateway.dsn("ana", "wrong"))
      #expect(wrong.contains("28P01") || wrong.contains("password authentication failed"), "\(wrong)")
      // The same name throughout, so that the words can be compared as they are.
      for (user, secret) in [
        ("bo", token), ("nobody", token), ("postgres", "x"), ("app", try TestCluster.shared().password("app")),
        ("dora", ""), ("\u{61}\u{308}na", token), ("ANA", token), ("ana ", token),
      ] {
        let dsn = gateway.dsn("'\(user)'", secret.isEmpty ? "''" : secret)
        guard !secret.isEmpty else { continue }
        #expect(try refusal(dsn).replacingOccurrences(of: "\"\(user)\"", with: "\"ana\"") == wrong, "user \(user)")
      }
      let signIns = try gateway.records().filter { $0.event == "authenticated" }
      #expect(signIns.filter { $0.succeeded == true }.map(\.user) == ["ana"])
      #expect(signIns.contains { $0.user == "nobody" && $0.succeeded == false })
    }
  }

  // CVE-2025-2291: validity ends.
  @Test("an expired token, a revoked one and one for another connection open nothing")
  func tokenEnds() throws {
    let database = try TestCluster.shared().createDatabase("tokens")
    let more =
      "  b-other: { protocol: postgres, address: 127.0.0.1:\(try TestCluster.shared().port), "
      + "database: postgres, credentials: [{ user: trusty }] }"
    try withGateway(try TestConfiguration.open(database, more: more)) { gateway in
      let short = try gateway.token("ana", expires: "4s")
      _ = try passes(gateway.dsn("ana", short))
      let elsewhere = try gateway.token("bo", connections: "b-other")
      _ = try passes(gateway.dsn("bo", elsewhere, database: "b-other"))
      #expect(try refusal(gateway.dsn("bo", elsewhere)).contains("no access to connection \"shop\""))

      let lost = try gateway.token("ana")
      _ = try passes(gateway.dsn("ana", lost))
      let listed = try gateway.command("token", "list").output
      let ids = listed.split(separator: "\n").compactMap { $0.split(separator: " ").first.flatMap { Int($0) } }
      let id = "\(try #require(ids.max()))"
      #expect(!listed.contains(lost) && !listed.contains("spt_"))
      #expect(try gateway.command("token", "revoke", id).status == 0)
      #expect(try refusal(gateway.dsn("ana", lost)).contains("password authentication failed"))

      _ = try eventually("the token to expire", within: 15) {
        try psql(gateway.dsn("ana", short), "SELECT 1;").status == 2 ? true : nil
      }
      #expect(try refusal(gateway.dsn("ana", short)).contains("password authentication failed"))
    }
  }

  @Test("a token as a password, TLS, and a certificate that verify-full believes")
  func transports() throws {
    let database = try TestCluster.shared().createDatabase("transports")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let robot = try gateway.token("ci")
      #expect(try passes(gateway.dsn("ci", robot), "SELECT 7;") == "7")
      #expect(try passes(gateway.dsn("ci", robot, options: "sslmode=require"), "SELECT 7;") == "7")
      #expect(try refusal(gateway.dsn("ci", "spt_wrong")).contains("password authentication failed for user \"ci\""))

      let token = try gateway.token("ana")
      let authority = "\(gateway.folder)/ca.pem"
      let exported = try gateway.command("ca", "export").output
      try exported.write(toFile: authority, atomically: false, encoding: .utf8)
      let strict = "sslmode=verify-full sslrootcert=\(authority)"
      #expect(try passes(gateway.dsn("ana", token, options: strict)) == "1")
      let byName = gateway.dsn("ana", token, options: strict).replacingOccurrences(of: "127.0.0.1", with: "localhost")
      #expect(try passes(byName + " hostaddr=127.0.0.1") == "1")
      let otherName = byName.replacingOccurrences(of: "localhost", with: "elsewhere") + " hostaddr=127.0.0.1"
      #expect(try refusal(otherName).contains("does not match host name"))
      let otherAuthority = "sslmode=verify-full sslrootcert=\(try TestCluster.shared().folder)/tls/ca.pem"
      #expect(try refusal(gateway.dsn("ana", token, options: otherAuthority)).contains("certificate verify failed"))
    }
  }

  @Test("what does not exist and what is not allowed are refused in the same words; dbname names the connection")
  func connections() throws {
    let database = try TestCluster.shared().createDatabase("names")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let token = try gateway.token("ana")
      func refused(_ name: String) throws -> String {
        try refusal(gateway.dsn("ana", token, database: name)).replacingOccurrences(of: "\"\(name)\"", with: "\"…\"")
      }
      let unknown = try refused("nowhere")
      #expect(unknown.contains("no access to connection \"…\""))
      for name in ["vault", "shop/secret", "shop/", "vault/postgres", "SHOP", database] {
        #expect(try refused(name) == unknown, "\(name)")
      }
      #expect(try passes(gateway.dsn("ana", token), "SELECT current_database();") == database)
      #expect(
        try passes(gateway.dsn("ana", token, database: "shop/postgres"), "SELECT current_database();") == "postgres")
      #expect(
        try passes(gateway.dsn("eve", try gateway.token("eve"), database: "vault"), "SELECT current_user;") == "trusty")
    }
  }

  @Test("the backend sees the person's name")
  func applicationName() throws {
    let database = try TestCluster.shared().createDatabase("person")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"), options: "application_name=someone")
      let sql = "SELECT application_name, usename FROM pg_stat_activity WHERE pid = pg_backend_pid();"
      #expect(try passes(dsn, sql) == "ana|app")
    }
  }
}

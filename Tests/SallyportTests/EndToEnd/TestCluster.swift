import Foundation
import Glibc

/// The run's one PostgreSQL; started by the first suite that needs it, stopped when the test process ends.
final class TestCluster: Sendable {
  let folder: String
  let port: Int
  private let socket: String
  private let psql: String

  private static let started = Result { try TestCluster() }
  static func shared() throws -> TestCluster { try started.get() }

  private init() throws {
    var template = Array("/tmp/sallyport-pg.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("no folder for PostgreSQL under /tmp") }
    folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    psql = try TestRun.postgres("psql")
    let users = [
      "app:scram-sha-256", "trusty:trust", "cleartext:password", "digest:md5", "only_tls:scram-sha-256:tls",
      "only_plain:scram-sha-256:plain", "rotated:scram-sha-256", "rotating:scram-sha-256",
    ]
    // 127.0.0.2 is the same server under an address that its certificate does not have.
    var arguments = [
      "start", folder, "0", "--until-exit", "\(getpid())", "--set", "listen_addresses=127.0.0.1,127.0.0.2",
    ]
    for user in users { arguments += ["--user", user] }
    for user in ["shop_owner", "shop_app"] { arguments += ["--allow", "\(user):scram-sha-256"] }
    // Two that show a certificate: alone, and beside a password.
    for line in ["certified:cert", "verified:scram-sha-256 clientcert=verify-full"] {
      arguments += ["--allow", "\(line):tls"]
    }
    arguments += ["--set", "ssl_ca_file=\(folder)/tls/ca.pem", "--set", "max_connections=300"]
    let end = try ChildProcess.run(try TestRun.path("SALLYPORT_TEST_CLUSTER"), arguments, within: 120)
    let words = end.output.split(whereSeparator: \.isWhitespace)
    guard end.status == 0, words.count == 2, let port = Int(words[0]) else {
      throw TestFailure("PostgreSQL did not start: \(end.errors)")
    }
    self.port = port
    socket = String(words[1])
    try loadShop()
  }

  /// A login's password, as pg-cluster.sh made it.
  func password(_ user: String) -> String {
    let text = (try? String(contentsOfFile: passwordFile(user), encoding: .utf8)) ?? ""
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func passwordFile(_ user: String) -> String { "\(folder)/passwords/\(user)" }

  /// The passwords of the demo's two accounts.
  let ownerPassword = "owner-\(UInt64.random(in: .min ... .max))"
  let appPassword = "app-\(UInt64.random(in: .min ... .max))"

  /// Every secret that the gateway holds and must show to nobody.
  var secrets: [String] {
    ["app", "cleartext", "digest", "only_tls", "only_plain", "rotated", "rotating"].map(password)
      + [ownerPassword, appPassword]
  }

  /// Runs statements as the superuser, past the gateway; the answer's lines, with | between columns.
  @discardableResult
  func direct(_ database: String, _ sql: String) throws -> String {
    let end = try ChildProcess.run(
      psql,
      ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", "\(port)", "-U", "postgres", "-d", database],
      input: sql, within: 60)
    guard end.status == 0 else { throw TestFailure("\(sql.prefix(200)): \(end.errors)") }
    return end.output.trimmingCharacters(in: .newlines)
  }

  /// An empty database of `app`, or a copy of the demo's.
  func createDatabase(_ name: String, withShop: Bool = false) throws -> String {
    let name = "\(name)_\(UInt32.random(in: .min ... .max))"
    try direct("postgres", "CREATE DATABASE \(name) " + (withShop ? "TEMPLATE shop_template" : "OWNER app"))
    return name
  }

  /// A certificate that the backend believes, and its key, as files in a folder of the run.
  func certificate(_ name: String) throws -> (chain: String, key: String) {
    let path = TestRun.newPath("certificate-\(name)")
    for arguments in [
      [
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)",
        "-keyout", "\(path).key", "-out", "\(path).csr",
      ],
      [
        "x509", "-req", "-in", "\(path).csr", "-CA", "\(folder)/tls/ca.pem", "-CAkey", "\(folder)/tls/ca.key",
        "-set_serial", "\(UInt32.random(in: 1 ... .max))", "-days", "2", "-out", "\(path).pem",
      ],
    ] {
      let end = try ChildProcess.run("/usr/bin/openssl", arguments)
      guard end.status == 0 else { throw TestFailure("openssl: \(end.errors)") }
    }
    return ("\(path).pem", "\(path).key")
  }

  private func loadShop() throws {
    try direct(
      "postgres", "CREATE ROLE certified LOGIN; CREATE ROLE verified LOGIN PASSWORD '\(appPassword)'")
    try direct("postgres", "CREATE DATABASE shop_template")
    let shop = try String(contentsOfFile: "\(TestRun.root())/fixtures/demo/shop.sql", encoding: .utf8)
    try direct(
      "shop_template", "\\set owner_password '\(ownerPassword)'\n\\set app_password '\(appPassword)'\n\(shop)")
  }
}

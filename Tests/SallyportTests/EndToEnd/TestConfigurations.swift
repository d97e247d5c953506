import Foundation

/// Configurations of the gateways under test.
enum TestConfiguration {
  /// The engineers may do everything on `shop` and on what is called b-something; no rule. `more` adds connections.
  static func open(_ database: String, more: String = "") throws -> String {
    let cluster = try TestCluster.shared()
    return """
      gateway: { name: test, listen: { postgres: "127.0.0.1:0" }, threads: 2 }
      users:
        ana: { groups: [engineering] }
        bo:  { groups: [engineering] }
        eve: { groups: [visitors] }
        dora: { groups: [dba] }
        ci:  { kind: service, owner: ana, groups: [engineering], auth: token }
      connections:
        shop:
          protocol: postgres
          address: 127.0.0.1:\(cluster.port)
          database: \(database)
          databases: [postgres]
          credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }]
        vault:
          protocol: postgres
          address: 127.0.0.1:\(cluster.port)
          database: postgres
          credentials: [{ user: trusty }]
      \(more)
      access:
        - { groups: [engineering], connections: [shop\(more.isEmpty ? "" : ", \"b-*\"")], allow: { postgres: all } }
        - { groups: [visitors], connections: [vault], allow: { postgres: all } }
      """
  }

  /// The demo's own, before a database of this run. `wait` is how long a held statement waits.
  static func demo(_ database: String, wait: String = "2m") throws -> String {
    let cluster = try TestCluster.shared()
    var text = try String(contentsOfFile: "\(TestRun.root())/fixtures/demo/sallyport.yaml", encoding: .utf8)
    for (old, new) in [
      ("127.0.0.1:6432", "127.0.0.1:0"), ("127.0.0.1:55432", "127.0.0.1:\(cluster.port)"),
      ("database: shop\n", "database: \(database)\n"), ("wait: 2m", "wait: \(wait)"),
    ] {
      guard text.contains(old) else { throw TestFailure("the demo's configuration has no \"\(old)\" any more") }
      text = text.replacingOccurrences(of: old, with: new)
    }
    return text
  }
}

import AccessModel
import PolicyEngine
import Residency
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: what is read")
struct GoodConfigurationTests {
  private func everything() throws -> GatewayConfiguration {
    try ConfigurationSample.load("policies/good/everything.yaml").get()
  }

  @Test("the gateway's own settings, and their defaults")
  func gateway() throws {
    var expected = GatewaySettings(
      name: "gw-fra-1", region: "eu-central-1", data: "/var/lib/sallyport",
      listenPostgres: Endpoint(host: "::1", port: 0), listenConsole: Endpoint(host: "127.0.0.1", port: 0),
      listenControl: ControlSocketSettings(path: "/run/sallyport.sock", mode: 0o666, group: "dba"),
      drain: .seconds(20), tls: ListenerTLS(certificate: "gw.pem", key: .file("gw.key")), threads: 4,
      limits: SessionLimits(
        idle: .seconds(3600), idleInTransaction: .seconds(600), statement: .seconds(300), lifetime: .seconds(43_200),
        sessions: 200, sessionsPerUser: 20),
      balancers: try [#require(NetworkRange("10.0.0.0/24"))],
      recording: RecordingSettings(
        rows: RecordingSettings.Rows.none, maxRows: 500, maxBytes: 256 << 10, keepSeconds: 7_776_000))
    expected.listenSSH = Endpoint(host: "127.0.0.1", port: 0)
    expected.consoleURL = "https://gw.example.org:8443/sallyport"
    expected.audit.durability = .sync
    expected.audit.checkpointFile = "/mnt/elsewhere/head.jsonl"
    expected.audit.checkpointWebhook = WebhookSettings(
      url: "https://keeper.example.org/heads", host: "keeper.example.org", port: 443, secret: .environment("HEADS"))
    #expect(try everything().gateway == expected)
    let plain = try ConfigurationSample.load("policies/good/minimal.yaml").get()
    let defaults = GatewaySettings(
      name: "host", region: nil, data: "./data", listenPostgres: Endpoint(host: "127.0.0.1", port: 6432), tls: nil,
      threads: nil)
    #expect(plain.gateway == defaults)
    #expect(
      plain.directory.hasSuffix("/fixtures/policies/good") && plain.path(of: "x.pem") == plain.directory + "/x.pem")
    #expect(plain.path(of: "/x.pem") == "/x.pem")
  }

  @Test("users, roles and what follows from them")
  func users() throws {
    let configuration = try everything()
    #expect(configuration.users["ana"]?.groups == ["engineering", "on-call"])
    #expect(configuration.users["ana"]?.account == "ana" && configuration.users["no"]?.account == nil)
    #expect(configuration.users["no"]?.groups == ["dba"], "no is a name like any other")
    let ci = UserSettings(name: "ci", kind: .service, groups: ["robots"], owner: "ana", authentication: .token)
    #expect(configuration.users["ci"] == ci)
    #expect(configuration.users.count == 4)
    #expect(configuration.user("no", has: .admin) && configuration.user("eve@example.org", has: .approver))
    #expect(!configuration.user("ana", has: .admin) && !configuration.user("nobody", has: .auditor))
    let subject = configuration.subject(user: "ana", connection: "shop", clientAddress: "127.0.0.1")
    #expect(
      subject
        == Subject(
          user: "ana", groups: ["engineering", "on-call"], connection: "shop",
          labels: ["env": "prod", "data": "customer"],
          clientAddress: "127.0.0.1"))
    #expect(configuration.subject(user: "ana", connection: "nowhere", clientAddress: "") == nil)
  }

  @Test("connections: the first credential that fits, databases only where listed")
  func connections() throws {
    let configuration = try everything()
    let shop = try #require(configuration.connections["shop"])
    #expect(shop.address == Endpoint(host: "db.internal", port: 6543) && shop.tls == .verifyFull)
    #expect(shop.tlsAuthority == "ca.pem" && shop.region == "eu-central-1" && shop.protocolName == "postgres")
    #expect(shop.credential(for: ["x", "dba"])?.password == .file("/run/secrets/owner"))
    #expect(shop.credential(for: ["security"])?.password == nil && shop.credential(for: ["security"])?.user == "audit")
    #expect(shop.credential(for: [])?.password == .environment("SHOP_RO"))
    #expect(shop.database(named: nil) == "shop_production" && shop.database(named: "reports") == "reports")
    #expect(shop.database(named: "shop_production") == nil && shop.database(named: "postgres") == nil)
    let crm = try #require(configuration.connections["crm"])
    #expect(crm.address == Endpoint(host: "2001:db8::1", port: 5432) && crm.database == "crm" && crm.tls == .prefer)
    let minimal = try ConfigurationSample.load("policies/good/minimal.yaml").get()
    #expect(minimal.connections["shop"]?.address.port == 5432)
  }

  @Test("channel binding and certificates towards backends")
  func backendSignIn() throws {
    let text = """
      users: { ana: { groups: [engineering] } }
      connections:
        a: { protocol: postgres, address: db, credentials: [{ user: app }] }
        b:
          protocol: postgres
          address: db
          tls: require
          channel_binding: require
          credentials: [{ user: app, certificate: certs/app.pem, key: { env: APP_KEY } }]
      """
    let connections = try ConfigurationSample.parse(text).get().connections
    #expect(connections["a"]?.channelBinding == .prefer && connections["a"]?.credentials.first?.certificate == nil)
    #expect(connections["b"]?.channelBinding == .require)
    #expect(
      connections["b"]?.credentials.first?.certificate
        == ClientCertificate(chain: "certs/app.pem", key: .environment("APP_KEY")))
  }

  @Test("limits: the connection's own, then the gateway's, then the defaults; 0 is none")
  func limits() throws {
    let text = """
      gateway:
        limits: { idle: 30m, statement: 5m, lifetime: 12h, sessions_per_connection: 100, sessions_per_user: 7 }
      users: { ana: { groups: [engineering] } }
      connections:
        a: { protocol: postgres, address: db, credentials: [{ user: app }] }
        b:
          protocol: postgres
          address: db
          limits: { idle: 0, idle_in_transaction: 90s, statement: 1h, sessions: 0, sessions_per_user: 2 }
          credentials: [{ user: app }]
      """
    let configuration = try ConfigurationSample.parse(text).get()
    let (a, b) = (try #require(configuration.connections["a"]), try #require(configuration.connections["b"]))
    #expect(
      configuration.limits(on: a)
        == SessionLimits(
          idle: .seconds(1800), statement: .seconds(300), lifetime: .seconds(43_200), sessions: 100))
    #expect(
      configuration.limits(on: b)
        == SessionLimits(
          idleInTransaction: .seconds(90), statement: .seconds(3600), lifetime: .seconds(43_200), sessionsPerUser: 2))
    #expect(configuration.sessionsPerUser == 7)
    let plain = try ConfigurationSample.parse(ConfigurationSample.base).get()
    let shop = try #require(plain.connections["shop"])
    #expect(plain.limits(on: shop) == SessionLimits(sessions: 10_000) && plain.sessionsPerUser == 10_000)
  }

  @Test("access")
  func access() throws {
    let grants = try everything().policy.grants
    #expect(
      grants == [
        AccessGrant(
          groups: ["engineering"], connections: .labels(["env": ["prod", "test"], "data": ["customer"]]),
          allow: ["postgres": [.read, .write, .call]]),
        AccessGrant(
          users: ["no", "ci"], connections: .names([NameGlob("shop"), NameGlob("c*")]), allow: ["postgres": .unknown]),
        AccessGrant(
          users: ["no"], connections: .names([NameGlob("web-1")]),
          allow: ["ssh": [.execute, .download, .upload, .forward]]),
      ])
  }

  @Test("rules")
  func rules() throws {
    func patterns(_ names: String...) -> [NamePattern] { names.compactMap(NamePattern.init) }
    let rules = try everything().policy.rules
    try #require(rules.count == 18)
    #expect(
      rules[0]
        == Rule(
          name: "no-unbounded-delete",
          when: Matcher(
            connections: [NameGlob("shop")], sql: SQLMatcher(statements: [.update, .delete], whereAbsent: true)),
          then: .deny, reason: "an UPDATE or DELETE needs a WHERE"))
    #expect(
      rules[1]
        == Rule(
          name: "schema-changes-are-reviewed",
          when: Matcher(labels: ["env": ["prod"]], protocols: ["postgres"], effects: EffectSelector(.define)),
          unless: Matcher(users: ["no"], groups: ["dba"]),
          then: .approve(
            Approval(
              by: ["dba", "security"], count: 2, wait: .seconds(300), expires: .seconds(1800),
              validFor: .seconds(600), scope: .transaction, needsReason: true))))
    #expect(
      rules[2]
        == Rule(
          name: "vault",
          when: Matcher(
            effects: EffectSelector(.write, unknown: true), sql: SQLMatcher(tables: patterns("vault.*", "keys"))),
          unless: Matcher(sql: SQLMatcher(statements: [.copyTo])), then: .deny, mode: .shadow))
    let columns = patterns("public.customers.ssn", "*.*.email")
    #expect(rules[3].action == .mask(ColumnMask(columns: columns, mask: .partial(keepFirst: 1, keepLast: 4))))
    #expect(
      rules[4].action == .mask(ColumnMask(columns: patterns("last_name"), mask: .fixed("hidden"), predicates: .allow)))
    #expect(rules[5].action == .mask(ColumnMask(columns: patterns("note"), mask: .null)))
    #expect(
      rules[12].when
        == Matcher(
          resources: [ResourcePattern("public.*"), ResourcePattern("*/etc/*")],
          networks: ["10.0.0.0/8", "2001:db8::/32"].compactMap { NetworkRange($0) },
          hours: [
            Hours(zone: "Europe/Berlin", days: [.mon, .tue], from: 1200, to: 360), Hours(zone: "UTC", days: [.sun]),
          ],
          text: [TextPattern("*pg_sleep*")]))
    #expect(
      rules[13].when
        == Matcher(
          sql: SQLMatcher(
            columns: patterns("public.customers.ssn", "email"), functions: patterns("pg_sleep", "public.calc_*"))))
    #expect(rules[6].action == .mask(ColumnMask(columns: patterns("public.*.photo"), mask: .redact)))
    let ranges = Mask.bucket(Mask.Bucket(date: .year, number: 10_000))
    #expect(rules[7].action == .mask(ColumnMask(columns: patterns("hr.*.income", "hr.*.born"), mask: ranges)))
    let shape = Mask.partial(keepFirst: 0, keepLast: 0, keeping: [.domain, .format])
    #expect(rules[8].action == .mask(ColumnMask(columns: patterns("*.*.address"), mask: shape)))
    #expect(
      rules[11].action
        == .mask(
          ColumnMask(
            columns: patterns("*.*.person_key"), mask: .hash, predicates: .equality(constants: 3, perHour: 100))))
    let tokens = Mask.tokenize(domain: "cards")
    #expect(rules[15].action == .mask(ColumnMask(columns: patterns("*.cards.number"), mask: tokens)))
    #expect(rules[16].endsShell && !rules[0].endsShell)
    #expect(
      rules[16].when
        == Matcher(
          protocols: ["ssh"],
          ssh: SSHMatcher(
            requests: [.exec, .shell], programs: [NameGlob("cat"), NameGlob("cp")], arguments: [NameGlob("-*")],
            paths: [NameGlob("/etc/ssl/*")])))
  }

  @Test("functions")
  func functions() throws {
    let declared = try everything().functions.map { "\($0.name) \($0.effects) \($0.reads)" }
    #expect(
      declared == [
        "public.calc_* read ", "audit_log read,write *", "jobs.enqueue read,write *",
        "public.last_order read public.orders.id",
      ])
  }

  @Test("an alias stands for the value of its anchor")
  func aliases() throws {
    let configuration = try ConfigurationSample.load("policies/good/aliases.yaml").get()
    #expect(configuration.users["bo"]?.groups == ["engineering"])
    #expect(configuration.connections["crm"]?.address == configuration.connections["shop"]?.address)
  }

  @Test("the files of a folder are one configuration, whatever else lies in it")
  func folder() throws {
    let configuration = try ConfigurationSample.load("policies/good/split").get()
    #expect(configuration.connections.keys.sorted() == ["crm", "shop"] && configuration.policy.grants.count == 2)
    #expect(configuration.directory.hasSuffix("/good/split"))
  }

  @Test(
    "durations are 0, or seconds, minutes, hours up to a day",
    arguments: [
      ("0", 0), ("0s", 0), ("30s", 30), ("2m", 120), ("24h", 86_400),
    ])
  func durations(text: String, seconds: Int) throws {
    let rule = "rules: [{ name: r, then: { approve: { by: [engineering], wait: \(text) } } }]\n"
    let configuration = try ConfigurationSample.parse(ConfigurationSample.base + rule).get()
    #expect(
      configuration.policy.rules.first?.action == .approve(Approval(by: ["engineering"], wait: .seconds(seconds))))
  }

  @Test(
    "anything else is no duration",
    arguments: [
      "2", "2d", "-1s", "1.5h", "s", "25h", "9999999999999999999h", "86401s", "2 m", "1h30m", "２m",
    ])
  func noDuration(text: String) {
    let rule = "rules: [{ name: r, then: { approve: { by: [engineering], wait: \(text) } } }]\n"
    let mistakes = ConfigurationSample.mistakes(ConfigurationSample.base + rule)
    #expect(mistakes.count == 1 && mistakes.first?.hasPrefix("4:64: wait ") == true)
  }
}

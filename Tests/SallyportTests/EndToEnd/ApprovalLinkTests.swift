import Foundation
import Glibc
import Testing

/// Links in messages of the webhook, followed over HTTP as browsers do, and as those do who should not.
@Suite("End to end: approvals by link", .serialized)
struct EndToEndApprovalLinkTests {
  /// `define` waits for dba as `approve` says; `more` stands under `approvals:`.
  private func withLinks(
    _ approve: String, _ more: String = "", _ body: (GatewayProcess, HeadReceiver) throws -> Void
  ) throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("links")
    try cluster.direct(database, "GRANT ALL ON SCHEMA public TO app")
    let receiver = try HeadReceiver()
    try withGateway(
      """
      gateway:
        name: test
        listen: { postgres: "127.0.0.1:0", console: "127.0.0.1:0" }
        console: { url: "https://gw.example.org/console/" }
        threads: 2
      users:
        ana: { groups: [engineering, dba] }
        bo: { groups: [engineering] }
        dora: { groups: [dba] }
        dave: { groups: [dba] }
        ci: { kind: service, owner: dora, groups: [engineering, dba], auth: token }
      roles: { approver: [dba] }
      connections:
        shop:
          protocol: postgres
          address: 127.0.0.1:\(cluster.port)
          database: \(database)
          credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }]
      access: [{ groups: [engineering], connections: [shop], allow: { postgres: all } }]
      approvals: { webhook: { url: "\(receiver.url("/hook"))", secret: { file: \(receiver.secretFile) } } \(more) }
      rules:
        - { name: ddl, when: { effect: define }, then: { approve: { by: [dba], \(approve) } } }
      """
    ) { gateway in
      defer { receiver.stop() }
      try body(gateway, receiver)
      // Whoever reads the log or the trail cannot follow a link.
      let links = try receiver.requests().map { try Self.link(in: $0).path }
      let trail = try gateway.command("audit", "tail", "--json", "-n", "100000").output
      for link in links where link.count > 20 {
        let code = String(link.dropFirst("/approvals/".count))
        #expect(!gateway.log.contains(code) && !trail.contains(code), "a link is in the log or the trail")
      }
    }
  }

  private struct Link {
    var path: String
    var recipient: String?
    var approvedBy: [String]
    var text: String
  }

  private static func link(in request: HeadReceiver.Request) throws -> Link {
    struct Body: Decodable {
      struct Metadata: Decodable {
        struct Payload: Decodable {
          var link: String
          var recipient: String?
          var approvedBy: [String]
        }
        var eventPayload: Payload
      }
      var text: String
      var unfurlLinks: Bool
      var metadata: Metadata
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let body = try decoder.decode(Body.self, from: Data(request.body.utf8))
    let payload = body.metadata.eventPayload
    let base = "https://gw.example.org/console"
    #expect(!body.unfurlLinks && payload.link.hasPrefix("\(base)/approvals/spa_"), "\(payload.link)")
    #expect(body.text.contains("<\(payload.link)|open the request>"), "\(body.text)")
    return Link(
      path: String(payload.link.dropFirst(base.count)), recipient: payload.recipient, approvedBy: payload.approvedBy,
      text: body.text)
  }

  /// Waits until so many messages have been posted.
  private func links(_ count: Int, _ receiver: HeadReceiver) throws -> [Link] {
    try eventually("\(count) messages") {
      let posted = try receiver.requests()
      return posted.count >= count ? try posted.map(Self.link) : nil
    }
  }

  /// What a browser can do, by the certificate of the gateway's own authority.
  private static let browser = """
    import http.client, ssl, urllib.parse
    console, authority, link = sys.argv[2:5]
    host, port = console.rsplit(":", 1)
    trust = ssl.create_default_context(cafile=authority)

    def ask(method, path, body=None, headers={}, scheme="https"):
        if scheme == "https":
            connection = http.client.HTTPSConnection(host, int(port), timeout=10, context=trust)
        else:
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers

    form_type = {"content-type": "application/x-www-form-urlencoded"}
    def post(path, headers={}, **fields):
        return ask("POST", path, urllib.parse.urlencode(fields), {**form_type, "sec-fetch-site": "same-origin", **headers})

    """

  private func browse(_ gateway: GatewayProcess, _ link: String, _ program: String, _ more: [String] = []) throws {
    let authority = "\(gateway.folder)/ca.pem"
    try gateway.command("ca", "export").output.write(toFile: authority, atomically: true, encoding: .utf8)
    try python("", Self.browser + program, [gateway.console, authority, link] + more)
  }

  @Test("one message for all: looking changes nothing, deciding takes an approver's own token, and works once")
  func shared() throws {
    try withLinks("wait: 0, count: 2") { gateway, receiver in
      let (bo, dora, dave) = (try gateway.token("bo"), try gateway.token("dora"), try gateway.token("dave"))
      let create = "CREATE TABLE public.a (note text DEFAULT 'a <secret> value');"
      #expect(try psql(gateway.dsn("bo", bo), create).errors.contains("request 1"))
      let first = try links(1, receiver)[0]
      #expect(first.recipient == nil && !first.text.contains("secret"), "\(first.text)")
      try browse(
        gateway, first.path,
        """
        bo, dora, dave = sys.argv[5:8]
        for scheme in ["http", "https"]:
            status, page, headers = ask("GET", link, scheme=scheme)
            expect(status == 200 and "CREATE TABLE public.a" in page and "secret" not in page, page)
            expect("1 value is hidden" in page and "bo" in page and 'name="token"' in page, page)
        policy = headers["content-security-policy"]
        for words in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]:
            expect(words in policy and "unsafe" not in policy, policy)
        for name, value in [("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY"),
                            ("x-content-type-options", "nosniff"), ("content-type", "text/html; charset=utf-8")]:
            expect(headers[name] == value, f"{name}: {headers[name]}")
        expect("<script" not in page and "<link" not in page and "://" not in page, page)
        status, page, _ = ask("HEAD", link)
        expect(status == 200 and page == "", "HEAD")
        # What the page's form does not send.
        for body, headers in [("decision=approve", {}), ("decision=approve", {"content-type": "application/json"}),
                              ("decision=maybe", form_type), ("decision=approve&decision=deny", form_type),
                              ("decision=%zz", form_type), ("", form_type), ("decision=approve&reason=%ff", form_type),
                              ("decision=approve", {**form_type, "sec-fetch-site": "cross-site"})]:
            status, _, _ = ask("POST", link, body, headers)
            expect(status in (400, 413), f"{status} for {body} {headers}")
        expect(ask("PUT", link, "")[0] == 405 and ask("POST", link + "?x", "")[0] == 400, "other methods")
        try:
            expect(ask("POST", link, "decision=approve&reason=" + "x" * 100_000, form_type)[0] == 413, "too long")
        except (ConnectionError, ssl.SSLError):
            pass  # It was answered before it was all sent.
        # Nobody, a guess, the one who asks, and somebody with a reason that is too long.
        for token, reason, words in [("", "", "this needs a token"), ("spt_wrong", "", "the token is not valid"),
                                     (bo, "", "bo does not have the role"), (dora, "x" * 1001, "the reason is longer")]:
            status, page, _ = post(link, decision="approve", token=token, reason=reason)
            expect(status == 403 and words in page and "<form" in page, f"{status} {page}")
        forged = link[:-4] + ("AAAA" if not link.endswith("AAAA") else "BBBB")
        refusals = {ask("GET", path)[:2] for path in [forged, link + "A", link[:-1], "/approvals/", "/approvals/x/../y"]}
        refusals.add(post(forged, decision="approve", token=dora)[:2])
        status, page, _ = post(link, decision="approve", token=dora, reason="agréé & <done>")
        expect(status == 200 and "needs more approvals" in page, page)
        # Used up, for whoever has it.
        refusals.add(ask("GET", link)[:2])
        refusals.add(post(link, decision="approve", token=dave)[:2])
        expect(len(refusals) == 1 and list(refusals)[0][0] == 404, refusals)
        """, [bo, dora, dave])
      // The second of two people hears of it with a link that works.
      let second = try links(2, receiver)[1]
      #expect(second.approvedBy == ["dora"] && second.text.contains("Approved so far by: dora"), "\(second.text)")
      try browse(
        gateway, second.path,
        """
        expect(post(link, decision="approve", token=sys.argv[5])[0] == 403, "the same person twice")
        status, page, _ = post(link, decision="approve", token=sys.argv[6])
        expect(status == 200 and "bo can run the statement" in page, page)
        """, [dora, dave])
      #expect(try psql(gateway.dsn("bo", bo), create).errors.isEmpty)
      let records = try gateway.records()
      let steps = records.filter { $0.request == 1 && $0.step == "approved" }
      #expect(steps.compactMap(\.person) == ["dora", "dave"] && steps.first?.reason == "agréé & <done>")
      let asked = records.filter { $0.event == "administration" }
      #expect(asked.contains { $0.verb == "approvals.open" && $0.subject == "id=1 from=127.0.0.1 by=link" })
      #expect(
        asked.contains {
          $0.verb == "approvals.approve" && $0.actor == "dave"
            && $0.subject?.hasSuffix("from=127.0.0.1 by=link") == true
        })
      let failed = records.filter { $0.event == "authenticated" && $0.succeeded == false }.compactMap(\.reason)
      #expect(failed.contains("the link is not valid") && failed.contains { $0.hasSuffix("the token is not valid") })
    }
  }

  @Test("a message for each approver: its link is that person's proof, for that request, while they may decide")
  func personal() throws {
    try withLinks("wait: 0", ", links: personal") { gateway, receiver in
      let (ana, dave, ci) = (try gateway.token("ana"), try gateway.token("dave"), try gateway.token("ci"))
      func ask(_ name: String, _ token: String, _ text: String) throws {
        #expect(try psql(gateway.dsn(name, token), text).errors.contains("42501"))
      }
      try ask("ana", ana, "CREATE TABLE public.a (id int);")
      var posted = try links(2, receiver)
      // Never the requester, and for a service never who answers for it.
      #expect(Set(posted.compactMap(\.recipient)) == ["dora", "dave"])
      try ask("ci", ci, "CREATE TABLE public.b (id int);")
      posted = try links(4, receiver)
      #expect(Set(posted[2...].compactMap(\.recipient)) == ["ana", "dave"])
      let dora = try #require(posted.first { $0.recipient == "dora" }?.path)
      let daves = posted.filter { $0.recipient == "dave" }.map(\.path)

      let code = String(dora.dropFirst("/approvals/".count))
      #expect(try gateway.command("approvals", "approve", "--code", code, as: dave).errors.contains("not valid"))
      #expect(try gateway.command("approvals", "approve", "--code", code).errors.contains("needs a person"))
      try browse(
        gateway, dora,
        """
        status, page, _ = ask("GET", link)
        expect(status == 200 and "You decide as dora" in page and 'name="token"' not in page, page)
        # Wrong ones are told so for a while only; a good one always opens.
        statuses = [ask("GET", "/approvals/spa_" + "x" * (50 + i))[0] for i in range(30)]
        expect(statuses[:20] == [404] * 20 and statuses[20:] == [429] * 10, statuses)
        expect(ask("GET", "/approvals/x")[2]["retry-after"] == "60", "retry-after")
        status, page, _ = post(link, decision="deny", reason="ask sales first")
        expect(status == 200 and "request 1 is refused" in page, page)
        expect(ask("GET", link)[0] == 429 and post(link, decision="approve")[0] == 429, "used")
        """)
      let refusal = try gateway.records().first { $0.request == 1 && $0.step == "refused" }
      #expect(refusal?.person == "dora" && refusal?.reason == "ask sales first")

      // The other link of the same request has ended with it; the one of the other request works only while dave may.
      let file = "\(gateway.folder)/sallyport.yaml"
      let original = try String(contentsOfFile: file, encoding: .utf8)
      func reload(_ text: String) throws {
        try (text + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let end = try gateway.command("reload")
        #expect(end.status == 0, "\(end.output)\(end.errors)")
      }
      let other = original.replacing("dave: { groups: [dba] }", with: "dave: { groups: [engineering] }")
      try reload(other.replacing("/hook\"", with: "/moved-hook\"").replacing(", links: personal", with: ""))
      try browse(
        gateway, daves[0],
        """
        expect(ask("GET", link)[0] == 429 and ask("GET", sys.argv[5])[0] == 429, "not an approver any more")
        """, [daves[1]])
      // From then on messages go where the configuration says by now, and as it says.
      try ask("ana", ana, "CREATE TABLE public.c (id int);")
      #expect(try links(5, receiver)[4].recipient == nil)
      #expect(try receiver.requests().map(\.path) == ["/hook", "/hook", "/hook", "/hook", "/moved-hook"])
      // A link that others could have read on its way is void: in the clear, and not from this machine's own address.
      try browse(
        gateway, try links(5, receiver)[4].path,
        """
        expect(ask("GET", link)[0] == 200, "a good link")
        connection = http.client.HTTPConnection(host, int(port), timeout=10, source_address=("127.0.0.2", 0))
        connection.request("GET", link)
        answer = connection.getresponse()
        page = answer.read().decode()
        expect(answer.status == 403 and "void" in page and "public.c" not in page, page)
        wait_for("the end of the link", lambda: ask("GET", link)[0] in (404, 429))
        """)
      try reload(original)
      try browse(
        gateway, daves[1],
        """
        status, page, _ = post(link, decision="approve")
        expect(status == 200 and "ci can run the statement" in page, page)
        """)
      #expect(try psql(gateway.dsn("ci", ci), "CREATE TABLE public.b (id int);").errors.isEmpty)
    }
  }
}

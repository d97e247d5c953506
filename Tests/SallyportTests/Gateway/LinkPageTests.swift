import NIOCore
import NIOHTTP1
import Testing

@testable import Gateway

@Suite("Links to approvals: forms and pages")
struct LinkPageTests {
  private func exchange(
    _ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders = [:]
  ) -> LinkExchange? {
    LinkExchange(
      HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers), address: "10.0.0.1",
      isExposed: false)
  }

  @Test("Only the path of links, by GET, HEAD and POST; a query is no part of the link")
  func paths() {
    #expect(exchange(.GET, "/approvals/spa_x?utm=1")?.link == "spa_x")
    #expect(exchange(.HEAD, "/approvals/a")?.link == "a" && exchange(.POST, "/approvals/")?.link == "")
    #expect(exchange(.GET, "/approvals") == nil && exchange(.GET, "/control") == nil)
    #expect(exchange(.DELETE, "/approvals/a") == nil)
  }

  @Test("A body is taken of a form only, and only so much of it")
  func bodies() {
    let form: HTTPHeaders = ["content-type": "application/x-www-form-urlencoded; charset=UTF-8"]
    let part = ByteBuffer(repeating: UInt8(ascii: "a"), count: 8 << 10)
    var get = exchange(.GET, "/approvals/a", form)
    #expect(get?.take(part) == false)
    var plain = exchange(.POST, "/approvals/a", ["content-type": "text/plain"])
    #expect(plain?.take(part) == false)
    var foreign = exchange(
      .POST, "/approvals/a",
      ["content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-site"])
    #expect(foreign?.take(part) == false)
    var post = exchange(.POST, "/approvals/a", form)
    #expect(post?.take(part) == true && post?.take(part) == true && post?.take(ByteBuffer(string: "a")) == false)
  }

  @Test(
    "Fields are decoded strictly",
    arguments: [
      ("a=1&b=x+y%20z", "b", "x y z"), ("a=%C3%A9", "a", "é"), ("a", "a", ""), ("a=b=c", "a", "b=c"), ("", "a", nil),
      ("a=1%0D%0A2", "a", "1\n2"), ("a=1&a=1", "a", nil), ("a=%", "a", nil), ("a=%+1", "a", nil), ("a=%FF", "a", nil),
      ("a=%4", "a", nil),
    ] as [(String, String, String?)])
  func fields(_ body: String, _ name: String, _ value: String?) {
    #expect(FormFields(Array(body.utf8))?[name] == value)
  }

  @Test("Nothing that a requester writes becomes markup, is invisible or turns the reading around")
  func escaping() {
    #expect(LinkPage.escaped("<b a='1' c=\"2\">&amp;") == "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;")
    #expect(LinkPage.escaped("a\u{202E}b\u{200B}c\u{0}d\r") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+0⟩d⟨U+D⟩")
    #expect(LinkPage.escaped("é\n\t漢") == "é\n\t漢")
  }
}

import Residency
import Testing

/// Blocks of addresses, as rules and allow-lists name them.
@Suite("Network ranges")
struct NetworkRangeTests {
  @Test(
    "what lies inside and outside",
    arguments: [
      ("10.1.0.0/16", "10.1.255.255", true), ("10.1.0.0/16", "10.2.0.0", false),
      ("10.1.0.0/16", "::ffff:10.1.2.3", true),
      ("192.168.4.0/22", "192.168.7.255", true), ("192.168.4.0/22", "192.168.8.0", false),
      ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "::1", false), ("::/0", "10.0.0.1", false),
      ("203.0.113.7", "203.0.113.7", true), ("203.0.113.7", "203.0.113.6", false),
      ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
      ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false),
    ])
  func contains(_ range: String, _ address: String, _ expected: Bool) throws {
    let network = try #require(NetworkRange(range))
    #expect(network.contains(try #require(NetworkAddress(address))) == expected)
  }

  @Test(
    "what is not taken for a range",
    arguments: [
      "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "10.1.2.3/16", "host/8", "::/129",
      "2001:db8::1/64", "::ffff:10.0.0.0/104", "10.0.0.0/ 8", "10.0.0/8",
    ])
  func malformed(_ text: String) { #expect(NetworkRange(text) == nil) }

  @Test("it is spelled as it is read")
  func spelling() throws {
    #expect(try #require(NetworkRange("10.1.0.0/16")).description == "10.1.0.0/16")
    #expect(try #require(NetworkRange("2001:db8::/32")).description == "2001:db8:0:0:0:0:0:0/32")
  }
}

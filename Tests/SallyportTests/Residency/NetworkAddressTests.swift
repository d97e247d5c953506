import Testing

@testable import Residency

@Suite("Residency: addresses")
struct NetworkAddressTests {
  @Test(
    "numeric addresses have one canonical form",
    arguments: [
      ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::1", "::1"), ("::", "::"),
      ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8::", "2001:db8::"),
      ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
      ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::FFFF:0a00:0001", "10.0.0.1"),
      ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ])
  func canonical(text: String, expected: String) throws {
    let address = try #require(NetworkAddress(text))
    #expect(address.description == expected)
    #expect(NetworkAddress(address.description) == address)
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "010.0.0.1", "127.1", "0x7f.0.0.1", "1.2.3.4:80", " 1.2.3.4",
      "1.2.3.-4", "1.2.3.4 ", "::1%eth0", "fe80::1%1", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":1",
      "1:", "12345::", "g::", "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "[::1]", "١.2.3.4", "1:2:3:4::5:6:7:8",
    ])
  func refused(text: String) {
    #expect(NetworkAddress(text) == nil)
  }

  @Test("special ranges are told apart, also in their IPv6 spelling")
  func ranges() throws {
    func address(_ text: String) throws -> NetworkAddress { try #require(NetworkAddress(text)) }
    #expect(try address("127.8.9.1").isLoopback && address("::1").isLoopback && address("::ffff:127.0.0.1").isLoopback)
    #expect(try !address("128.0.0.1").isLoopback && !address("::2").isLoopback && !address("1::1").isLoopback)
    #expect(try address("169.254.169.254").isLinkLocal && address("::ffff:169.254.169.254").isLinkLocal)
    #expect(try address("fe80::1").isLinkLocal && address("febf::1").isLinkLocal && !address("fec0::1").isLinkLocal)
    #expect(try address("0.0.0.0").isUnspecified && address("::").isUnspecified && !address("0.0.0.1").isUnspecified)
    #expect(try address("224.0.0.1").isMulticast && address("ff02::1").isMulticast && !address("223.0.0.1").isMulticast)
  }

  @Test("the allow-all policy lets every address pass in every region, and no name")
  func allowAll() {
    let policy: some RegionPolicy = .allowAll
    #expect(policy.allows("10.1.2.3", region: "eu-central-1") == .allowed)
    #expect(policy.allows("2001:db8::1", region: nil) == .allowed)
    #expect(policy.allows("db.internal", region: nil) == .refused(reason: "\"db.internal\" is not a numeric address"))
  }
}

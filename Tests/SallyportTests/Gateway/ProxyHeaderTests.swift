import NIOCore
import Testing

@testable import Gateway

/// PROXY protocol, version 2, as load balancers write it.
@Suite("PROXY header")
struct ProxyHeaderTests {
  private static let v4: [UInt8] = [203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 0x19, 0x20]
  private static let v6: [UInt8] =
    [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7] + [UInt8](repeating: 0, count: 15) + [1]
    + [0x30, 0x39, 0x19, 0x20]

  private static func header(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
    ProxyHeader.signature + [command, family, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
  }

  private func read(_ bytes: [UInt8]) -> ProxyHeader.Reading {
    ProxyHeader.read(ByteBuffer(bytes: bytes).readableBytesView)
  }

  @Test("the client's address, and how long the header is")
  func addresses() throws {
    let four = Self.header(0x21, 0x11, Self.v4)
    #expect(read(four + [1, 2, 3]) == .client(try SocketAddress(ipAddress: "203.0.113.7", port: 12345), length: 28))
    let six = Self.header(0x21, 0x21, Self.v6)
    #expect(read(six) == .client(try SocketAddress(ipAddress: "2001:db8::7", port: 12345), length: 52))
  }

  @Test("a header that is cut anywhere is waited for")
  func pieces() {
    let whole = Self.header(0x21, 0x11, Self.v4)
    for length in 0..<whole.count { #expect(read(Array(whole.prefix(length))) == .incomplete, "\(length) bytes") }
  }

  @Test("a health check of the balancer, and a connection without an address, are who they are")
  func unchanged() {
    #expect(read(Self.header(0x20, 0x00, [])) == .unchanged(length: 16))
    #expect(read(Self.header(0x20, 0x11, Self.v4)) == .unchanged(length: 28))
    #expect(read(Self.header(0x21, 0x00, [])) == .unchanged(length: 16))
  }

  @Test("extras are skipped, a wrong checksum is refused")
  func extras() throws {
    let client = try SocketAddress(ipAddress: "203.0.113.7", port: 12345)
    #expect(read(Self.header(0x21, 0x11, Self.v4 + [0x02, 0, 2, 0x61, 0x62])) == .client(client, length: 33))
    var summed = Self.header(0x21, 0x11, Self.v4 + [0x03, 0, 4, 0, 0, 0, 0])
    let sum = ProxyHeader.crc32c(summed)
    for (index, shift) in [24, 16, 8, 0].enumerated() {
      summed[31 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(shift))
    }
    #expect(read(summed) == .client(client, length: 35))
    summed[17] ^= 1
    #expect(read(summed) == .malformed("the PROXY header's checksum is wrong"))
    // RFC 3720, appendix B.4.
    #expect(ProxyHeader.crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
  }

  @Test(
    "what is no such header is refused at the first byte that tells",
    arguments: [
      [0x00], Array("PROXY TCP4 203.0.113.7".utf8), ProxyHeader.signature + [0x11, 0x11, 0, 0],
      ProxyHeader.signature + [0x22, 0x11, 0, 0], header(0x21, 0x12, v4), header(0x21, 0x31, v4),
      header(0x21, 0x11, [1, 2]),
      header(0x21, 0x11, v4 + [0x02, 0, 9, 1]), header(0x21, 0x11, v4 + [0x02]),
      ProxyHeader.signature + [0x21, 0x11, 0xFF, 0xFF],
    ] as [[UInt8]])
  func malformed(_ bytes: [UInt8]) {
    guard case .malformed = read(bytes) else {
      Issue.record("it was read as \(read(bytes))")
      return
    }
  }
}

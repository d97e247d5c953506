import NIOCore

/// The header that a load balancer puts in front of a connection: PROXY protocol, version 2, the binary one
/// (haproxy.org, proxy-protocol.txt §2.2).
enum ProxyHeader {
  enum Reading: Equatable {
    /// More bytes are needed.
    case incomplete
    /// Whoever connects is this; `length` bytes are the header's.
    case client(SocketAddress, length: Int)
    /// The balancer itself connects (a health check), or says nothing of an address: the connection's own counts.
    case unchanged(length: Int)
    /// Lower case, without a full stop.
    case malformed(String)
  }

  /// `\r\n\r\n\0\r\nQUIT\n`.
  static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
  /// The longest header that is read, in bytes; one with addresses and the usual extras has some hundred.
  static let limit = 2_048
  private static let fixedLength = 16
  /// PP2_TYPE_CRC32C.
  private static let checksumType: UInt8 = 0x03

  /// Looks at the first bytes of a connection.
  static func read(_ bytes: ByteBufferView) -> Reading {
    guard signature.starts(with: bytes.prefix(signature.count)) else {
      return .malformed("the connection does not begin with a PROXY header of version 2")
    }
    guard bytes.count >= fixedLength else { return .incomplete }
    let header = Array(bytes.prefix(limit))
    let command = header[12]
    guard command == 0x20 || command == 0x21 else { return .malformed("the PROXY header is of an unknown kind") }
    let length = fixedLength + Int(header[14]) << 8 + Int(header[15])
    guard length <= limit else { return .malformed("the PROXY header is longer than \(limit) bytes") }
    guard bytes.count >= length else { return .incomplete }
    return read(Array(header.prefix(length)), isLocal: command == 0x20)
  }

  private static func read(_ header: [UInt8], isLocal: Bool) -> Reading {
    let addressLength: Int
    switch header[13] {
    case 0x11: addressLength = 4
    case 0x21: addressLength = 16
    // Without an address, or of something that is not TCP, which only a LOCAL header may be.
    case let family where isLocal || family == 0x00: return .unchanged(length: header.count)
    default: return .malformed("the PROXY header is not of a TCP connection")
    }
    let extras = fixedLength + 2 * addressLength + 4
    guard header.count >= extras else {
      return isLocal ? .unchanged(length: header.count) : .malformed("the PROXY header is too short for its addresses")
    }
    guard isSound(header, extrasAt: extras) else { return .malformed("the PROXY header's checksum is wrong") }
    if isLocal { return .unchanged(length: header.count) }
    let port = Int(header[fixedLength + 2 * addressLength]) << 8 + Int(header[fixedLength + 2 * addressLength + 1])
    let packed = ByteBuffer(bytes: header[fixedLength..<(fixedLength + addressLength)])
    guard let address = try? SocketAddress(packedIPAddress: packed, port: port) else {
      return .malformed("the PROXY header's address cannot be read")
    }
    return .client(address, length: header.count)
  }

  /// Whether the extras (type, length, value) fill their room, and the checksum is right if there is one.
  private static func isSound(_ header: [UInt8], extrasAt start: Int) -> Bool {
    var at = start
    while at < header.count {
      guard at + 3 <= header.count else { return false }
      let end = at + 3 + Int(header[at + 1]) << 8 + Int(header[at + 2])
      guard end <= header.count else { return false }
      if header[at] == checksumType {
        guard end == at + 7 else { return false }
        var cleared = header
        for index in (at + 3)..<end { cleared[index] = 0 }
        let written = header[(at + 3)..<end].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard crc32c(cleared) == written else { return false }
      }
      at = end
    }
    return true
  }

  /// Castagnoli's polynomial, bit by bit: headers are short and come once a connection (RFC 3720 appendix B.4).
  static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
    }
    return ~sum
  }
}

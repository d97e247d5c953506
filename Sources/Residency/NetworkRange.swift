/// A block of addresses in CIDR notation: `10.1.0.0/16`, `2001:db8::/32`, or one address alone. RFC 4632 §3.1, RFC 4291 §2.3.
public struct NetworkRange: Hashable, Sendable {
  /// The first address of the block.
  public let base: NetworkAddress
  /// How many leading bits all addresses of the block share: 0…32, or 0…128.
  public let prefixLength: Int

  /// nil for what is no address, a prefix that is too long, and a base with bits set behind the prefix (`10.1.2.3/16`),
  /// which is more often a slip than meant.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let base = NetworkAddress(String(parts[0])) else { return nil }
    // An IPv4 address written in IPv6 is IPv4 here, and its prefix would count from another end.
    guard base.family == .v6 || !parts[0].contains(":") else { return nil }
    let bits = base.bytes.count * 8
    var length = bits
    if parts.count == 2 {
      let digits = parts[1]
      guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
        digits.utf8.count == 1 || digits.first != "0", let number = Int(digits), number <= bits
      else { return nil }
      length = number
    }
    guard NetworkRange.isClear(base.bytes, behind: length) else { return nil }
    self.base = base
    prefixLength = length
  }

  /// Whether the address lies in the block; an address of the other family never does.
  public func contains(_ address: NetworkAddress) -> Bool {
    guard address.family == base.family else { return false }
    let whole = prefixLength / 8
    guard address.bytes.prefix(whole).elementsEqual(base.bytes.prefix(whole)) else { return false }
    let rest = prefixLength % 8
    if rest == 0 { return true }
    let mask = ~UInt8(0) << UInt8(8 - rest)
    return address.bytes[whole] & mask == base.bytes[whole] & mask
  }

  private static func isClear(_ bytes: [UInt8], behind length: Int) -> Bool {
    bytes.enumerated().allSatisfy { index, byte in
      let kept = min(8, max(0, length - index * 8))
      return kept == 8 || byte << UInt8(kept) == 0
    }
  }
}

extension NetworkRange: CustomStringConvertible {
  public var description: String {
    let address =
      switch base.family {
      case .v4: base.bytes.map(String.init).joined(separator: ".")
      case .v6:
        stride(from: 0, to: 16, by: 2)
          .map { String(UInt16(base.bytes[$0]) << 8 | UInt16(base.bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
      }
    return "\(address)/\(prefixLength)"
  }
}

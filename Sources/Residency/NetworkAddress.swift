/// A numeric IPv4 or IPv6 address.
///
/// An IPv4 address written in IPv6 (`::ffff:10.0.0.1`) is that IPv4 address, so that one host has one value and cannot
/// pass a check under its other spelling.
public struct NetworkAddress: Hashable, Sendable {
  public enum Family: Hashable, Sendable { case v4, v6 }
  public let family: Family
  /// Four or sixteen, in network order.
  public let bytes: [UInt8]

  /// nil for names, ports, zones (`fe80::1%eth0`), and for the shorthands and octal forms of `inet_aton`
  /// (`127.1`, `010.0.0.1`), which two libraries read as two addresses. RFC 4291 §2.2, RFC 6943 §3.1.1.
  public init?(_ text: String) {
    let characters = Array(text.utf8)
    guard characters.count <= 45 else { return nil }
    if characters.contains(UInt8(ascii: ":")) {
      guard let bytes = NetworkAddress.parseV6(characters) else { return nil }
      self.init(v6: bytes)
    } else {
      guard let bytes = NetworkAddress.parseV4(characters[...]) else { return nil }
      self.init(.v4, bytes)
    }
  }

  private init(_ family: Family, _ bytes: [UInt8]) {
    self.family = family
    self.bytes = bytes
  }

  private init(v6 bytes: [UInt8]) {
    let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    self.init(isMapped ? .v4 : .v6, isMapped ? Array(bytes.suffix(4)) : bytes)
  }

  /// 127.0.0.0/8 and ::1.
  public var isLoopback: Bool {
    switch family {
    case .v4: bytes.first == 127
    case .v6: bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 }
    }
  }

  /// 0.0.0.0 and ::, which many systems dial as loopback.
  public var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

  /// 169.254.0.0/16, where clouds keep their metadata services, and fe80::/10.
  public var isLinkLocal: Bool {
    switch family {
    case .v4: bytes.starts(with: [169, 254])
    case .v6: bytes.starts(with: [0xFE]) && bytes[1] & 0xC0 == 0x80
    }
  }

  /// 224.0.0.0/4 and ff00::/8.
  public var isMulticast: Bool {
    switch family {
    case .v4: bytes.first.map { $0 & 0xF0 == 0xE0 } ?? false
    case .v6: bytes.first == 0xFF
    }
  }
}

// MARK: - Reading

extension NetworkAddress {
  private static func parseV4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
      var value = 0
      for character in part {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
        value = value * 10 + Int(character - UInt8(ascii: "0"))
      }
      guard let byte = UInt8(exactly: value) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  /// Groups left and right of at most one `::`, the last group perhaps as IPv4.
  private static func parseV6(_ text: [UInt8]) -> [UInt8]? {
    let colon = UInt8(ascii: ":")
    let gaps = text.indices.dropLast().filter { text[$0] == colon && text[$0 + 1] == colon }
    guard let gap = gaps.first else {
      guard let bytes = groups(text[...], mayEndInV4: true), bytes.count == 16 else { return nil }
      return bytes
    }
    // `:::` holds two overlapping gaps, and is refused with every other second one.
    guard gaps.count == 1, let left = groups(text[..<gap], mayEndInV4: false),
      let right = groups(text[(gap + 2)...], mayEndInV4: true), left.count + right.count <= 14
    else { return nil }
    return left + [UInt8](repeating: 0, count: 16 - left.count - right.count) + right
  }

  private static func groups(_ text: ArraySlice<UInt8>, mayEndInV4: Bool) -> [UInt8]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count <= 8 else { return nil }
    var bytes: [UInt8] = []
    for (index, part) in parts.enumerated() {
      if part.contains(UInt8(ascii: ".")) {
        guard mayEndInV4, index == parts.count - 1, let last = parseV4(part) else { return nil }
        bytes += last
      } else {
        guard let group = hexGroup(part) else { return nil }
        bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
      }
    }
    return bytes
  }

  private static func hexGroup(_ part: ArraySlice<UInt8>) -> UInt16? {
    guard (1...4).contains(part.count) else { return nil }
    var value: UInt16 = 0
    for character in part {
      guard let digit = Character(UnicodeScalar(character)).hexDigitValue else { return nil }
      value = value << 4 | UInt16(digit)
    }
    return value
  }
}

// MARK: - Writing

extension NetworkAddress: CustomStringConvertible {
  /// The canonical form: lower case, the longest run of zero groups as `::` (RFC 5952 §4).
  public var description: String {
    switch family {
    case .v4: return bytes.map(String.init).joined(separator: ".")
    case .v6:
      let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
      let words = groups.map { String($0, radix: 16) }
      guard let run = NetworkAddress.longestZeroRun(groups) else { return words.joined(separator: ":") }
      return words[..<run.lowerBound].joined(separator: ":") + "::" + words[run.upperBound...].joined(separator: ":")
    }
  }

  /// The first of the longest runs of two or more zero groups.
  private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
    var best: Range<Int>?
    var start = 0
    for index in 0...groups.count where index == groups.count || groups[index] != 0 {
      if index - start >= 2, index - start > (best?.count ?? 0) { best = start..<index }
      start = index + 1
    }
    return best
  }
}

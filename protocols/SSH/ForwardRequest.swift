import AccessModel

/// Where a client wants bytes to be carried to by the target (RFC 4254 §7.2), as a command that can be decided.
///
/// The target makes the connection, so that names are looked up there, and `localhost` is the target itself.
public struct ForwardRequest: Hashable, Sendable {
  /// What the target is asked for.
  public let host: String
  public let port: Int

  /// nil for what no target could be asked for: an empty name, one longer than 255 bytes or with other characters than
  /// names and addresses have, a port out of range.
  public init?(host: String, port: Int) {
    let isPlain = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: ":"):
        true
      default: false
      }
    }
    guard isPlain, (1...255).contains(host.utf8.count), (1...65_535).contains(port) else { return nil }
    self.host = host
    self.port = port
  }

  public var command: Command {
    let destination = "\(name):\(port)"
    return Command(
      effects: .forward,
      footprint: Footprint([ResourceAccess(Resource(.host, ["\(name):\(port)"]), .forward)]),
      text: "forward \(destination)", detail: .ssh(SSHDetail(request: .forward, destination: destination)))
  }

  /// The host as rules name it, whatever way it was written in.
  private var name: String {
    var name = host.lowercased()
    while name.hasSuffix("."), name.count > 1 { name.removeLast() }
    if name == "localhost" || name.hasSuffix(".localhost") || name == "ip6-localhost" { return "localhost" }
    if let address = ForwardRequest.version4(name) {
      // 127.0.0.0/8, and 0.0.0.0, which is taken for it.
      return address[0] == 127 || address == [0, 0, 0, 0]
        ? "localhost" : address.map(String.init).joined(separator: ".")
    }
    guard let groups = ForwardRequest.version6(name) else { return name }
    if groups.dropLast().allSatisfy({ $0 == 0 }), groups[7] <= 1 { return "localhost" }
    // IPv4 in IPv6, mapped or compatible.
    if groups[..<5].allSatisfy({ $0 == 0 }), groups[5] == 0xFFFF || groups[5] == 0 {
      let address = [groups[6] >> 8, groups[6] & 0xFF, groups[7] >> 8, groups[7] & 0xFF]
      return address[0] == 127 || address == [0, 0, 0, 0]
        ? "localhost" : address.map(String.init).joined(separator: ".")
    }
    return groups.map { String($0, radix: 16) }.joined(separator: ":")
  }

  /// As inet_aton reads it: one to four numbers, decimal, octal or hexadecimal, the last of which fills what is left.
  private static func version4(_ text: String) -> [Int]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(number)
    guard (1...4).contains(parts.count), !parts.contains(nil) else { return nil }
    let numbers = parts.compactMap { $0 }
    guard let last = numbers.last, numbers.dropLast().allSatisfy({ $0 <= 255 }),
      last < 1 << (8 * (5 - numbers.count))
    else { return nil }
    let left = 5 - numbers.count
    return numbers.dropLast() + (0..<left).map { last >> (8 * (left - 1 - $0)) & 0xFF }
  }

  private static func number(_ text: Substring) -> Int? {
    guard let first = text.first, first.isASCII, first.isNumber, text.utf8.count <= 16 else { return nil }
    if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
    if first == "0", text.count > 1 { return Int(text, radix: 8) }
    return Int(text)
  }

  private static func version6(_ text: String) -> [Int]? {
    guard text.contains(":") else { return nil }
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    guard halves.count <= 2 else { return nil }
    func groups(_ half: Substring) -> [Int]? {
      if half.isEmpty { return [] }
      var groups: [Int] = []
      let parts = half.split(separator: ":", omittingEmptySubsequences: false)
      for (index, part) in parts.enumerated() {
        if index == parts.count - 1, part.contains(".") {
          guard let address = version4(String(part)) else { return nil }
          groups += [address[0] << 8 | address[1], address[2] << 8 | address[3]]
        } else {
          guard (1...4).contains(part.utf8.count), let group = Int(part, radix: 16), group >= 0 else { return nil }
          groups.append(group)
        }
      }
      return groups
    }
    guard let head = halves.first.flatMap(groups) else { return nil }
    guard halves.count == 2 else { return head.count == 8 ? head : nil }
    guard let tail = groups(halves[1]), head.count + tail.count < 8 else { return nil }
    return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
  }
}

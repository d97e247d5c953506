import Crypto

/// Finds canaries in bytes: as they are, reversed, in another case, in pieces, encoded, hashed, spelled by codes.
///
/// A piece of a text counts from six characters, of a number from nine digits, of an encoding from as much as says so.
public struct CanaryFinder: Sendable {
  /// What was found: a canary's form, such as `code reversed`.
  public typealias Form = String

  /// By length, hashes of pieces with what they are of; in lower case.
  private var written: [Int: [UInt64: Form]] = [:]
  /// The same for binary forms, which have no case.
  private var binary: [Int: [UInt64: Form]] = [:]

  public init(_ canaries: Canaries) {
    for text in canaries.texts { add(text) }
    for number in canaries.numbers { add(number) }
    add(canaries.people.reduce(0) { $0 + $1.pin }, "sum")
    add(canaries.people.reduce(canaries.child.pin) { $0 + $1.pin }, "sum")
  }

  // MARK: What is looked for

  private mutating func add(_ text: String) {
    let bytes = Array(text.utf8)
    write(bytes, 6, "plain")
    write(bytes.reversed(), 6, "reversed")
    // translate(x, '0123456789', '5678901234'), and each character's successor.
    write(bytes.map { (0x30...0x39).contains($0) ? 0x30 + ($0 - 0x30 + 5) % 10 : $0 }, 6, "translated")
    write(bytes.map { $0 + 1 }, 6, "shifted")
    write(CanaryFinder.hex(bytes), 12, "hexadecimal")
    for lead in 0..<3 {
      // What lies before it moves it within base64's groups of three.
      let encoded = CanaryFinder.base64([UInt8](repeating: 0, count: lead) + bytes)
      write(Array(encoded.dropFirst(lead == 0 ? 0 : 4).prefix(16)), 8, "base64")
    }
    let digests: [(String, [UInt8])] = [
      ("md5", Array(Insecure.MD5.hash(data: bytes))), ("sha1", Array(Insecure.SHA1.hash(data: bytes))),
      ("sha224", []), ("sha256", Array(SHA256.hash(data: bytes))), ("sha384", Array(SHA384.hash(data: bytes))),
      ("sha512", Array(SHA512.hash(data: bytes))),
    ]
    for (name, digest) in digests where !digest.isEmpty {
      write(CanaryFinder.hex(digest), 12, name)
      note(digest, 8, name, in: &binary)
    }
  }

  private mutating func add(_ number: Int64, _ what: String = "number") {
    let digits = Array(String(number).utf8)
    write(digits, 9, what)
    write(digits.reversed(), 9, "\(what) reversed")
    write(Array(String(number, radix: 16).utf8), 9, "\(what) in hexadecimal")
    for signed in [number, -number] {
      note(CanaryFinder.bytes(UInt64(bitPattern: signed)), 7, "\(what) as int8", in: &binary)
      note(CanaryFinder.bytes(Double(signed).bitPattern), 7, "\(what) as float8", in: &binary)
    }
    let groups = stride(from: 0, to: 16, by: 4).map { place -> UInt16 in
      let padded = [UInt8](repeating: 0x30, count: max(0, 16 - digits.count)) + digits
      return padded[place..<(place + 4)].reduce(0) { $0 * 10 + UInt16($1 - 0x30) }
    }
    note(groups.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }, 7, "\(what) as numeric", in: &binary)
  }

  private mutating func write(_ bytes: some Sequence<UInt8>, _ length: Int, _ form: Form) {
    note(bytes.map(CanaryFinder.lower), length, form, in: &written)
  }

  private func note(_ bytes: [UInt8], _ length: Int, _ form: Form, in table: inout [Int: [UInt64: Form]]) {
    guard bytes.count >= length else { return }
    for start in 0...(bytes.count - length) {
      table[length, default: [:]][CanaryFinder.digest(bytes[start..<(start + length)])] = form
    }
  }

  // MARK: Looking

  /// The first form found; nil when there is none.
  public func find(in bytes: [UInt8]) -> Form? {
    if let form = scan(bytes, binary) { return form }
    let lower = bytes.map(CanaryFinder.lower)
    if let form = scan(lower, written) { return form }
    // What stands between the pieces is taken out, and codes are read as characters.
    if let form = scan(lower.filter(CanaryFinder.counts), written) { return form }
    return scan(CanaryFinder.coded(lower), written).map { "\($0), by character codes" }
  }

  /// Values of one result: each, each column and each row as a whole.
  public func find(inRows rows: [[[UInt8]?]]) -> Form? {
    let width = rows.map(\.count).max() ?? 0
    for column in 0..<width {
      let values = rows.compactMap { column < $0.count ? $0[column] : nil }
      if let form = find(in: Array(values.joined(separator: [0x20]))) { return form }
    }
    for row in rows where row.count > 1 {
      if let form = find(in: Array(row.compactMap { $0 }.joined(separator: [0x20]))) { return form }
    }
    return nil
  }

  private func scan(_ bytes: [UInt8], _ table: [Int: [UInt64: Form]]) -> Form? {
    for (length, forms) in table where bytes.count >= length {
      for start in 0...(bytes.count - length) {
        if let form = forms[CanaryFinder.digest(bytes[start..<(start + length)])] { return form }
      }
    }
    return nil
  }

  private static func counts(_ byte: UInt8) -> Bool {
    byte > 0x20 && !",;:.{}[]()<>/\"'\\|+-_".utf8.contains(byte)
  }

  /// Numbers that can be characters, as those; whatever else, as a break.
  private static func coded(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var number = -1
    for byte in bytes + [0x20] {
      if (0x30...0x39).contains(byte) {
        number = min(1_000, max(0, number) * 10 + Int(byte - 0x30))
      } else if number >= 0 {
        out.append((0x21...0x7E).contains(number) ? lower(UInt8(number)) : 0)
        number = -1
      }
    }
    return out
  }

  /// FNV-1a.
  private static func digest(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

  private static func bytes(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

  private static func hex(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  }

  private static func base64(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    return stride(from: 0, to: bytes.count - bytes.count % 3, by: 3).flatMap { place -> [UInt8] in
      let group = Int(bytes[place]) << 16 | Int(bytes[place + 1]) << 8 | Int(bytes[place + 2])
      return [18, 12, 6, 0].map { digits[group >> $0 & 63] }
    }
  }
}

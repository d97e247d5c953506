import Testing

@testable import Postgres

@Suite("Tokens")
struct TokenMaskTests {
  private static let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")
  private static let key = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
  private static let tweak = "39383736353433323130"

  private static func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.count, by: 2).compactMap { start in
      UInt8(hex.dropFirst(start).prefix(2), radix: 16)
    }
  }

  /// NIST's examples for FF1, FF1samples.pdf: key length, tweak, radix, plaintext, ciphertext.
  @Test(
    "FF1 as NIST publishes it",
    arguments: [
      (16, "", 10, "0123456789", "2433477484"), (16, tweak, 10, "0123456789", "6124200773"),
      (16, "3737373770717273373737", 36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
      (24, "", 10, "0123456789", "2830668132"), (24, tweak, 10, "0123456789", "2496655549"),
      (24, "3737373770717273373737", 36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
      (32, "", 10, "0123456789", "6657667009"), (32, tweak, 10, "0123456789", "1001623463"),
      (32, "3737373770717273373737", 36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ])
  func published(_ length: Int, _ tweak: String, _ radix: Int, _ plain: String, _ cipher: String) throws {
    let numerals = plain.map { UInt8(Self.alphabet.firstIndex(of: $0) ?? 0) }
    let radices = numerals.map { _ in UInt16(radix) }
    let box = FormatPreserving(key: Array(Self.bytes(Self.key).prefix(length)))
    let tweak = Self.bytes(tweak)
    let encrypted = try #require(box.turned(numerals, radices: radices, tweak: tweak, .encrypt))
    #expect(String(encrypted.map { Self.alphabet[Int($0)] }) == cipher)
    #expect(box.turned(encrypted, radices: radices, tweak: tweak, .decrypt) == numerals)
  }

  @Test("mixed radices lead there and back, one value to one")
  func mixed() throws {
    let radices: [UInt16] = [26, 10, 10, 26, 2, 26, 10, 256]
    let box = FormatPreserving(key: Array(0..<32))
    func numerals(_ value: Int) -> [UInt8] { radices.map { UInt8((value * 7919) % Int($0)) } }
    var seen: Set<[UInt8]> = []
    for value in 0..<500 {
      let encrypted = try #require(box.turned(numerals(value), radices: radices, tweak: [1], .encrypt))
      #expect(zip(encrypted, radices).allSatisfy { UInt16($0) < $1 })
      #expect(box.turned(encrypted, radices: radices, tweak: [1], .decrypt) == numerals(value))
      seen.insert(encrypted)
    }
    #expect(seen.count == Set((0..<500).map(numerals)).count)
    for (places, radix) in [(5, UInt16(10)), (257, 10), (1, 256)] {
      let zeros = [UInt8](repeating: 0, count: places)
      let turned = box.turned(zeros, radices: zeros.map { _ in radix }, tweak: [], .encrypt)
      #expect(turned == nil, "\(places) places: too small a domain, or too many")
    }
    #expect(box.turned([26, 0, 0, 0, 0, 0, 0, 0], radices: radices, tweak: [1], .encrypt) == nil)
    // Long ones, which do not fit on the stack.
    let long = (0..<256).map { UInt8($0) }
    let turned = try #require(box.turned(long, radices: long.map { _ in 256 }, tweak: long, .encrypt))
    #expect(turned != long && box.turned(turned, radices: long.map { _ in 256 }, tweak: long, .decrypt) == long)
  }

  private func mask(_ type: UInt32, binary: Bool = false, domain: String = "") -> TokenMask {
    TokenMask(key: MaskKey(Array(0..<32)), domain: domain, type: ValueType(type), isBinary: binary)
  }

  private func token(_ text: String, _ type: UInt32, domain: String = "") -> String? {
    mask(type, domain: domain).standIn(Array(text.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A value of each type that has tokens.
  static let values: [(UInt32, String)] = [
    (25, "078-05-1120"), (25, "Ana.Lopez+x@example.com"), (1043, "4111 1111 1111 1111"), (1042, "AB-123456  "),
    (23, "1987654321"), (23, "-1987654321"), (23, "7"), (23, "-2147483648"), (20, "4111111111111111"),
    (26, "4294967295"),
    (1700, "1987654.320"), (1700, "-1987654.32"), (1700, "0.00012345678"), (1700, "123456789012345678901234567890"),
    (2950, "19876543-2101-4234-8567-89abcdef0123"), (17, "\\x43414e415259"), (1082, "1987-06-05"), (1082, "0001-01-03"),
    (1114, "1987-06-05 19:52:07.25"), (1114, "1987-06-05 19:52:07"), (1114, "1987-06-05 00:00:00"),
    (1184, "1987-06-05 17:52:07+00"), (701, "1987654.3225"), (701, "-198765432"), (701, "0.00123456789"),
  ]

  @Test("a token has the format of its value, is another one, and leads back", arguments: values)
  func formats(_ type: UInt32, _ value: String) throws {
    let token = try #require(self.token(value, type))
    #expect(token != value)
    #expect(self.token(value, type) == token, "equal values have equal tokens")
    #expect(self.token(value, type, domain: "other") != token)
    let back = mask(type).revealed(Array(token.utf8)[...])
    #expect(back.map { String(decoding: $0, as: UTF8.self) } == value)
    if [1114, 1184].contains(type) {
      #expect(token.contains(".") == value.contains("."))
      #expect(token.contains(" 00:00:00") == value.contains(" 00:00:00"), "\(token)")
    }
    if ![23, 20, 26, 17, 2950, 1114, 1184].contains(type) {
      func shape(_ text: String) -> [Character] {
        text.map { $0.isNumber ? "9" : $0.isUppercase ? "A" : $0.isLowercase ? "a" : $0 }
      }
      #expect(shape(token) == shape(value), "\(token)")
    }
    if type == 23 { #expect(Int32(token).map { ($0 < 0) == value.hasPrefix("-") } == true) }
    if type == 2950 { #expect(Array(token)[14] == "4" && Array(token)[19] == "8" && token.count == 36) }
  }

  @Test("binary values have the tokens of their text")
  func binary() throws {
    let number = try #require(token("1987654321", 23).flatMap { Int32($0) })
    #expect(mask(23, binary: true).standIn(bigEndian(Int32(1_987_654_321))[...]) == bigEndian(number))
    let plain = try #require(NumericValue(text: Array("1987654.320".utf8)[...]))
    let numeric = try #require(token("1987654.320", 1700))
    #expect(
      mask(1700, binary: true).standIn(plain.binary[...]) == NumericValue(text: Array(numeric.utf8)[...])?.binary)
    let day = try #require(token("1987-06-05", 1082).flatMap { CalendarDay(isoPrefix: Array($0.utf8)) })
    let days = Int32(CalendarDay(year: 1987, month: 6, day: 5).daysSince1970 - CalendarDay.postgresEpoch)
    #expect(
      mask(1082, binary: true).standIn(bigEndian(days)[...])
        == bigEndian(Int32(day.daysSince1970 - CalendarDay.postgresEpoch)))
    let double = try #require(token("1987654.3225", 701).flatMap { Double($0) })
    #expect(mask(701, binary: true).standIn(bigEndian(1987654.3225.bitPattern)[...]) == bigEndian(double.bitPattern))
    #expect(token("1987-06-05 19:52:07", 1114).map { $0 + "+00" } == token("1987-06-05 21:52:07+02", 1184))
    // 1.50 and 1.5 are one number.
    #expect(token("1987654.3200", 1700) == numeric + "0")
  }

  @Test("what has too few forms, or is beyond ASCII or of another type, is redacted")
  func redacted() {
    for (type, value, expected) in [
      (UInt32(25), "Ana", "****"), (25, "12345", "****"), (25, "", "****"), (25, "Zoë Müllerová", "****"),
      (25, String(repeating: "x", count: 257), "****"), (21, "31337", "0"), (1700, "12.5", "0"), (1700, "NaN", "0"),
      (1082, "infinity", "1970-01-01"), (1082, "0044-03-15 BC", "1970-01-01"), (701, "1.5", "0"), (700, "1.5", "0"),
      (701, "1e+300", "0"), (701, "0.12345678901234567", "0"), (1083, "19:52:07", "00:00:00"),
      (114, "{\"k\":1}", "\"****\""), (17, "\\x01", "\\x"),
    ] {
      #expect(token(value, type) == expected, "\(value)")
    }
    #expect(token("x", 600) == nil, "a type without a valid value becomes NULL")
  }
}

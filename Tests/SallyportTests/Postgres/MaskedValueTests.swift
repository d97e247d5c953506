import AccessModel
import Testing

@testable import Postgres

/// Single values under masks, in both formats. That real drivers decode them is shown end to end.
@Suite("Masked values")
struct MaskedValueTests {
  private static let key = MaskKey([UInt8](repeating: 7, count: 32))

  private func hash(_ oid: UInt32, _ value: [UInt8], binary: Bool = false, digits: (Int, Int)? = nil) -> [UInt8]? {
    KeyedHash(
      key: Self.key, type: ValueType(oid), isBinary: binary, maxCharacters: nil,
      numericDigits: digits.map { (whole: $0.0, fraction: $0.1) }
    ).standIn(value[...])
  }

  private func bucket(_ oid: UInt32, _ value: [UInt8], _ bucket: Mask.Bucket, binary: Bool = false) -> [UInt8]? {
    BucketMask(bucket: bucket, type: ValueType(oid), isBinary: binary).standIn(value[...])
  }

  private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

  /// The same moment or number as PostgreSQL sends it in binary.
  private static let pairs: [(oid: UInt32, text: String, binary: [UInt8])] = [
    (21, "-7", [0xFF, 0xF9]), (23, "123456", [0, 1, 0xE2, 0x40]), (20, "-1", [UInt8](repeating: 0xFF, count: 8)),
    (1700, "12345.678", [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 9, 0x29, 0x1A, 0x7C]),
    (701, "1.5", [0x3F, 0xF8, 0, 0, 0, 0, 0, 0]), (700, "1.5", [0x3F, 0xC0, 0, 0]),
    (1082, "2000-01-02", [0, 0, 0, 1]), (1114, "2000-01-01 00:00:01", [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40]),
    (1184, "2000-01-01 05:30:01+05:30", [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40]),
    (1184, "1999-12-31 19:00:01-05", [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40]),
    (2950, "00010203-0405-0607-0809-0a0b0c0d0e0f", Array(0..<16)), (17, "\\x00ff", [0, 0xFF]),
    (3802, "{\"a\": 1}", [1] + Array("{\"a\": 1}".utf8)),
  ]

  @Test("a hash is the same for a value in text and in binary, and another for another value", arguments: pairs.indices)
  func hashes(_ index: Int) throws {
    let (oid, spelled, binary) = Self.pairs[index]
    let fromText = try #require(hash(oid, Array(spelled.utf8)))
    let fromBinary = try #require(hash(oid, binary, binary: true))
    let type = ValueType(oid)
    let back = KeyedHash(key: Self.key, type: type, isBinary: false).canonical(fromText[...])
    #expect(back == KeyedHash(key: Self.key, type: type, isBinary: true).canonical(fromBinary[...]), "OID \(oid)")
    #expect(fromText != Array(spelled.utf8))
    var other = binary
    // Of a numeric the first digits: the last ones lie behind what is displayed.
    other[oid == 1700 ? 9 : other.count - 1] ^= 1
    #expect(hash(oid, other, binary: true) != fromBinary, "OID \(oid)")
  }

  @Test("hashes keep to the type's bounds")
  func bounds() throws {
    for number in 0..<200 {
      let digits = Array("\(number)".utf8)
      #expect(try #require(Int16(text(hash(21, digits)) ?? "")) >= 0)
      #expect(try #require(Int32(text(hash(23, digits)) ?? "")) >= 0)
      let amount = try #require(text(hash(1700, digits, digits: (3, 2))))
      #expect(amount.hasSuffix(".00") && amount.utf8.count <= 6, "\(amount)")
    }
    // char(n) is padded on the wire; numeric displays its scale: both are the same value.
    #expect(hash(1042, Array("ab   ".utf8)) == hash(1042, Array("ab".utf8)))
    #expect(hash(1700, Array("1.50".utf8)) == hash(1700, Array("1.5".utf8)))
    // Another key, another hash.
    let other = KeyedHash(key: .random(), type: ValueType(25), isBinary: false)
    #expect(other.standIn(Array("a".utf8)[...]) != hash(25, Array("a".utf8)))
  }

  @Test("ranges of dates and numbers begin where they should, below zero too")
  func buckets() {
    let year = Mask.Bucket(date: .year)
    let month = Mask.Bucket(date: .month)
    let hundreds = Mask.Bucket(number: 100)
    for (oid, value, bucket, wanted) in [
      (1082, "1987-06-05", year, "1987-01-01"), (1082, "1987-06-05", month, "1987-06-01"),
      (1082, "infinity", year, "1970-01-01"), (1082, "0044-03-15 BC", year, "1970-01-01"),
      (1114, "1969-12-31 23:59:59.999999", month, "1969-12-01 00:00:00"),
      (1184, "2026-01-01 01:00:00+02", year, "2025-01-01 00:00:00+00"), (23, "1234", hundreds, "1200"),
      (23, "-1", hundreds, "-100"), (20, "-9223372036854775808", hundreds, "0"), (1700, "-0.5", hundreds, "-100"),
      (1700, "99999.99", hundreds, "99900"), (701, "-0.5", hundreds, "-100"), (701, "NaN", hundreds, "0"),
      (23, "1234", year, "0"), (25, "1234", hundreds, "****"), (1082, "1987-06-05", hundreds, "1970-01-01"),
    ] as [(UInt32, String, Mask.Bucket, String)] {
      #expect(text(self.bucket(oid, Array(value.utf8), bucket)) == wanted, "\(value)")
    }
    for (oid, value, binary) in Self.pairs where [21, 23, 20, 1700, 1082, 1114].contains(oid) {
      let both = Mask.Bucket(date: .month, number: 10)
      let type = ValueType(oid)
      let fromText = self.bucket(oid, Array(value.utf8), both) ?? []
      let fromBinary = self.bucket(oid, binary, both, binary: true) ?? []
      #expect(
        KeyedHash(key: Self.key, type: type, isBinary: false).canonical(fromText[...])
          == KeyedHash(key: Self.key, type: type, isBinary: true).canonical(fromBinary[...]), "OID \(oid)")
    }
  }

  @Test(
    "partial: domains, formats, digits of integers",
    arguments: [
      (25, "ana.b@example.org", 0, 0, Mask.Kept.domain, "****@example.org"),
      (25, "ana.b@example.org", 1, 0, .domain, "a****@example.org"), (25, "a@b@c", 1, 0, .domain, "a**@c"),
      (25, "no address", 0, 0, .domain, "****"), (25, "x", 0, 0, .domain, "*"),
      (25, "078-05-1120", 0, 4, .format, "***-**-1120"), (25, "+49 30 12", 0, 0, .format, "+** ** **"),
      (25, "Zo\u{eb}@x.de", 1, 0, .domain, "Z**@x.de"), (20, "4111111111111111", 0, 4, [], "1111"),
      (20, "4111111111111111", 4, 0, [], "4111000000000000"), (23, "-1234", 1, 1, [], "1004"),
      (23, "12", 1, 1, [], "0"),
      (1082, "1987-06-05", 0, 4, [], "1970-01-01"),
    ] as [(UInt32, String, Int, Int, Mask.Kept, String)])
  func partial(_ oid: UInt32, _ value: String, _ first: Int, _ last: Int, _ kept: Mask.Kept, _ wanted: String) {
    let mask = PartialMask(keepFirst: first, keepLast: last, keeping: kept, type: ValueType(oid), isBinary: false)
    #expect(text(mask.standIn(Array(value.utf8)[...])) == wanted)
  }

  @Test("a written-out value is taken where it is one of the type, else what says nothing")
  func fixed() {
    for (oid, value, wanted) in [
      (23, "42", "42"), (21, "70000", nil), (23, "1.5", nil), (1700, "1.50", "1.50"), (16, "true", "t"),
      (16, "maybe", nil),
      (1082, "2020-02-30", nil), (1082, "2020-02-29", "2020-02-29"), (114, "a\"b\n", "\"a\\\"b\\u000a\""),
      (142, "<&>", "&lt;&amp;&gt;"), (2950, "x", nil), (17, "hi", "\\x6869"), (1186, "1 day", nil),
    ] as [(UInt32, String, String?)] {
      #expect(text(ValueType(oid).spelled(value, isBinary: false, maxCharacters: nil)) == wanted, "\(value)")
    }
    #expect(ValueType(23).spelled("42", isBinary: true, maxCharacters: nil) == [0, 0, 0, 42])
    #expect(ValueType(1700).spelled("12345.678", isBinary: true, maxCharacters: nil) == Self.pairs[3].binary)
    #expect(ValueType(1082).spelled("2000-01-02", isBinary: true, maxCharacters: nil) == [0, 0, 0, 1])
  }

  @Test("numeric: text and binary say the same, for all lengths of either side of the point")
  func numeric() throws {
    for spelled in [
      "0", "0.00", "-0.001", "1", "10000", "9999.9999", "-123456789.000001", "0.00001", "100000000", "1.50",
    ] {
      let value = try #require(NumericValue(text: Array(spelled.utf8)[...]))
      let back = try #require(NumericValue(binary: value.binary[...]))
      #expect(String(decoding: back.text, as: UTF8.self) == (spelled == "-0" ? "0" : spelled))
    }
    #expect(NumericValue(text: Array("NaN".utf8)[...]) == nil)
    #expect(NumericValue(binary: [0, 0, 0, 0, 0xC0, 0, 0, 0]) == nil)
    #expect(NumericValue(binary: [0, 9, 0, 0, 0, 0, 0, 0]) == nil)
  }

  @Test("days: there and back over four hundred years, as the calendar has them")
  func calendar() {
    for day in stride(from: -80_000, through: 80_000, by: 1) {
      #expect(CalendarDay(daysSince1970: day).daysSince1970 == day)
    }
    #expect(CalendarDay(daysSince1970: CalendarDay.postgresEpoch).iso == "2000-01-01")
    #expect(CalendarDay(daysSince1970: -1).iso == "1969-12-31")
  }
}

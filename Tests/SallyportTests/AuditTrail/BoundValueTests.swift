import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// Values as a client binds them: format codes, then each with its length.
func bound(_ values: [[UInt8]?], formats: [UInt16] = [], types: [UInt32] = []) -> Parameters {
  func bytes(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
  var encoded = bytes(UInt16(formats.count)) + formats.flatMap(bytes) + bytes(UInt16(values.count))
  for value in values { encoded += bytes(Int32(value?.count ?? -1)) + (value ?? []) }
  var parameters = Parameters(count: values.count, encoded: encoded)
  parameters.types = types
  return parameters
}

/// Bound values in the trail: what is kept, what is not, and what a reader sees of it.
@Suite struct BoundValueTests {
  private let fixture = TrailFixture()
  private let session = AuditedSession("0123456789abc")

  /// What readers see of one statement with these values, and all bytes of its segment.
  private func entry(
    _ parameters: Parameters, _ values: ValueDisclosure = .kept, text: String = "select $1"
  ) throws -> (AuditEntry, Data) {
    let lane = try fixture.lane(in: fixture.directory())
    let shape = RecordContentTests.nothing
    // Twice: the second names the text of the first.
    for id in 1...2 as ClosedRange<UInt64> {
      try lane.permitted(
        CommandID(id), Command(facts: CommandFacts(text: text, shape: shape), parameters: parameters), in: session,
        policy: "p", values: values)
    }
    #expect(try fixture.verify().isSound)
    let records = try fixture.records()
    for record in records { _ = try JSONSerialization.jsonObject(with: Data(record.payload)) }
    let entries = records.compactMap(\.entry)
    #expect(entries.count == 2 && entries[0].binds == entries[1].binds && entries[1].text == entries[0].text)
    return (try #require(entries.last), Data(try fixture.read(1)))
  }

  private func shown(_ parameters: Parameters, _ values: ValueDisclosure = .kept, text: String = "select $1") throws
    -> String?
  {
    try BoundValueTests().entry(parameters, values, text: text).0.binds?.description
  }

  @Test func textIsShownAsTextAndWhatIsNoneAsBytes() throws {
    #expect(
      try shown(bound([Array("7".utf8), nil, Array("O'Hara \"x\"\n".utf8), []])) == "['7', NULL, 'O'Hara \"x\"\n', '']")
    #expect(try shown(bound([[0xFF, 0x00]])) == "[\\xff00]")
    // Binary without a known type is bytes; with one it is what PostgreSQL would write.
    let seven: [UInt8] = [0, 0, 0, 7]
    #expect(try shown(bound([seven], formats: [1])) == "[\\x00000007]")
    #expect(try shown(bound([seven, Array("a".utf8)], formats: [1, 0], types: [23, 25])) == "['7', 'a']")
    #expect(try shown(bound([seven], formats: [1], types: [20])) == "[\\x00000007]", "four bytes are no int8")
  }

  @Test func countsAreReadFromTheValues() throws {
    let (entry, _) = try entry(bound([[1], [2]]))
    #expect(entry.parameters == 2 && entry.parameterBytes == 14)
  }

  @Test func maskedSecretAndOmittedValuesAreNowhereInTheFile() throws {
    let value = Array("078-05-1120".utf8)
    for (disclosure, text, word) in [
      (ValueDisclosure.masked, "select $1", "masked"), (.kept, "update u set password = $1", "secret"),
    ] {
      let fixed = BoundValueTests()
      let (entry, file) = try fixed.entry(bound([value]), disclosure, text: text)
      #expect(entry.binds?.description == word && entry.parameters == 1 && entry.parameterBytes == 19)
      #expect(file.occurrences(of: "078-05") == 0)
    }
    let (entry, file) = try entry(bound([value]), .omitted)
    #expect(entry.binds == nil && entry.parameters == 1 && entry.parameterBytes == 19)
    #expect(file.occurrences(of: "078-05") == 0)
  }

  @Test func aValueThatIsASecretGoesAndTheOthersStay() throws {
    let dsn = Array("postgres://app:hunter2@db/shop".utf8)
    let (entry, file) = try entry(bound([Array("7".utf8), dsn, Array("host=db password=hunter2".utf8), nil]))
    #expect(entry.binds?.description == "['7', secret, secret, NULL]")
    #expect(file.occurrences(of: "hunter2") == 0)
  }

  @Test func longValuesAreCutBetweenCharactersAndManyAreBounded() throws {
    let long = Array("x".utf8) + Array(repeating: Array("é".utf8), count: 5_000).flatMap { $0 }
    let (first, file) = try entry(bound([Array("a".utf8), long, Array(repeating: 0xFF, count: 2_000)]))
    guard case .values(let values) = first.binds else { throw TestFailure("no values") }
    #expect(values.count == 3 && values[0].text == "a" && values[0].bytes == nil)
    #expect(values[1].bytes == 10_001 && values[1].text?.utf8.count == RecordLimits.value - 1)
    #expect(values[2].bytes == 2_000 && values[2].hex?.count == 2 * RecordLimits.value)
    #expect(file.occurrences(of: String(repeating: "é", count: RecordLimits.value)) == 0)

    let many = try BoundValueTests().entry(bound((0..<5_000).map { Array("\($0)".utf8) })).0
    guard case .values(let kept) = many.binds else { throw TestFailure("no values") }
    #expect(many.parameters == 5_000 && (500...1_500).contains(kept.count) && kept[499].text == "499")
  }

  @Test func ofValuesThatAreNotAllHereTheFrontIsKept() throws {
    let whole = bound([Array("a".utf8), Array(repeating: UInt8(ascii: "b"), count: 5_000)]).encoded
    let parameters = Parameters(
      count: 2, front: Array(whole.prefix(100)), byteCount: whole.count, isObtainable: false)
    let (entry, _) = try entry(parameters)
    guard case .values(let values) = entry.binds else { throw TestFailure("no values") }
    #expect(values.count == 2 && values[0].text == "a" && values[1].bytes == 5_000)
    #expect(values[1].text == String(repeating: "b", count: 100 - 13))
    #expect(entry.parameterBytes == whole.count)
  }

  @Test func whateverAClientEncodesTheRecordCanBeRead() throws {
    var generator = SystemRandomNumberGenerator()
    let valid = bound([[0, 0, 0, 7], Array("text".utf8), nil], formats: [1, 0, 0], types: [23, 25, 0])
    let lane = try fixture.lane(in: fixture.directory(), size: 1 << 22)
    var id: UInt64 = 0
    for index in valid.encoded.indices {
      for _ in 0..<3 {
        var changed = valid
        changed.encoded[index] = UInt8.random(in: .min ... .max, using: &generator)
        if Bool.random(using: &generator) { changed.encoded.removeLast(Int.random(in: 0...index, using: &generator)) }
        id += 1
        try lane.permitted(
          CommandID(id),
          Command(facts: CommandFacts(text: "x", shape: RecordContentTests.nothing), parameters: changed), in: session,
          policy: "p")
      }
    }
    let records = try fixture.records()
    #expect(records.count == Int(id))
    for record in records { #expect(record.entry?.binds != nil, "\(String(decoding: record.payload, as: UTF8.self))") }
  }

  @Test(
    arguments: [
      (16, "01", "t"), (17, "00ff", "\\x00ff"), (20, "fffffffffffffffe", "-2"), (21, "8000", "-32768"),
      (23, "7fffffff", "2147483647"), (26, "ffffffff", "4294967295"), (700, "3fc00000", "1.5"),
      (701, "bff8000000000000", "-1.5"), (1082, "00000000", "2000-01-01"), (1082, "ffffd532", "1969-12-31"),
      (1082, "7fffffff", "infinity"), (1114, "0000000000000001", "2000-01-01 00:00:00.000001"),
      (1184, "00000000000f4240", "2000-01-01 00:00:01+00"), (1114, "8000000000000000", "-infinity"),
      (1700, "0002000000000002000109c4", "1.25"), (1700, "0001000140000000 0001", "-10000"),
      (1700, "0001ffff000000040001", "0.0001"), (1700, "00000000c0000000", "NaN"), (1700, "0000000000000002", "0.00"),
      (2950, "000102030405060708090a0b0c0d0e0f", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
      (3802, "017b7d", "{}"), (25, "c3a9", "é"),
      // What does not fit its type, or has none that is known, is not guessed at.
      (23, "00", nil), (16, "02", nil), (1700, "00010000000000002710", nil), (1700, "0003000000000000", nil),
      (2950, "00", nil), (3802, "027b7d", nil), (1007, "00000001", nil), (25, "ff", nil),
      (1114, "7ffffffffffffffe", nil),
    ] as [(UInt32, String, String?)])
  func binaryIsReadAsPostgreSQLWritesIt(_ type: UInt32, _ digits: String, _ text: String?) {
    let clean = Array(digits.utf8).filter { $0 != 0x20 }
    let bytes = stride(from: 0, to: clean.count, by: 2).compactMap {
      UInt8(String(decoding: clean[$0..<($0 + 2)], as: UTF8.self), radix: 16)
    }
    #expect(WireValue.text(bytes, format: 1, type: type) == text)
  }
}

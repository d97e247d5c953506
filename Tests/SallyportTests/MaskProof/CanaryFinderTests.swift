import Crypto
import Foundation
import MaskProof
import Testing

@Suite("Canaries")
struct CanaryFinderTests {
  private let canaries = Canaries(seed: 11)
  private var finder: CanaryFinder { CanaryFinder(canaries) }
  private var text: String { canaries.people[0].code }
  private var number: Int64 { canaries.people[0].pin }

  @Test("each is found however it is spelled")
  func spellings() {
    let bytes = Array(text.utf8)
    let codes = bytes.map { String($0) }
    let spelled: [String: String] = [
      "as it is": text, "in capitals": text.uppercased(), "reversed": String(text.reversed()),
      "its middle": String(text.dropFirst(5).prefix(6)), "in a sentence": "value \"\(text)\" is none",
      "with blanks": text.map(String.init).joined(separator: " "),
      "as an array": "{\(text.map(String.init).joined(separator: ","))}",
      "hexadecimal": bytes.map { String(format: "%02X", $0) }.joined(),
      "base64": Data(bytes).base64EncodedString(), "base64 behind one byte": Data([9] + bytes).base64EncodedString(),
      "base64 behind two": Data([9, 9] + bytes).base64EncodedString(), "codes": codes.joined(separator: ", "),
      "md5": Insecure.MD5.hash(data: bytes).map { String(format: "%02x", $0) }.joined(),
      "sha256": SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined(),
      "number": "\(number)", "negative": "-\(number).000", "grouped": "1,\(number)",
      "hexadecimal number": String(number, radix: 16),
      "a piece of a number": String("\(number)".suffix(9)),
    ]
    for (name, text) in spelled { #expect(finder.find(in: Array(text.utf8)) != nil, "\(name): \(text)") }
    let binary: [String: [UInt8]] = [
      "int8": withUnsafeBytes(of: number.bigEndian) { Array($0) },
      "float8": withUnsafeBytes(of: Double(number).bitPattern.bigEndian) { Array($0) },
      "digest": Array(SHA256.hash(data: bytes)),
      "int4 codes": bytes.flatMap { [0, 0, 0, $0] },
    ]
    for (name, bytes) in binary { #expect(finder.find(in: bytes) != nil, "\(name): \(bytes)") }
    // Spread over rows and columns.
    #expect(finder.find(inRows: bytes.map { [[$0], Array("x".utf8)] }) != nil)
    #expect(finder.find(inRows: [bytes.map { [$0] }]) != nil)
  }

  @Test("nothing else is taken for one")
  func others() {
    for text in [
      "****", "", "Seq Scan on people (cost=0.00..11.75 rows=4 width=84) (actual time=0.006..0.007 rows=4 loops=1)",
      "0123456789abcdef0123456789abcdef0123456789abcdef", "1970-01-01 00:00:00+00",
      "the quick brown fox 31415926535897",
      String(repeating: "ghjkm", count: 40), "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
    ] {
      #expect(finder.find(in: Array(text.utf8)) == nil, "\(text)")
    }
  }

  @Test("one seed makes the same statements and canaries, another others")
  func seeds() {
    let schema = ScratchSchema(name: "scratch", canaries: canaries)
    func texts(_ seed: UInt64) -> [String] {
      (1...50).map { Grammar.statement(Choices(seed: seed, number: $0), schema: schema).text }
    }
    #expect(texts(3) == texts(3))
    #expect(Set(texts(3)).intersection(texts(4)).count < 25)
    #expect(Canaries(seed: 3).texts == Canaries(seed: 3).texts)
    #expect(Set(Canaries(seed: 3).texts).isDisjoint(with: Canaries(seed: 4).texts))
    let statement = Grammar.statement(Choices(seed: 3, number: 9), schema: schema)
    #expect(Grammar.statement(Choices(statement.choices), schema: schema).text == statement.text)
  }

  @Test("choices are made fewer and smaller as long as they show the same")
  func shrinking() {
    let choices: [UInt32] = [9, 4, 17, 3, 8, 250, 6, 2, 2, 90]
    let shrunk = Shrinking().shrink(choices) { $0.contains { $0 >= 100 } }
    #expect(shrunk == [250])
    var tries = 0
    _ = Shrinking(tries: 25).shrink(choices) { _ in
      tries += 1
      return false
    }
    #expect(tries == 25)
  }
}

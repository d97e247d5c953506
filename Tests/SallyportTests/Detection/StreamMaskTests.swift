import Detection
import Testing

@Suite("Detection: masks of streams")
struct StreamMaskTests {
  private func masked(_ text: String, cut: Int, pausing: Bool = false) -> String {
    var mask = StreamMask(naming: DetectorSet())
    var out: [UInt8] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: cut) {
      out += mask.feed(Array(bytes[start..<min(start + cut, bytes.count)]))
    }
    out += mask.flush()
    return String(decoding: out, as: UTF8.self)
  }

  @Test(
    "What is found is replaced, wherever the stream was cut, and everything else arrives",
    arguments: [
      ("card 4111 1111 1111 1111 ends", "card [credit-card] ends"),
      ("4111111111111111", "[credit-card]"),
      ("nothing here\n", "nothing here\n"),
      ("mail ana@example.org, card 4111111111111111\nrest", "mail [email], card [credit-card]\nrest"),
      // Colours within it do not hide it, and are passed on.
      ("\u{1b}[31m4111\u{1b}[0m111111111111\u{1b}[1m!", "\u{1b}[31m[credit-card]\u{1b}[0m\u{1b}[1m!"),
      ("\u{1b}[31", "\u{1b}[31"), ("\u{1b}\u{1b}[1mx", "\u{1b}\u{1b}[1mx"), ("a\u{1b}]0;t\u{7}b", "a\u{1b}]0;t\u{7}b"),
    ])
  func cuts(_ text: String, _ expected: String) {
    for cut in 1...max(1, text.utf8.count) { #expect(masked(text, cut: cut) == expected, "cut by \(cut)") }
  }

  @Test("Bytes that are no text arrive as they are, and little is held back")
  func bytes() {
    var mask = StreamMask(naming: DetectorSet())
    var out: [UInt8] = []
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) & 0x9F | 0x80 }
    for start in stride(from: 0, to: bytes.count, by: 1_000) {
      out += mask.feed(Array(bytes[start..<start + 1_000]))
      #expect(start + 1_000 - out.count < 16_384)
    }
    out += mask.flush()
    #expect(out == bytes)
  }
}

import AccessModel
import SQLAnalysis
import Testing

@Suite("SQL corpora")
struct SQLCorpusTests {
  @Test func corporaAreThere() {
    #expect(CorpusEntry.evasions.count >= 60)
    #expect(CorpusEntry.ordinary.count >= 60)
    #expect(CorpusEntry.all.allSatisfy { !$0.expected.isEmpty })
  }

  @Test("each text is what the corpus says", arguments: CorpusEntry.all)
  func matches(_ entry: CorpusEntry) {
    let facts = SQLAnalyzer.analyze(entry.text).facts
    for (key, value) in entry.expected {
      #expect(facts[key] == value, "\(key) of \(entry.file):\(entry.line)")
    }
    if entry.expected["why"] == nil { #expect(facts["why"] == "") }
    if entry.expected["unsafe"] == nil { #expect(facts["unsafe"] == "") }
  }

  /// A corpus text before or after another may hide nothing of it.
  @Test func aTextInCompanyKeepsItsEffects() {
    for entry in CorpusEntry.all {
      let alone = SQLAnalyzer.analyze(entry.text)
      if alone.detail.misunderstood != nil { continue }
      let company = SQLAnalyzer.analyze("SELECT 1;\n\(entry.text)\n;SELECT 2")
      // Not every text can be followed by another: a dollar quote or a comment may be what it is about.
      if company.detail.misunderstood != nil { continue }
      #expect(company.effects.isSuperset(of: alone.effects), "\(entry.file):\(entry.line)")
    }
  }

  @Test func everyTruncationIsBorne() {
    var analysed = 0
    for entry in CorpusEntry.all {
      var text = entry.text
      while !text.isEmpty {
        text.unicodeScalars.removeLast()
        let analysis = SQLAnalyzer.analyze(text)
        #expect(analysis.detail.misunderstood == nil || analysis.effects.isUnknown)
        analysed += 1
      }
    }
    #expect(analysed > 10_000)
  }

  @Test func everyOneByteChangeIsBorne() {
    let seed = UInt64.random(in: .min ... .max)
    print("one-byte changes: seed \(seed)")
    var random = SplitMix(state: seed)
    for _ in 0..<20_000 {
      guard let entry = CorpusEntry.all.randomElement(using: &random) else { continue }
      var bytes = Array(entry.text.utf8)
      if bytes.isEmpty { continue }
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
      let analysis = bytes.withUnsafeBytes { SQLAnalyzer.analyze(bytes: $0) }
      if analysis.detail.misunderstood != nil {
        #expect(analysis.effects.isUnknown && analysis.footprint == .everything, "seed \(seed)")
      }
    }
  }
}

/// A small generator that a seed repeats.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

import AccessModel
import SQLAnalysis
import Testing

@Suite("Analysis cache")
struct AnalysisCacheTests {
  private func find(_ text: String, in cache: inout AnalysisCache) -> Analysis? {
    Array(text.utf8).withUnsafeBytes { cache.find($0) }
  }

  @Test func findsTheSameObjectByExactBytes() {
    var cache = AnalysisCache()
    let analysis = SQLAnalyzer.analyze("SELECT 'é' FROM customers")
    cache.insert(analysis, epoch: cache.epoch)
    #expect(find("SELECT 'é' FROM customers", in: &cache) === analysis)
    #expect(find("SELECT 'é' FROM Customers", in: &cache) == nil)
    #expect(find("SELECT 'é' FROM customers ", in: &cache) == nil)
    // The same characters in other bytes are another text, though Swift's == calls them equal.
    #expect(find("SELECT 'e\u{301}' FROM customers", in: &cache) == nil)
    #expect(find("", in: &cache) == nil)
  }

  @Test func anEpochEndsAll() {
    var cache = AnalysisCache()
    let analysis = SQLAnalyzer.analyze("SELECT f()")
    cache.insert(analysis, epoch: cache.epoch)
    let old = cache.epoch
    cache.advance()
    #expect(find("SELECT f()", in: &cache) == nil && cache.count == 0 && cache.bytes == 0)
    cache.insert(analysis, epoch: old)
    #expect(find("SELECT f()", in: &cache) == nil, "begun before the epoch ended")
    cache.insert(analysis, epoch: cache.epoch)
    #expect(find("SELECT f()", in: &cache) === analysis)
  }

  @Test func mendedTextIsNotKept() {
    var cache = AnalysisCache()
    let analysis = ([0xff] as [UInt8]).withUnsafeBytes { SQLAnalyzer.analyze(bytes: $0) }
    cache.insert(analysis, epoch: 0)
    #expect(cache.count == 0)
  }

  @Test func whatIsUsedOutlivesWhatIsNot() {
    var cache = AnalysisCache(entryLimit: 4)
    for number in 0..<4 { cache.insert(SQLAnalyzer.analyze("SELECT \(number)"), epoch: 0) }
    for number in 4..<40 {
      #expect(find("SELECT 0", in: &cache) != nil)
      cache.insert(SQLAnalyzer.analyze("SELECT \(number)"), epoch: 0)
    }
    #expect(cache.count == 4)
    #expect(find("SELECT 39", in: &cache) != nil)
    #expect(find("SELECT 5", in: &cache) == nil)
  }

  @Test func bytesHaveABound() {
    var cache = AnalysisCache(entryLimit: 1_000, byteLimit: 16_000)
    for number in 0..<100 {
      cache.insert(SQLAnalyzer.analyze("SELECT \(number) -- " + String(repeating: "x", count: 500)), epoch: 0)
      #expect(cache.bytes <= 16_000)
    }
    #expect(cache.count > 5 && cache.count < 20)
    let count = cache.count
    cache.insert(SQLAnalyzer.analyze("SELECT -- " + String(repeating: "x", count: 8_000)), epoch: 0)
    #expect(cache.count == count, "a text of a quarter of the cache is not worth it")
  }

  /// Small tables collide and wrap around all the time: every text that the cache counts must be found, and as itself.
  @Test func theTableStaysWholeUnderEviction() {
    let seed = UInt64.random(in: .min ... .max)
    print("analysis cache: seed \(seed)")
    var random = SplitMix(state: seed)
    let analyses = (0..<200).map { SQLAnalyzer.analyze("SELECT \($0)") }
    for limit in [1, 2, 3, 7, 64] {
      var cache = AnalysisCache(entryLimit: limit)
      for _ in 0..<3_000 {
        guard let analysis = analyses.randomElement(using: &random) else { continue }
        if Bool.random(using: &random) {
          cache.insert(analysis, epoch: 0)
          #expect(find(analysis.text, in: &cache) === analysis, "seed \(seed)")
        } else if let found = find(analysis.text, in: &cache) {
          #expect(found === analysis, "seed \(seed)")
        }
      }
      let found = analyses.filter { find($0.text, in: &cache) != nil }.count
      #expect(found == cache.count && cache.count == limit, "seed \(seed)")
    }
  }
}

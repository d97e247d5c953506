import AccessModel
import Foundation
import Synchronization
import Testing

@testable import SQLAnalysis

/// Runs `body` on a thread with a stack of that many bytes; nil when it does not end within a minute.
func onStack<Value: Sendable>(_ size: Int, _ body: @escaping @Sendable () -> Value) -> Value? {
  let result = ResultBox<Value>()
  let thread = Thread {
    let value = body()
    result.value.withLock { $0 = value }
    result.done.signal()
  }
  thread.stackSize = size
  thread.start()
  guard result.done.wait(timeout: .now() + 60) == .success else { return nil }
  return result.value.withLock { $0 }
}

private final class ResultBox<Value: Sendable>: Sendable {
  let value = Mutex<Value?>(nil)
  let done = DispatchSemaphore(value: 0)
}

@Suite("Long and deep texts")
struct LargeTextTests {
  /// Texts of about `size` bytes that are as deep as each construct allows.
  static func hostile(_ size: Int) -> [String] {
    func chain(_ start: String, _ link: String, _ end: String = "", limit: Int = .max) -> String {
      let count = max(0, min(limit, (size - start.utf8.count) / (link.utf8.count + end.utf8.count)))
      return start + String(repeating: link, count: count) + "1" + String(repeating: end, count: count)
    }
    return [
      chain("SELECT 1", "+1"), chain("SELECT 1", " UNION SELECT 1"), chain("SELECT 1", "::a"), chain("SELECT ", "+"),
      chain("SELECT ", "(", ")"), chain("SELECT ", "(+", ")"), chain("SELECT ", "(SELECT ", ")"),
      chain("SELECT ", "NOT "), chain("SELECT ", "(1,", ")"), chain("SELECT ", "ARRAY[", "]"),
      chain("SELECT ", "f(", ")"), chain("SELECT (1)", ".a"), chain("SELECT 1", " OR 1 AND 1"), chain("SELECT 1", ",1"),
      chain("SELECT FROM a", " CROSS JOIN a"), chain("SELECT 1", " COLLATE a"), chain("SELECT 1", " IS TRUE"),
      chain("", "SELECT 1;"), chain("WITH a AS (SELECT 1)", ",a AS (TABLE a)"),
      chain("SELECT CASE WHEN ", "CASE WHEN "), chain("SELECT ", "WITH a AS (", ")"),
      chain("DELETE FROM t WHERE a = ", "NOT (a OR ", ")"),
    ]
  }

  /// An eighth of what Linux gives a thread. They die on 512 KiB.
  @Test func inlineTextsFitOneMebibyte() {
    let done = onStack(1 << 20) {
      LargeTextTests.hostile(SQLAnalyzer.inlineLimit).map { SQLAnalyzer.analyze($0).detail.misunderstood }
    }
    #expect(done?.count == LargeTextTests.hostile(100).count)
  }

  @Test func longTextsFitTheLargeStack() {
    for text in LargeTextTests.hostile(64 << 10) {
      #expect(onStack(LargeStackAnalyzer.stackSize) { SQLAnalyzer.analyze(text).text.utf8.count } == text.utf8.count)
    }
  }

  @Test func theLongestChainFitsTheLargeStack() {
    let text = "SELECT 1" + String(repeating: "+1", count: (SQLAnalyzer.textLimit - 8) / 2)
    #expect(text.utf8.count == SQLAnalyzer.textLimit)
    #expect(onStack(LargeStackAnalyzer.stackSize) { SQLAnalyzer.analyze(text).detail.misunderstood } == .tooDeep)
  }

  @Test func chainsOfSomeThousandOperatorsAreUnderstood() {
    let text = "SELECT a" + String(repeating: "||a", count: 5_000) + " FROM t"
    #expect(onStack(LargeStackAnalyzer.stackSize) { SQLAnalyzer.analyze(text).footprint.description } == "t:read")
  }

  @Test func runsOfSignsAreRefusedAndBannersAreNot() {
    let signs = "SELECT " + String(repeating: "+", count: 4_000) + "1"
    #expect(SQLAnalyzer.analyze(signs).detail.misunderstood == .tooDeep)
    let banner = "--" + String(repeating: "-", count: 5_000) + "\n"
    #expect(SQLAnalyzer.analyze(banner + "SELECT 1").effects == .read)
  }

  @Test func theAnalyserAnswersOnItsOwnThread() {
    let analyzer = LargeStackAnalyzer()
    let text = "SELECT a FROM t WHERE x IN (1" + String(repeating: ",1", count: 20_000) + ")"
    let box = ResultBox<Analysis>()
    let isTaken = analyzer.submit(text) { analysis in
      box.value.withLock { $0 = analysis }
      box.done.signal()
    }
    #expect(isTaken)
    #expect(box.done.wait(timeout: .now() + 60) == .success)
    #expect(box.value.withLock { $0?.footprint.description } == "t:read")
  }

  @Test func theAnalyserRefusesWhatIsTooLongOrTooMuch() {
    let analyzer = LargeStackAnalyzer(queueLimit: 1)
    let box = ResultBox<SQLMisunderstanding>()
    let isTaken = analyzer.submit(String(repeating: " ", count: SQLAnalyzer.textLimit + 1)) { analysis in
      box.value.withLock { $0 = analysis.detail.misunderstood }
    }
    #expect(isTaken && box.value.withLock { $0 } == .tooLong(limit: SQLAnalyzer.textLimit))

    // The only thread is held up in a completion, one text waits, the next is one too many.
    let gate = DispatchSemaphore(value: 0), started = DispatchSemaphore(value: 0)
    #expect(
      analyzer.submit("SELECT 1") { _ in
        started.signal()
        gate.wait()
      })
    #expect(started.wait(timeout: .now() + 60) == .success)
    #expect(analyzer.submit("SELECT 2") { _ in started.signal() })
    #expect(!analyzer.submit("SELECT 3") { _ in })
    analyzer.stop()
    #expect(!analyzer.submit("SELECT 4") { _ in })
    gate.signal()
    #expect(started.wait(timeout: .now() + 60) == .success, "what waited is still done after stop")
  }
}

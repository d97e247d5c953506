import AccessModel
import Dispatch
import Foundation
import Synchronization

/// Analyses long texts on threads of its own, whose stacks hold what the worst text of `SQLAnalyzer.textLimit` needs.
public final class LargeStackAnalyzer: Sendable {
  /// Bytes of address space per thread; memory is taken only as far as the stack grows.
  public static let stackSize = 256 << 20

  private struct Job: Sendable {
    var text: String
    var functions: FunctionCatalog
    var names: NameContext?
    var completion: @Sendable (Analysis) -> Void
  }

  private struct Waiting: Sendable {
    var jobs: [Job] = []
    var isStopped = false
  }

  /// What the threads share; they do not keep the analyser alive.
  private final class Queue: Sendable {
    let waiting = Mutex(Waiting())
    let signal = DispatchSemaphore(value: 0)
  }

  private let queue = Queue()
  private let queueLimit: Int
  private let threads: Int

  /// Starts `threads` threads. `queueLimit` texts may wait.
  public init(threads: Int = 1, queueLimit: Int = 64) {
    self.threads = max(threads, 1)
    self.queueLimit = max(queueLimit, 1)
    for _ in 0..<self.threads {
      let queue = queue
      let thread = Thread { LargeStackAnalyzer.work(queue) }
      thread.stackSize = LargeStackAnalyzer.stackSize
      thread.name = "sql-analysis"
      thread.start()
    }
  }

  deinit { stop() }

  /// Analyses the text and hands the result to `completion`, on a thread of ours, or at once when the text is longer
  /// than `SQLAnalyzer.textLimit`.
  ///
  /// Returns false, without ever calling `completion`, when too many texts wait or after `stop`.
  public func submit(
    _ text: String, functions: FunctionCatalog = .empty, names: NameContext? = nil,
    completion: @escaping @Sendable (Analysis) -> Void
  ) -> Bool {
    if text.utf8.count > SQLAnalyzer.textLimit {
      completion(Analysis(text: text, misunderstood: .tooLong(limit: SQLAnalyzer.textLimit)))
      return true
    }
    let isTaken = queue.waiting.withLock { waiting in
      guard !waiting.isStopped, waiting.jobs.count < queueLimit else { return false }
      waiting.jobs.append(Job(text: text, functions: functions, names: names, completion: completion))
      return true
    }
    if isTaken { queue.signal.signal() }
    return isTaken
  }

  /// Takes no more texts and ends the threads once those that wait are done.
  public func stop() {
    queue.waiting.withLock { $0.isStopped = true }
    for _ in 0..<threads { queue.signal.signal() }
  }

  private static func work(_ queue: Queue) {
    while true {
      queue.signal.wait()
      let (job, isStopped) = queue.waiting.withLock { waiting in
        (waiting.jobs.isEmpty ? nil : waiting.jobs.removeFirst(), waiting.isStopped)
      }
      if let job {
        job.completion(SQLAnalyzer.analyze(job.text, functions: job.functions, names: job.names))
      } else if isStopped {
        return
      }
    }
  }
}

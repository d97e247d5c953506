import Dispatch
import Foundation
import Synchronization

/// The signals that a server acts on, in the order in which they come. Used by one thread.
final class SignalQueue {
  /// What the handlers of the sources share with the thread that waits.
  private final class Arrivals: Sendable {
    let semaphore = DispatchSemaphore(value: 0)
    let names = Mutex<[String]>([])
  }

  private let arrivals = Arrivals()
  private let sources: [any DispatchSourceSignal]

  /// From here on the signals do nothing else.
  init(_ signals: [(number: Int32, name: String)]) {
    sources = signals.map { [arrivals] number, name in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        arrivals.names.withLock { $0.append(name) }
        arrivals.semaphore.signal()
      }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }

  /// The next signal's name; nil when none comes in time. Without a bound it waits for ever.
  func next(within seconds: Double? = nil) -> String? {
    if let seconds {
      guard arrivals.semaphore.wait(timeout: .now() + seconds) == .success else { return nil }
    } else {
      arrivals.semaphore.wait()
    }
    return arrivals.names.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }
}

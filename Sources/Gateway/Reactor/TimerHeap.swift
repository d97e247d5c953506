import NIOConcurrencyHelpers
import NIOCore

/// Timers by deadline: a binary heap. A cancelled timer stays until its time comes, without what it would have done.
struct TimerHeap {
  final class Timer: Sendable {
    let deadline: NIODeadline
    private let task: NIOLockedValueBox<(@Sendable () -> Void)?>

    init(at deadline: NIODeadline, _ task: @escaping @Sendable () -> Void) {
      self.deadline = deadline
      self.task = NIOLockedValueBox(task)
    }

    /// From any thread.
    func cancel() { task.withLockedValue { $0 = nil } }

    fileprivate func take() -> (@Sendable () -> Void)? {
      task.withLockedValue { task in
        defer { task = nil }
        return task
      }
    }

    fileprivate var isCancelled: Bool { task.withLockedValue { $0 == nil } }
  }

  private var heap: [Timer] = []

  var isEmpty: Bool { heap.isEmpty }
  /// When the next one is due.
  var next: NIODeadline? { heap.first?.deadline }

  mutating func push(_ timer: Timer) {
    if heap.count >= 64, heap.count == heap.capacity { sweep() }
    heap.append(timer)
    var index = heap.count - 1
    while index > 0, heap[index].deadline < heap[(index - 1) / 2].deadline {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  /// Takes out the next timer that is due and not cancelled, and returns what it does.
  mutating func popDue(_ now: NIODeadline) -> (@Sendable () -> Void)? {
    while let first = heap.first, first.deadline <= now {
      removeFirst()
      if let task = first.take() { return task }
    }
    return nil
  }

  /// Connections come and go faster than their deadlines: before the heap grows, it is rid of those cancelled.
  private mutating func sweep() {
    let live = heap.filter { !$0.isCancelled }
    // An array in order is a heap.
    heap = live.sorted { $0.deadline < $1.deadline }
    heap.reserveCapacity(max(64, live.count * 2))
  }

  private mutating func removeFirst() {
    let last = heap.removeLast()
    guard !heap.isEmpty else { return }
    heap[0] = last
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
        if heap[child].deadline < heap[least].deadline { least = child }
      }
      if least == index { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}

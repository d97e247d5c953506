import CEpoll
import Foundation
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Something that epoll watches for a reactor.
protocol Polled: AnyObject {
  /// What epoll says of it, in epoll's bits. Called on the reactor's thread.
  func ready(_ events: UInt32)
}

/// One thread with its sockets: waits for them by epoll, level-triggered, and runs what concerns them to its end.
///
/// It is a SwiftNIO event loop without SwiftNIO's channels, so that futures, deadlines and `NIOLoopBound` work on it.
/// One turn costs one `epoll_wait`, and for each ready socket one `read` and what it makes necessary to write.
///
/// Sendable although it holds mutable state: `inbox` is behind a lock; `poll`, `wakeup` and `thread` are written before
/// `init` returns and never again; all the rest is touched on the reactor's own thread only, which `register`, `modify`
/// and `forget` check.
final class Reactor: EventLoop, @unchecked Sendable {
  private struct Inbox {
    var jobs: [@Sendable () -> Void] = []
    var isWoken = false
    var isStopping = false
  }

  /// What one slot of the table of descriptors holds; the generation tells a socket from one that had its number before.
  private struct Slot {
    var polled: (any Polled)?
    var generation: UInt32 = 0
  }

  private let poll: Int32
  private let wakeup: Int32
  private var thread = pthread_t()
  private let ended = DispatchSemaphore(value: 0)
  private let inbox = NIOLockedValueBox(Inbox())
  /// Whether there is anything new in it: looked at with each turn, which takes no lock.
  private let hasMail = Atomic(false)
  private var slots: [Slot] = []
  private var timers = TimerHeap()
  /// Where sockets are read into; passed on as slices, and used again once nobody holds one.
  private var buffer = ByteBuffer()

  /// Bytes that one read takes at most.
  static let readSize = 256 << 10
  /// Events that one turn takes at most.
  private static let eventLimit = 256

  /// Starts the thread. Throws when the kernel has no descriptors left.
  init(name: String) throws {
    poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard poll >= 0, wakeup >= 0 else { throw IOError(errnoCode: errno, reason: "epoll") }
    watch(wakeup, UInt32(EPOLLIN.rawValue), EPOLL_CTL_ADD, UInt64.max)
    let started = DispatchSemaphore(value: 0)
    let thread = Thread { [self] in
      self.thread = pthread_self()
      started.signal()
      run()
      ended.signal()
    }
    thread.name = name
    // SQL up to SQLAnalyzer.inlineLimit is parsed here.
    thread.stackSize = 8 << 20
    thread.start()
    started.wait()
  }

  deinit {
    Glibc.close(poll)
    Glibc.close(wakeup)
  }

  /// Ends the thread, after the jobs that wait. What is still open is closed. Not to be called on the reactor.
  func stop() {
    inbox.withLockedValue { $0.isStopping = true }
    hasMail.store(true, ordering: .releasing)
    wake()
    ended.wait()
  }

  // MARK: Descriptors

  /// Has a descriptor watched. Returns false when the kernel refuses.
  func register(_ descriptor: Int32, _ polled: any Polled, _ events: UInt32) -> Bool {
    preconditionInEventLoop()
    let index = Int(descriptor)
    while slots.count <= index { slots.append(Slot()) }
    slots[index].generation &+= 1
    slots[index].polled = polled
    return watch(descriptor, events, EPOLL_CTL_ADD, tag(descriptor)) == 0
  }

  func modify(_ descriptor: Int32, _ events: UInt32) {
    preconditionInEventLoop()
    watch(descriptor, events, EPOLL_CTL_MOD, tag(descriptor))
  }

  /// To be called before the descriptor is closed.
  func forget(_ descriptor: Int32) {
    preconditionInEventLoop()
    guard slots.indices.contains(Int(descriptor)) else { return }
    watch(descriptor, 0, EPOLL_CTL_DEL, 0)
    slots[Int(descriptor)].polled = nil
  }

  private func tag(_ descriptor: Int32) -> UInt64 {
    UInt64(slots[Int(descriptor)].generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
  }

  @discardableResult
  private func watch(_ descriptor: Int32, _ events: UInt32, _ operation: Int32, _ tag: UInt64) -> Int32 {
    var event = epoll_event()
    event.events = events
    event.data.u64 = tag
    return epoll_ctl(poll, operation, descriptor, &event)
  }

  /// Lends the reactor's read buffer, empty and with room for `readSize` bytes.
  func withReadBuffer(_ body: (inout ByteBuffer) -> Void) {
    var lent = ByteBuffer()
    swap(&lent, &buffer)
    // Whoever still holds a slice keeps the storage, and a new one is made.
    lent.clear(minimumCapacity: Reactor.readSize)
    body(&lent)
    swap(&lent, &buffer)
  }

  // MARK: The thread

  private func run() {
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Reactor.eventLimit)
    defer { events.deallocate() }
    var now = NIODeadline.now()
    while true {
      let count = epoll_wait(poll, events, Int32(Reactor.eventLimit), timeout(since: now))
      now = .now()
      for index in 0..<max(0, Int(count)) { dispatch(events[index]) }
      if !timers.isEmpty { fireTimers(now) }
      if runJobs() { break }
    }
    for slot in slots { (slot.polled as? any Closable)?.close() }
    slots.removeAll()
  }

  private func dispatch(_ event: epoll_event) {
    guard event.data.u64 != .max else {
      var count: UInt64 = 0
      _ = Glibc.read(wakeup, &count, 8)
      return
    }
    let index = Int(UInt32(truncatingIfNeeded: event.data.u64))
    // An earlier event of this turn can have closed it, or given its number to another.
    guard index < slots.count, slots[index].generation == UInt32(event.data.u64 >> 32),
      let polled = slots[index].polled
    else { return }
    polled.ready(event.events)
  }

  /// ms from `now`, of a moment ago, until the next timer, rounded up; -1 for no limit.
  private func timeout(since now: NIODeadline) -> Int32 {
    guard let next = timers.next else { return -1 }
    let rest = (next - now).nanoseconds
    return rest <= 0 ? 0 : Int32(min(rest / 1_000_000 + 1, 60_000))
  }

  private func fireTimers(_ now: NIODeadline) {
    while let task = timers.popDue(now) { task() }
  }

  /// Runs what others asked for. Returns true when the thread is to end.
  private func runJobs() -> Bool {
    var mustStop = false
    while hasMail.load(ordering: .acquiring) {
      // Before the box is opened: whoever puts something in after that raises it again.
      hasMail.store(false, ordering: .relaxed)
      let (jobs, isStopping) = inbox.withLockedValue { inbox in
        inbox.isWoken = false
        defer { inbox.jobs.removeAll() }
        return (inbox.jobs, inbox.isStopping)
      }
      mustStop = isStopping
      for job in jobs { job() }
    }
    return mustStop
  }

  private func wake() {
    var one: UInt64 = 1
    _ = Glibc.write(wakeup, &one, 8)
  }

  // MARK: EventLoop

  var inEventLoop: Bool { pthread_equal(pthread_self(), thread) != 0 }

  func execute(_ task: @escaping @Sendable () -> Void) {
    let mustWake = inbox.withLockedValue { inbox in
      inbox.jobs.append(task)
      defer { inbox.isWoken = true }
      return !inbox.isWoken
    }
    hasMail.store(true, ordering: .releasing)
    // What our own thread asks for, it comes to at the end of this turn.
    if mustWake, !inEventLoop { wake() }
  }

  func scheduleTask<T>(deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
    let promise = makePromise(of: T.self)
    let timer = TimerHeap.Timer(at: deadline) {
      // It runs on this loop's thread, where what it makes stays.
      promise.assumeIsolated().completeWith(Result { try task() })
    }
    let scheduled = Scheduled(promise: promise) { timer.cancel() }
    if inEventLoop { timers.push(timer) } else { execute { [self] in timers.push(timer) } }
    return scheduled
  }

  func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
    scheduleTask(deadline: .now() + delay, task)
  }

  func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
    inbox.withLockedValue { $0.isStopping = true }
    hasMail.store(true, ordering: .releasing)
    wake()
    queue.async { callback(nil) }
  }
}

/// A descriptor's owner that can be told to let go of it.
protocol Closable: AnyObject {
  func close()
}

import AccessModel
import Dispatch
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Gateway

/// Remembers what a stream told it; used on the reactor's thread, read once that is idle.
private final class Ear: StreamOwner {
  var bytes = 0
  var first = ByteBuffer()
  var hasEnded = false
  var drained = 0
  let ended = DispatchSemaphore(value: 0)
  let full = DispatchSemaphore(value: 0)
  private let wanted: Int

  init(wanted: Int = .max) { self.wanted = wanted }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    self.bytes += bytes.readableBytes
    if first.readableBytes < 64 { first.writeImmutableBuffer(bytes) }
    if self.bytes >= wanted { full.signal() }
  }
  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) { drained += 1 }
  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    hasEnded = true
    ended.signal()
  }
}

@Suite("Reactor", .timeLimit(.minutes(1)))
struct ReactorTests {
  /// Two ends of one connection on one reactor. What the body is given it may use on the reactor's thread only.
  private func withPair(
    wanted: Int = .max,
    _ body: (Reactor, NIOLoopBound<(near: StreamSocket, far: StreamSocket, ear: Ear)>) throws -> Void
  ) throws {
    let reactor = try Reactor(name: "reactor-test")
    defer { reactor.stop() }
    let pair = try reactor.submit {
      var ends: [Int32] = [0, 0]
      guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0 else {
        throw IOError(errnoCode: errno, reason: "socketpair")
      }
      let near = try #require(StreamSocket(ends[0], peer: nil, on: reactor))
      let far = try #require(StreamSocket(ends[1], peer: nil, on: reactor))
      let ear = Ear(wanted: wanted)
      far.owner = ear
      return NIOLoopBound((near: near, far: far, ear: ear), eventLoop: reactor)
    }.wait()
    try body(reactor, pair)
  }

  @Test("Timers fire in the order of their deadlines; a cancelled one does not")
  func timers() throws {
    let reactor = try Reactor(name: "reactor-timers")
    defer { reactor.stop() }
    let fired = NIOLockedValueBox<[Int]>([])
    let start = NIODeadline.now() + .milliseconds(20)
    let timers = [3, 1, 4, 0, 2].map { number in
      reactor.scheduleTask(deadline: start + .milliseconds(Int64(number) * 5)) {
        fired.withLockedValue { $0.append(number) }
      }
    }
    timers[2].cancel()
    for (number, timer) in zip([3, 1, 4, 0, 2], timers) where number != 4 { try timer.futureResult.wait() }
    #expect(fired.withLockedValue { $0 } == [0, 1, 2, 3])
    #expect(throws: (any Error).self) { try timers[2].futureResult.wait() }
  }

  @Test("A heap of timers gives them out in order, and forgets cancelled ones before it grows")
  func heap() {
    var heap = TimerHeap()
    let start = NIODeadline.now()
    let order = NIOLockedValueBox<[Int64]>([])
    var state: UInt64 = 7
    for round in 0..<2_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let delay = Int64(state >> 40)
      let timer = TimerHeap.Timer(at: start + .nanoseconds(delay)) { order.withLockedValue { $0.append(delay) } }
      heap.push(timer)
      if !round.isMultiple(of: 3) { timer.cancel() }
    }
    while let task = heap.popDue(start + .hours(1)) { task() }
    let fired = order.withLockedValue { $0 }
    #expect(fired.count == 667 && fired == fired.sorted())
    #expect(heap.isEmpty)
  }

  @Test("Jobs from other threads run in order, on the reactor's thread, also those asked for meanwhile")
  func jobs() throws {
    let reactor = try Reactor(name: "reactor-jobs")
    let seen = NIOLockedValueBox<[Int]>([])
    for number in 0..<100 {
      reactor.execute {
        #expect(reactor.inEventLoop)
        seen.withLockedValue { $0.append(number) }
        if number == 50 { reactor.execute { seen.withLockedValue { $0.append(1_000) } } }
      }
    }
    // The end comes after what was asked for before it.
    reactor.stop()
    let all = seen.withLockedValue { $0 }
    #expect(all.filter { $0 < 1_000 } == Array(0..<100) && all.contains(1_000))
    #expect(!reactor.inEventLoop)
  }

  @Test("Small writes leave joined, in order; the end is told after them")
  func joins() throws {
    try withPair { reactor, pair in
      try reactor.submit {
        for text in ["one ", "two ", "three"] { pair.value.near.write(ByteBuffer(string: text)) }
        pair.value.near.finish()
      }.wait()
      let ear = try reactor.submit { NIOLoopBound(pair.value.ear, eventLoop: reactor) }.wait()
      try reactor.submit { ear.value.ended }.wait().wait()
      try reactor.submit {
        #expect(ear.value.first == ByteBuffer(string: "one two three") && ear.value.hasEnded)
        #expect(!pair.value.far.isOpen)
      }.wait()
    }
  }

  @Test("Who does not read is not written to without bound, and the writer hears when there is room again")
  func backPressure() throws {
    let size = 8 << 20
    try withPair(wanted: size) { reactor, pair in
      let sender = try reactor.submit {
        let sender = Ear()
        pair.value.near.owner = sender
        pair.value.far.setReading(false)
        #expect(pair.value.near.isWritable)
        pair.value.near.write(ByteBuffer(repeating: 7, count: size))
        pair.value.near.flush()
        #expect(!pair.value.near.isWritable && sender.drained == 0)
        return NIOLoopBound(sender, eventLoop: reactor)
      }.wait()
      // Nothing is read until it is asked for.
      try reactor.submit { #expect(pair.value.ear.bytes == 0) }.wait()
      let full = try reactor.submit {
        pair.value.far.setReading(true)
        return pair.value.ear.full
      }.wait()
      full.wait()
      try reactor.submit {
        #expect(pair.value.ear.bytes == size && sender.value.drained == 1 && pair.value.near.isWritable)
      }.wait()
    }
  }

  @Test("A peer that goes while nobody reads is noticed, and what it had sent comes first")
  func goneWhileNotRead() throws {
    try withPair { reactor, pair in
      let ended = try reactor.submit {
        pair.value.far.setReading(false)
        pair.value.near.write(ByteBuffer(string: "last words"))
        pair.value.near.flush()
        pair.value.near.close()
        return pair.value.ear.ended
      }.wait()
      ended.wait()
      try reactor.submit {
        #expect(pair.value.ear.first == ByteBuffer(string: "last words"))
        #expect(!pair.value.far.isOpen && pair.value.far.owner == nil)
      }.wait()
    }
  }

  @Test("A slice that somebody keeps is not overwritten by what is read next")
  func keptSlices() throws {
    try withPair { reactor, pair in
      let ear = try reactor.submit {
        pair.value.near.write(ByteBuffer(string: "first"))
        pair.value.near.flush()
        return NIOLoopBound(pair.value.ear, eventLoop: reactor)
      }.wait()
      // Each turn of the loop reads once.
      for text in ["second", "third"] {
        try reactor.submit {}.wait()
        try reactor.submit {
          pair.value.near.write(ByteBuffer(string: text))
          pair.value.near.flush()
        }.wait()
      }
      try reactor.submit {
        pair.value.near.finish()
        return ear.value.ended
      }.wait().wait()
      try reactor.submit { #expect(ear.value.first == ByteBuffer(string: "firstsecondthird")) }.wait()
    }
  }
}

@Suite("Commands under way")
struct CommandsUnderWayTests {
  private func entry(_ number: UInt64) -> CommandsUnderWay.Entry {
    CommandsUnderWay.Entry(id: CommandID(number), began: Int64(number), isDefinition: false, facts: nil)
  }

  @Test("They end in any order, and each is found until it has ended")
  func anyOrder() {
    for step in [1, 3, 7, 11] {
      var commands = CommandsUnderWay()
      for number in 1...100 { commands.append(entry(UInt64(number * 2))) }
      #expect(commands.find(CommandID(3)) == nil)
      var left = Set(1...100)
      for turn in 0..<100 {
        let number = (turn * step) % 100 + 1
        guard left.remove(number) != nil else { continue }
        #expect(commands.find(CommandID(UInt64(number * 2)))?.began == Int64(number * 2))
        commands.remove(CommandID(UInt64(number * 2)))
        #expect(commands.find(CommandID(UInt64(number * 2))) == nil)
        #expect(commands.all.count == left.count)
      }
      #expect(left.isEmpty && commands.count == 0)
    }
  }

  @Test("A long queue gives back what has ended")
  func longQueue() {
    var commands = CommandsUnderWay()
    for number in 1...10_000 {
      commands.append(entry(UInt64(number)))
      if number > 5 { commands.remove(CommandID(UInt64(number - 5))) }
    }
    #expect(commands.count == 5)
    commands.removeAll()
    #expect(commands.all.isEmpty)
  }
}

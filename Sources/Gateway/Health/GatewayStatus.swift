import Foundation
import Glibc
import NIOCore

/// How the gateway is, as its event loops themselves say: a loop that does not answer in time is itself the news.
struct GatewayStatus: Sendable {
  var counters = LoopCounters()
  var openSessions = 0
  var loops = 0
  var answeringLoops = 0
  var isDraining = false
  /// Statements that wait for an approval.
  var waiting = 0
  /// Bytes that the data folder's file system still has room for; nil when that cannot be told.
  var freeBytes: UInt64?
  /// Resident memory in bytes, CPU seconds and open descriptors of the process.
  var residentBytes = 0
  var cpuSeconds = 0.0
  var descriptors = 0
  /// Seconds since 1970.
  var startedAt: Int64 = 0
  var sealing = AuditSealing.Standing()

  /// Below this the next segment of the audit trail may find no room, in bytes.
  static let leastFreeBytes: UInt64 = 64 << 20

  /// What keeps the gateway from taking new sessions; empty when nothing does. In people's words.
  var troubles: [String] { (isDraining ? ["draining: no new sessions are taken"] : []) + illnesses }

  /// What somebody should look at, and what is no reason to start the gateway anew or to send sessions elsewhere.
  var warnings: [String] {
    // What fails has an address, which is not for everybody who can ask.
    sealing.troubles == 0 ? [] : ["an audit checkpoint fails: see `sallyport status`"]
  }

  /// What is wrong with the gateway; empty when nothing is. In people's words.
  var illnesses: [String] {
    var troubles: [String] = []
    if answeringLoops < loops { troubles.append("\(loops - answeringLoops) of \(loops) event loops do not answer") }
    if let freeBytes, freeBytes < GatewayStatus.leastFreeBytes {
      troubles.append("only \(freeBytes >> 20) MiB are free in the data folder: the audit trail will stop")
    }
    return troubles
  }
}

extension GatewayStatus {
  /// What the kernel says of this process (proc(5)).
  mutating func readProcess() {
    if let statm = try? String(contentsOfFile: "/proc/self/statm", encoding: .ascii) {
      let pages = statm.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      residentBytes = pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
      cpuSeconds =
        Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
    descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
  }

  mutating func readDisk(_ folder: String) {
    var info = statvfs()
    if statvfs(folder, &info) == 0 { freeBytes = UInt64(info.f_bavail) * UInt64(info.f_frsize) }
  }
}

/// Asks all event loops of a gateway how they are.
struct StatusProbe: Sendable {
  let context: GatewayContext
  let states: [NIOLoopBound<LoopState>]
  let sealing: AuditSealing
  let data: String
  let startedAt: Int64
  var policyHash: String { context.policy.hash }
  /// How long a loop has to answer.
  static let patience = TimeAmount.seconds(1)

  /// Never fails: what does not answer is missing from the sum, and counted.
  func ask(on loop: any EventLoop) -> EventLoopFuture<GatewayStatus> {
    let answers = states.map { state -> EventLoopFuture<(LoopCounters, Int)?> in
      let promise = loop.makePromise(of: (LoopCounters, Int)?.self)
      let timer = loop.scheduleTask(in: StatusProbe.patience) { promise.succeed(nil) }
      state.eventLoop.submit {
        (state.value.counters, state.value.openSessions)
      }.hop(to: loop).whenSuccess { answer in
        timer.cancel()
        promise.succeed(answer)
      }
      return promise.futureResult
    }
    return EventLoopFuture.whenAllSucceed(answers, on: loop).flatMap { answers in
      context.pool.runIfActive(eventLoop: loop) { status(of: answers) }
    }
  }

  private func status(of answers: [(LoopCounters, Int)?]) -> GatewayStatus {
    var status = GatewayStatus()
    status.loops = answers.count
    for case (let counters, let open)? in answers {
      status.counters += counters
      status.openSessions += open
      status.answeringLoops += 1
    }
    status.isDraining = context.isDraining
    status.waiting = context.desk.list().count
    status.startedAt = startedAt
    status.sealing = sealing.numbers
    status.readProcess()
    status.readDisk(data)
    return status
  }
}

import AuditTrail
import Enforcement
import Foundation
import Glibc
import NIOCore

/// Takes away recordings that are older than they are to be kept, a bounded number at a time; which ones is in the audit
/// trail before they go.
struct RecordingSweep: Sendable {
  /// Names in one audit record, and files that one look takes away.
  static let batch = 200
  static let limit = 10_000
  private static let pause = TimeAmount.hours(1)

  private let data: String
  private let context: GatewayContext
  private let lane: NIOLoopBound<AuditLane>

  init(context: GatewayContext, lane: NIOLoopBound<AuditLane>) {
    data = context.data
    self.context = context
    self.lane = lane
  }

  /// Makes the folder of recordings, for the gateway's own account alone.
  static func makeFolder(data: String) throws(AuditFailure) {
    let path = RecordingFile.folder(data: data)
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw AuditFailure("could not create folder \"\(path)\": \(String(cString: strerror(errno)))")
    }
  }

  /// Looks now and every hour.
  func start() {
    lane.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: RecordingSweep.pause) { _ in
      look()
    }
  }

  /// Looks now, off the event loops, by the configuration in force; nothing to do where recordings are kept for ever.
  func look() {
    guard let keep = context.configuration.gateway.recording.keepSeconds else { return }
    context.pool.submit { _ in look(now: Clock.seconds(), keepSeconds: keep) }
  }

  /// Blocks on files; `now` in seconds since 1970.
  func look(now: Int64, keepSeconds: Int64) {
    let live = Set(context.live.all.map(\.facts.session))
    let old = RecordingSweep.expired(in: RecordingFile.folder(data: data), before: now - keepSeconds, without: live)
    for start in stride(from: 0, to: min(old.count, RecordingSweep.limit), by: RecordingSweep.batch) {
      let names = Array(old[start..<min(start + RecordingSweep.batch, old.count)])
      // What cannot be recorded is not done.
      guard record(names, keepSeconds) else {
        return context.logger.error("recordings could not be swept: the audit trail fails")
      }
      for name in names { unlink("\(RecordingFile.folder(data: data))/\(name).rec") }
    }
  }

  /// Sessions whose recording was last written to before that time, in order of their names.
  static func expired(in folder: String, before: Int64, without live: Set<String>) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.compactMap { file -> String? in
      guard file.hasSuffix(".rec") else { return nil }
      let name = String(file.dropLast(4))
      var status = stat()
      guard !live.contains(name), lstat("\(folder)/\(file)", &status) == 0, status.st_mode & S_IFMT == S_IFREG,
        Int64(status.st_mtim.tv_sec) < before
      else { return nil }
      return name
    }.sorted()
  }

  private func record(_ names: [String], _ keepSeconds: Int64) -> Bool {
    let event = AuditEvent.administration(
      actor: "gateway", verb: "recordings.sweep",
      subject: "\(names.count) older than \(keepSeconds) s: \(names.joined(separator: " "))")
    return (try? lane.eventLoop.submit { try lane.value.append(event) }.wait()) != nil
  }
}

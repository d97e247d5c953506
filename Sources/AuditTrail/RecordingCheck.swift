import Crypto
import Enforcement
import Glibc

/// Compares what is in the recordings with what the trail says of them, in the order of the records.
///
/// Recordings may go earlier than the trail: which ones were taken away says the trail itself (`recordings.sweep`), and
/// only those may be missing.
struct RecordingCheck {
  /// The control verb whose records name recordings that were taken away.
  static let sweep = "recordings.sweep"
  private static let mark = Array("{\"event\":\"recorded\"".utf8)
  private static let sweepMark = Array("\"verb\":\"\(sweep)\"".utf8)
  private static let chunk = 1 << 20

  private let data: String
  private(set) var report = VerificationReport.Recordings()
  /// Sessions whose file is not there, with the first record that names it; a name is short enough to cost no memory of
  /// its own.
  private var missing: [String: Place] = [:]
  private var file: (session: String, descriptor: RecordingDescriptor?)?

  private struct Place {
    var lane: String
    var sequence: UInt64
    var results: UInt64 = 0
  }

  /// - Parameter data: the data folder.
  init(data: String) { self.data = data }

  /// Looks at what a record says was recorded; other records are nothing to it.
  mutating func compare(_ record: AuditRecord) {
    guard record.payload.starts(with: RecordingCheck.mark), let entry = record.entry, let session = entry.session
    else { return }
    report.results += 1
    guard let path = RecordingFile.path(data: data, session: session), let offset = entry.offset,
      let count = entry.bytes, offset >= 0, (0...RecordingFile.lengthLimit).contains(count)
    else { return fault(record, entry, "its place is damaged") }
    if file?.session != session { file = (session, RecordingDescriptor(path)) }
    guard let descriptor = file?.descriptor else {
      missing[session, default: Place(lane: record.lane, sequence: record.sequence)].results += 1
      return
    }
    do throws(AuditFailure) {
      guard let hash = try descriptor.hash(at: offset, count: count, chunk: RecordingCheck.chunk) else {
        return fault(record, entry, "the recording ends before")
      }
      guard hash == entry.sha256 else { return fault(record, entry, "the recording is not what the audit trail says") }
      report.bytes += UInt64(count)
    } catch { fault(record, entry, error.message) }
  }

  /// What was found, after the last record. What is missing must have been taken away: the lane of the gateway's own
  /// doings is read again for that, since it says so of recordings that went while the others were read, too.
  mutating func end(_ control: LaneCursor) -> VerificationReport.Recordings {
    file = nil
    guard !missing.isEmpty else { return report }
    var control = control
    do throws(AuditFault) {
      while let record = try control.next() {
        guard record.payload.contains(RecordingCheck.sweepMark), let entry = record.entry,
          entry.verb == RecordingCheck.sweep
        else { continue }
        // «2 older than 60 s: NAME NAME»
        let names = entry.subject?.split(separator: ":", maxSplits: 1).last?.split(separator: " ") ?? []
        for name in names {
          guard let place = missing.removeValue(forKey: String(name)) else { continue }
          report.removed += place.results
        }
      }
    } catch {}  // That the lane is damaged is said where it is checked.
    if let first = missing.min(by: { ($0.value.lane, $0.value.sequence) < ($1.value.lane, $1.value.sequence) }),
      report.fault == nil
    {
      report.fault =
        "lane \(first.value.lane), record \(first.value.sequence), session \(first.key): the recording is gone, and the "
        + "trail does not say that it was taken away"
    }
    report.lost = missing.values.reduce(0) { $0 + $1.results }
    return report
  }

  private mutating func fault(_ record: AuditRecord, _ entry: AuditEntry, _ reason: String) {
    report.damaged += 1
    guard report.fault == nil else { return }
    report.fault =
      "lane \(record.lane), record \(record.sequence), session \(entry.session ?? ""), command \(entry.command ?? 0): "
      + reason
  }
}

/// An open recording; closed with its last reference.
private final class RecordingDescriptor {
  private let descriptor: Int32

  /// nil when it is not there, or is no file of ours.
  init?(_ path: String) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  /// SHA-256 in lower-case hex; nil when the file ends before.
  func hash(at offset: Int, count: Int, chunk: Int) throws(AuditFailure) -> String? {
    var hash = SHA256()
    var done = 0
    while done < count {
      let bytes = try Files.read(descriptor, at: offset + done, count: min(chunk, count - done))
      if bytes.isEmpty { return nil }
      hash.update(data: bytes)
      done += bytes.count
    }
    return Array(hash.finalize()).hex
  }
}

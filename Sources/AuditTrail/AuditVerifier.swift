import Enforcement

/// What a check of a trail found.
public struct VerificationReport: Hashable, Sendable, Codable {
  public struct Lane: Hashable, Sendable, Codable {
    public var name: String
    public var segments: Int
    /// Records that are as they were written; those behind a fault are not counted.
    public var records: UInt64
    /// The last of them. To be kept elsewhere, and given to the next check.
    public var head: AuditHead
    /// The last record up to which the lane is what was sealed; 0 without a seal.
    public var sealed: UInt64 = 0
    /// The process died in the middle of a record. That is no fault: it was never acknowledged.
    public var hasUnfinishedRecord: Bool
    /// The first fault, with its place.
    public var fault: String?
  }
  public struct Seals: Hashable, Sendable, Codable {
    public var count: UInt64
    /// When the last one was made; empty without any.
    public var time: String
    /// The fingerprint of the key by which signatures were checked; nil when there was no key to check them by.
    public var key: String?
    /// The key was given by whoever asked, and not found beside the trail.
    public var keyIsTheirs: Bool
    public var fault: String?
  }
  /// Recorded results, as far as the trail knows of them.
  public struct Recordings: Hashable, Sendable, Codable {
    /// Results that records name.
    public var results: UInt64 = 0
    /// Bytes that were read and are what they were.
    public var bytes: UInt64 = 0
    /// Results whose recording was taken away because of its age, as the trail says.
    public var removed: UInt64 = 0
    /// Results whose recording is gone otherwise, and those that were changed or cut off.
    public var lost: UInt64 = 0
    public var damaged: UInt64 = 0
    /// The first that is not what it was, with its place.
    public var fault: String?
  }
  public var lanes: [Lane]
  /// nil when the trail has no seals.
  public var seals: Seals?
  /// nil when they were not to be looked at.
  public var recordings: Recordings?
  /// True when the heads of an earlier check were compared.
  public var comparedHeads: Bool

  /// True when no fault was found; `claim` says what that means.
  public var isSound: Bool {
    seals?.fault == nil && recordings?.fault == nil && lanes.allSatisfy { $0.fault == nil }
  }

  /// What the check shows and what it cannot show (DECISIONS 24).
  public var claim: String {
    if comparedHeads {
      return
        "detects every change up to the heads given, if they were kept where the writer of the trail cannot reach; "
        + "records cut off after them cannot be told"
    }
    let limit =
      "but not a trail that was cut off at its end or written anew by whoever can write to the data folder: that needs a "
      + "head kept elsewhere"
    guard let seals, seals.count > 0, let key = seals.key else {
      return "detects changed, removed and inserted records, \(limit)"
    }
    return
      "detects changed, removed and inserted records, lanes and segments up to seal \(seals.count) of \(seals.time) "
      + "by whoever does not have key \(key)\(seals.keyIsTheirs ? "" : " (found beside the trail)"), \(limit)"
  }
}

/// What a check compares a trail with.
public struct VerificationBasis: Sendable {
  /// The key by which seals were signed; nil: their signatures cannot be checked.
  public var key: SealPublicKey?
  /// The key comes from elsewhere than the trail.
  public var keyIsTheirs = false
  /// There must be seals, since there is a key.
  public var expectsSeals = false
  /// Heads of earlier reports; a lane that does not reach them, or has other records there, is at fault. nil: none.
  public var heads: [AuditHead]?
  /// Seals kept elsewhere, which the trail must have.
  public var seals: [Seal] = []
  /// The seal that the store beside the trail kept, which the trail must have, too.
  public var stored: Seal?
  /// The data folder whose recordings are compared with the trail; nil: they are not looked at.
  public var recordings: String?

  public init() {}
}

/// Checks a trail: each byte of each record and header, that nothing is missing between them, and each seal.
public enum AuditVerifier {
  /// - Parameter directory: the trail's own folder, `<data>/audit`. Gateways may be writing to it.
  ///
  /// Throws only when the folder cannot be read; what is wrong with the trail is in the report. `progress` is called
  /// after each record.
  public static func verify(
    _ directory: String, _ basis: VerificationBasis = VerificationBasis(), progress: (() -> Void)? = nil
  ) throws(AuditFailure) -> VerificationReport {
    let (seals, limit, sealed) = check(directory, basis)
    var expected = basis.heads ?? []
    let kept = basis.seals + [basis.stored].compactMap { $0 }
    for seal in kept { if case .heads(let standings) = seal.content { expected += standings.map(\.head) } }
    let names = Set(try AuditReader(directory: directory).lanes()).union(expected.map(\.lane)).union(sealed).sorted()
    var recordings = basis.recordings.map { RecordingCheck(data: $0) }
    let lanes = names.map { name in
      verify(
        LaneCursor(directory: directory, lane: name, checksUnused: true), trail: directory, limit: limit,
        expected: expected.filter { $0.lane == name }
      ) {
        recordings?.compare($0)
        progress?()
      }
    }
    let reader = AuditReader(directory: directory)
    return VerificationReport(
      lanes: lanes, seals: seals, recordings: recordings?.end(reader.records(ofLane: AuditDirectory.controlLane)),
      comparedHeads: basis.heads != nil || !basis.seals.isEmpty)
  }

  // MARK: Seals

  /// Checks the seals by themselves. Also the number of the last that can be relied on, and the lanes that it names.
  private static func check(
    _ trail: String, _ basis: VerificationBasis
  ) -> (report: VerificationReport.Seals?, limit: UInt64, lanes: [String]) {
    var report = VerificationReport.Seals(
      count: 0, time: "", key: basis.key?.fingerprint, keyIsTheirs: basis.keyIsTheirs)
    var lanes: [String] = []
    let kept = basis.seals + [basis.stored].compactMap { $0 }
    var missing = Dictionary(kept.map { ($0.number, $0.line) }) { first, _ in first }
    do throws(SealFault) {
      var reader = try SealReader(trail: trail)
      guard reader.exists || basis.expectsSeals || !kept.isEmpty else { return (nil, 0, []) }
      while let seal = try reader.next() {
        if let key = basis.key { try check(seal, key) }
        if let kept = missing.removeValue(forKey: seal.number), kept != seal.line {
          throw SealFault(number: seal.number, reason: "it is not the one that was kept: the trail was written anew")
        }
        report.count = seal.number
        report.time = seal.time
        if case .heads(let standings) = seal.content { lanes = standings.map(\.lane) }
      }
      if report.count == 0, basis.expectsSeals {
        throw SealFault(number: 0, reason: "they are missing, and there is a key by which the trail was sealed")
      }
      if let kept = missing.keys.max() {
        throw SealFault(number: report.count + 1, reason: "the end is cut off: seals up to \(kept) were there before")
      }
    } catch { report.fault = error.description }
    return (report, report.count, lanes)
  }

  private static func check(_ seal: Seal, _ key: SealPublicKey) throws(SealFault) {
    guard seal.key == key.fingerprint else {
      throw SealFault(number: seal.number, reason: "it is signed by key \(seal.key), not by \(key.fingerprint)")
    }
    guard seal.isSigned(by: key) else {
      throw SealFault(number: seal.number, reason: "the signature does not fit its content")
    }
  }

  // MARK: Lanes

  private static func verify(
    _ cursor: LaneCursor, trail: String, limit: UInt64, expected: [AuditHead], _ visit: (AuditRecord) -> Void
  ) -> VerificationReport.Lane {
    var cursor = cursor
    var lane = VerificationReport.Lane(
      name: cursor.lane, segments: 0, records: 0, head: AuditHead(lane: cursor.lane, sequence: 0, hash: ""),
      hasUnfinishedRecord: false)
    var pending = expected.filter { $0.sequence > 0 }
    var last: [UInt8] = []
    var seals = try? SealExpectations(trail: trail, lane: cursor.lane, limit: limit)
    do throws(AuditFault) {
      repeat {
        while let record = try cursor.next() {
          for closed in cursor.takeClosed() { try seals?.compare(closed) }
          lane.records += 1
          lane.head.sequence = record.sequence
          last = record.hash
          try compare(record, with: &pending)
          try seals?.compare(record)
          visit(record)
        }
        for closed in cursor.takeClosed() { try seals?.compare(closed) }
      } while try cursor.end() == .grown
      lane.hasUnfinishedRecord = try cursor.end() == .unfinished
      try checkEnd(lane, pending, &seals)
    } catch {
      lane.fault = error.description
    }
    lane.head.hash = last.hex
    lane.sealed = seals?.covered ?? 0
    lane.segments = cursor.segments
    return lane
  }

  /// Whether the lane goes as far as it once did.
  private static func checkEnd(
    _ lane: VerificationReport.Lane, _ pending: [AuditHead], _ seals: inout SealExpectations?
  ) throws(AuditFault) {
    func fault(_ words: String) -> AuditFault {
      AuditFault(lane: lane.name, segment: 0, sequence: lane.head.sequence &+ 1, reason: words)
    }
    if let missing = pending.max(by: { $0.sequence < $1.sequence }) {
      throw fault("the end is cut off: records up to \(missing.sequence) were there before")
    }
    if let (standing, seal) = seals?.missing(behind: lane.head.sequence) {
      throw fault(
        "the end is cut off: seal \(seal.number) of \(seal.time) has records up to \(standing.sequence)")
    }
  }

  private static func compare(_ record: AuditRecord, with pending: inout [AuditHead]) throws(AuditFault) {
    if pending.isEmpty { return }
    for head in pending where head.sequence == record.sequence && head.hash != record.hash.hex {
      throw AuditFault(
        lane: record.lane, segment: record.segment, sequence: record.sequence, offset: record.offset,
        reason: "the record is not the one whose hash was kept: the trail was written anew")
    }
    pending.removeAll { $0.sequence == record.sequence }
  }
}

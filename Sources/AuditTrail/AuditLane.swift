import AccessModel
import Detection
import Enforcement
import Glibc

/// The last record of a lane: whoever keeps it elsewhere can tell later that nothing before it was changed or cut off.
public struct AuditHead: Hashable, Sendable, Codable {
  public var lane: String
  /// 0 for a lane without a record.
  public var sequence: UInt64
  /// In lower-case hex; empty for a lane without a record. Which hash it is says the segment; see `ChainHash`.
  public var hash: String

  public init(lane: String, sequence: UInt64, hash: String) {
    self.lane = lane
    self.sequence = sequence
    self.hash = hash
  }
}

/// One chain of audit records, written by one event loop.
///
/// Not Sendable: create, use and close it on one event loop. When `append` returns, the record is safe from the death
/// of the process, `kill -9` included, because it lies in pages that belong to the kernel; it is not yet safe from the
/// loss of power.
public final class AuditLane: AuditSink {
  public let name: String
  private let directory: AuditDirectory
  let path: String
  private let lock: Int32
  private let segmentSize: Int
  private let now: () -> Int64
  private let allocator: SegmentAllocator
  private let background: (@escaping @Sendable () -> Void) -> Void

  // Each statement passes here twice, and checking these accesses at run time would be a tenth of its cost. They cannot
  // overlap: the lane belongs to one event loop, and neither `now` nor `members` of a record leads back into it.
  @exclusivity(unchecked) private var current: SegmentWriter?
  @exclusivity(unchecked) private var preparation: Preparation?
  private var retryAt = Int64.min
  /// The newest segment that the disk knows of, where somebody asks for that; see `syncPoint`.
  var syncedSegment: UInt64 = 0
  @exclusivity(unchecked) private var reserve: OutcomeReserve
  @exclusivity(unchecked) private var position: ChainPosition
  @exclusivity(unchecked) private var memory = SegmentMemory()
  /// Link, sequence number, time and payload of the record at hand, as they are hashed.
  @exclusivity(unchecked) private var scratch = JSONWriter()
  /// What texts and values are looked through for before they are kept: all that the catalogue has, where nothing is
  /// said; nil keeps them as they are.
  public var detectors: DetectorSet? {
    get { scratch.detectors }
    set { scratch.detectors = newValue }
  }
  /// Refusals that are counted together.
  var floods = RefusalFloods()
  private static let firstSegmentSize = 1 << 20
  private static let prefix = SegmentFormat.hashSize + 16

  /// Opens the lane: finds its last committed record and starts a new segment behind it.
  ///
  /// - Parameters:
  ///   - name: see `AuditDirectory.isLaneName`.
  ///   - segmentSize: bytes of one segment file, at least 4096; two of them are allocated at any time, of which the first
  ///     after a start has at most 1 MiB. Records are at
  ///     most about 1 MiB long, and one that does not fit a segment is refused.
  ///   - background: where the next segment is prepared. Preparing takes some milliseconds, so the gateway passes a
  ///     thread pool; by default it is done at once.
  ///   - now: µs since 1970. Times in the chain never go backwards, whatever it says.
  ///
  /// Throws when the lane is open elsewhere, when there is no room, and when its newest segment is damaged: the message
  /// says where, and the trail is left as it is.
  public convenience init(
    directory: AuditDirectory, name: String, segmentSize: Int = 16 << 20,
    background: @escaping (@escaping @Sendable () -> Void) -> Void = { $0() }, now: @escaping () -> Int64
  ) throws(AuditFailure) {
    try self.init(
      directory: directory, name: name, segmentSize: segmentSize, allocator: .disk, background: background, now: now)
  }

  init(
    directory: AuditDirectory, name: String, segmentSize: Int, allocator: SegmentAllocator,
    background: @escaping (@escaping @Sendable () -> Void) -> Void = { $0() }, now: @escaping () -> Int64
  ) throws(AuditFailure) {
    guard AuditDirectory.isLaneName(name) else { throw AuditFailure("invalid name of an audit lane: \"\(name)\"") }
    guard segmentSize >= 4096, segmentSize <= 1 << 30 else {
      throw AuditFailure("size of an audit segment must be from 4096 bytes to 1 GiB")
    }
    let path = "\(directory.path)/\(name)"
    try Files.makeDirectory(path)
    let lock = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard lock >= 0 else { throw Files.failure("open", path) }
    do throws(AuditFailure) {
      guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw AuditFailure("audit lane \"\(name)\" is open already") }
      position = try LaneRecovery.recover(lane: name, path: path)
    } catch {
      Glibc.close(lock)
      throw error
    }
    self.name = name
    self.directory = directory
    self.path = path
    self.lock = lock
    self.segmentSize = segmentSize & ~7
    self.now = now
    self.allocator = allocator
    self.background = background
    reserve = OutcomeReserve(limit: segmentSize / 2)
    scratch.append(position.link)
    scratch.detectors = DetectorSet()
    // A failure from here on runs deinit, which gives the lock back.
    // The first one is small, so that whoever waits for the gateway to start waits for less; the next is prepared
    // meanwhile.
    let size = min(self.segmentSize, AuditLane.firstSegmentSize)
    try use(try allocator.allocate(filePath(position.segment + 1), size), at: now())
    prepareNext()
  }

  deinit {
    preparation?.abandon()
    Glibc.close(lock)
  }

  /// The last record.
  public var head: AuditHead {
    AuditHead(lane: name, sequence: position.sequence, hash: recordHash.hex)
  }

  /// The number of the last record; 0 without one.
  @inline(__always) public var sequence: UInt64 { position.sequence }

  /// How far the lane goes, for its seal.
  public var standing: LaneStanding {
    LaneStanding(lane: name, segment: position.segment, sequence: position.sequence, hash: recordHash.hex)
  }

  /// The hash of the last record; empty without one.
  private var recordHash: [UInt8] {
    guard let current, current.offset > SegmentFormat.headerSize else { return position.recordHash }
    return link
  }

  /// What the next record or header continues.
  private var link: [UInt8] { Array(scratch.written.prefix(SegmentFormat.hashSize)) }

  // MARK: Records

  /// Appends one record, whatever else comes; see `append`.
  func write(_ event: AuditEvent) throws(AuditFailure) {
    let change = reserve.change(by: event)
    guard case .decided(let decision) = event else {
      return try record(change, isOutcome: OutcomeReserve.covers(event), of: nil, "") { writer, _, _ in
        writer.record(event)
      }
    }
    try record(change, isOutcome: false, of: decision.command.facts, decision.policy) { writer, mention, sequence in
      writer.record(decision, mention, sequence)
    }
  }

  public func permitted(
    _ id: CommandID, _ command: Command, in session: AuditedSession, policy: String, values: ValueDisclosure
  ) throws(AuditFailure) {
    reserve.adopt(session)
    let change = command.stage == .execute ? OutcomeReserve.Change.begins(session) : .nothing
    try record(change, isOutcome: false, of: command.facts, policy) { writer, mention, sequence in
      writer.permitted(id, command, session: session.name, policy: policy, values, mention, sequence)
    }
  }

  public func finished(
    _ id: CommandID, _ outcome: Outcome, duration: Int64, in session: AuditedSession
  ) throws(AuditFailure) {
    reserve.adopt(session)
    try record(.ends(session), isOutcome: true, of: nil, "") { writer, _, _ in
      writer.ended(id, outcome, duration: duration, session: session.name)
      return false
    }
  }

  /// Writes one record and commits it.
  ///
  /// - Parameters:
  ///   - change: what it means for the room that is kept free.
  ///   - isOutcome: whether that room is kept for it.
  ///   - facts: of the command that was decided.
  ///   - payload: writes it, by what of the facts is to be said and the record's number, and returns whether the text
  ///     speaks of a secret; called again when the record opens a new segment.
  @inline(__always)
  private func record(
    _ change: OutcomeReserve.Change, isOutcome: Bool, of facts: CommandFacts?, _ policy: String,
    _ payload: (inout JSONWriter, SegmentMemory.Mention, UInt64) -> Bool
  ) throws(AuditFailure) {
    let time = max(position.time, now())
    let sequence = position.sequence &+ 1
    let kept = isOutcome ? 0 : reserve.bytes(after: reserve.shares(of: change))
    while true {
      guard let current else { throw AuditFailure("audit lane \"\(name)\" is closed") }
      let said = facts.map { memory.mention(of: $0, policy: policy, at: current.offset) } ?? .full
      scratch.removeAll(keepingFirst: SegmentFormat.hashSize)
      scratch.appendInteger(sequence)
      scratch.appendInteger(time)
      let isSecret = payload(&scratch, said, sequence)
      let length = scratch.count - AuditLane.prefix
      let size = SegmentFormat.recordSize(payload: length)
      if size > current.remaining || current.remaining - size < kept {
        // What a record names must be in its own segment, so the first of a new one is written anew.
        guard try makeRoom(size: size, kept: kept, at: time) else { continue }
      }
      let offset = current.offset
      commit(to: current, payload: length)
      position.sequence = sequence
      position.time = time
      reserve.record(change)
      if let facts {
        memory.remember(facts, isSecret: isSecret, said: said, by: sequence, at: offset, payload: length)
      }
      if let pages = current.takeNextPages() { background { pages.run() } }
      if preparation == nil { prepareIfNeeded(at: time) }
      return
    }
  }

  private func commit(to segment: SegmentWriter, payload: Int) {
    let bytes = scratch.written
    var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &digest) { digest in
      guard let start = digest.baseAddress else { return }
      ChainHash.write(of: bytes, to: start)
      segment.write(
        content: UnsafeRawBufferPointer(rebasing: bytes[SegmentFormat.hashSize...]), payload: payload,
        hash: UnsafeRawBufferPointer(digest))
      scratch.replaceStart(with: UnsafeRawBufferPointer(digest))
    }
  }

  /// Ends the lane: waits until everything is on the disk and gives unused room back. Blocks for some milliseconds.
  public func close() {
    if current != nil { note(floods.all()) }
    position.recordHash = recordHash
    current?.synchronize()
    current = nil
    preparation?.abandon()
    preparation = nil
  }

  // MARK: Room

  /// Makes sure that the record fits the current segment and that `kept` bytes are left behind it, here or in the next
  /// one. Returns false when a new segment was begun instead.
  @inline(never)
  private func makeRoom(size: Int, kept: Int, at time: Int64) throws(AuditFailure) -> Bool {
    guard let current else { return true }
    let capacity = segmentSize - SegmentFormat.headerSize
    guard size <= capacity else {
      throw AuditFailure("audit record of \(size) bytes does not fit a segment of \(segmentSize) bytes")
    }
    // A next segment is needed: for the record itself, or as the room to be kept.
    guard let next = try nextSegment(at: time) else {
      throw AuditFailure("audit trail \"\(path)\" is full: no room for another segment")
    }
    if size <= current.remaining { return true }
    guard capacity - size >= kept else {
      throw AuditFailure(
        "audit record of \(size) bytes leaves no room for outcomes in a segment of \(segmentSize) bytes")
    }
    preparation = nil
    try use(next, at: time)
    prepareNext()
    return false
  }

  @inline(never)
  private func prepareIfNeeded(at time: Int64) {
    if let current, current.isThreeQuartersFull, time >= retryAt { prepareNext() }
  }

  /// The prepared segment; tries again when an attempt failed a second ago, and waits for one that is under way.
  private func nextSegment(at time: Int64) throws(AuditFailure) -> PreparedSegment? {
    if preparation == nil {
      guard time >= retryAt else { return nil }
      prepareNext()
    }
    // Only a lane that fills a whole segment faster than one is allocated comes to wait here.
    for _ in 0..<10_000 {
      guard let preparation else { return nil }
      do throws(AuditFailure) {
        if let segment = try preparation.result() { return segment }
      } catch {
        self.preparation = nil
        guard time >= retryAt else { throw error }
        // That may have been long ago: once more before giving up, then not for a second.
        retryAt = time &+ 1_000_000
        prepareNext()
        continue
      }
      usleep(200)
    }
    return nil
  }

  private func prepareNext() {
    guard let current else { return }
    let preparation = Preparation()
    self.preparation = preparation
    let path = filePath(current.number + 1)
    background { [allocator, segmentSize] in preparation.run(allocator, path: path, size: segmentSize) }
  }

  /// Puts a segment into use; the one before is closed by losing its last reference.
  private func use(_ segment: PreparedSegment, at time: Int64) throws(AuditFailure) {
    let time = max(position.time, time)
    let header = SegmentHeader(
      lane: name, number: position.segment + 1, createdAt: time, previous: link,
      firstSequence: position.sequence + 1)
    position.recordHash = recordHash
    guard let writer = SegmentWriter(segment, header: header) else {
      segment.discard()
      throw AuditFailure("audit segment \"\(segment.path)\" could not be used")
    }
    current = writer
    memory.forget()
    position.segment = header.number
    position.time = time
    Array(header.encoded().suffix(SegmentFormat.hashSize)).withUnsafeBytes { scratch.replaceStart(with: $0) }
  }

  /// Now, in µs since 1970, as times in the chain have it.
  func time() -> Int64 { max(position.time, now()) }

  func filePath(_ number: UInt64) -> String { "\(path)/\(SegmentFormat.fileName(number))" }
}

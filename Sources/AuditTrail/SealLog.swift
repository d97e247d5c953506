import Enforcement
import Glibc
import Synchronization

/// The file `<data>/audit/seals.jsonl`, to which the gateway adds what it seals. Safe from any thread; blocks.
///
/// A seal never says more than what is on the disk: segments are synchronised before it is written.
public final class SealLog: Sendable {
  fileprivate struct State: Sendable {
    var number: UInt64 = 0
    var previous = Seal.firstPrevious
    /// Bytes of the file that are known to be whole.
    var size = 0
    var heads: [String: LaneStanding] = [:]
    /// The last closed segment of each lane that was sealed.
    var segments: [String: UInt64] = [:]
    var newest: Seal?
  }
  private let directory: AuditDirectory
  private let key: SealKey
  private let gateway: String
  private let descriptor: Int32
  private let state: Mutex<State>
  /// Segments that one call seals at most; more wait for the next.
  private static let batch = 256
  /// So much of the end of the file is read when it is opened.
  private static let tail = 1 << 20

  static func path(_ trail: String) -> String { "\(trail)/seals.jsonl" }

  /// Opens the file, or makes it with a first seal, and compares the last seal with the lanes as they were found.
  ///
  /// - Parameter now: µs since 1970.
  ///
  /// Throws when the last seal is not ours, or a lane ends before what it says: the trail is left as it is.
  public init(_ directory: AuditDirectory, key: SealKey, gateway: String, now: Int64) throws(AuditFailure) {
    let path = SealLog.path(directory.path)
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Files.failure("open", path) }
    do throws(AuditFailure) {
      var state = try SealLog.load(descriptor, path, key.publicKey)
      if state.number == 0 {
        try SealLog.append([.heads([])], to: descriptor, path, &state, key: key, gateway: gateway, now: now)
      }
      self.state = Mutex(state)
    } catch {
      close(descriptor)
      throw error
    }
    self.directory = directory
    self.key = key
    self.gateway = gateway
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// The last seal.
  public var newest: Seal? { state.withLock { $0.newest } }

  /// Compares all lanes, as they were found at start, with the last seal.
  public func check(_ standings: [LaneStanding]) throws(AuditFailure) {
    for sealed in state.withLock({ $0.heads.values.sorted { $0.lane < $1.lane } }) where sealed.sequence > 0 {
      let found = standings.first { $0.lane == sealed.lane }
      if let found, found.sequence > sealed.sequence || found.head == sealed.head { continue }
      throw AuditFailure(
        "audit trail is damaged: lane \(sealed.lane) ends at record \(found?.sequence ?? 0), and record "
          + "\(sealed.sequence) was sealed; look at it with \"sallyport audit verify\", then move the folder "
          + "\"audit\" away to start anew")
    }
  }

  /// Seals the segments that were closed since the last time, then the heads of all lanes; those that this process does
  /// not write keep theirs. Returns the newest seal, which is an old one when nothing has changed.
  ///
  /// When it throws nothing was sealed, and the next call seals what this one did not.
  public func seal(_ standings: [LaneStanding], now: Int64) throws(AuditFailure) -> Seal? {
    let result = state.withLock { state -> Result<Seal?, AuditFailure> in
      do throws(AuditFailure) {
        return .success(try seal(standings, &state, now: now))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private func seal(_ standings: [LaneStanding], _ state: inout State, now: Int64) throws(AuditFailure) -> Seal? {
    var contents: [Seal.Content] = []
    var heads = state.heads
    for standing in standings where heads[standing.lane] != standing {
      let closed = try closedSegments(of: standing, after: state.segments[standing.lane] ?? 0)
      contents += closed.map(Seal.Content.segment)
      // A lane that is further ahead than one call seals is sealed as far as that.
      if closed.count == SealLog.batch { continue }
      try synchronize(standing.lane, standing.segment)
      heads[standing.lane] = standing
    }
    guard heads != state.heads || !contents.isEmpty else { return state.newest }
    contents.append(.heads(heads.values.sorted { $0.lane < $1.lane }))
    let path = SealLog.path(directory.path)
    try SealLog.append(contents, to: descriptor, path, &state, key: key, gateway: gateway, now: now)
    return state.newest
  }

  // MARK: Segments

  /// The segments behind `sealed` that are not written any more. How one ended stands in the header of the next.
  private func closedSegments(of standing: LaneStanding, after sealed: UInt64) throws(AuditFailure) -> [LaneStanding] {
    let lane = "\(directory.path)/\(standing.lane)"
    var closed: [LaneStanding] = []
    // Numbers are looked up once: a trail that was begun before it was sealed has many.
    let numbers = try Files.segments(in: lane).filter { $0 > sealed + 1 && $0 <= standing.segment }
    for number in numbers.prefix(SealLog.batch) {
      let file = "\(lane)/\(SegmentFormat.fileName(number))"
      let next = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard next >= 0 else { throw Files.failure("open", file) }
      defer { close(next) }
      do throws(SegmentHeader.Damage) {
        let bytes: [UInt8]
        do throws(AuditFailure) { bytes = try Files.read(next, at: 0, count: SegmentFormat.headerSize) } catch {
          throw SegmentHeader.Damage(reason: error.message)
        }
        let header = try SegmentHeader(decoding: bytes)
        closed.append(
          LaneStanding(
            lane: standing.lane, segment: number - 1, sequence: header.firstSequence &- 1, hash: header.previous.hex))
      } catch {
        throw AuditFailure("could not seal segment \(number - 1) of lane \(standing.lane): \(error.reason)")
      }
      try synchronize(standing.lane, number - 1)
    }
    return closed
  }

  private func synchronize(_ lane: String, _ segment: UInt64) throws(AuditFailure) {
    guard segment > 0 else { return }
    try Files.synchronize("\(directory.path)/\(lane)/\(SegmentFormat.fileName(segment))")
  }

  // MARK: The file

  /// Reads the end of the file. A line that was not finished was never sealed, and is cut off.
  private static func load(
    _ descriptor: Int32, _ path: String, _ key: SealPublicKey
  ) throws(AuditFailure) -> State {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Files.failure("read", path) }
    let start = max(0, Int(status.st_size) - tail)
    let bytes = try Files.read(descriptor, at: start, count: Int(status.st_size) - start)
    var state = State()
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
      guard bytes.count < Seal.lineLimit else { throw damage("it has no line") }
      guard ftruncate(descriptor, 0) == 0 else { throw Files.failure("cut off", path) }
      return state
    }
    state.size = start + end + 1
    guard ftruncate(descriptor, off_t(state.size)) == 0 else { throw Files.failure("cut off", path) }
    var lines = bytes[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
    if start > 0 { lines = lines.dropFirst() }
    for line in lines {
      guard let seal = Seal(line: String(decoding: line, as: UTF8.self)) else { throw damage("a line is no seal") }
      if let newest = state.newest, seal.number != newest.number + 1 || seal.previous != newest.hash {
        throw damage("seal \(seal.number) does not continue the one before it")
      }
      state.take(seal)
    }
    if let newest = state.newest, !newest.isSigned(by: key) {
      throw damage("seal \(newest.number) is not signed by the key of this gateway")
    }
    return state
  }

  private static func damage(_ reason: String) -> AuditFailure {
    AuditFailure(
      "the seals of the audit trail are damaged: \(reason); look at it with \"sallyport audit verify\", then move the "
        + "folder \"audit\" away to start anew")
  }

  /// Adds lines and waits until they are on the disk; what could not be written whole is taken back.
  private static func append(
    _ contents: [Seal.Content], to descriptor: Int32, _ path: String, _ state: inout State, key: SealKey,
    gateway: String, now: Int64
  ) throws(AuditFailure) {
    var next = state
    var bytes: [UInt8] = []
    for content in contents {
      let seal = Seal(
        number: next.number + 1, time: now, gateway: gateway, previous: next.previous, content: content, key: key)
      next.take(seal)
      bytes += Array(seal.line.utf8) + [UInt8(ascii: "\n")]
    }
    next.size = state.size + bytes.count
    guard lseek(descriptor, off_t(state.size), SEEK_SET) >= 0, Files.append(bytes, to: descriptor),
      fdatasync(descriptor) == 0
    else {
      let failure = Files.failure("write", path)
      _ = ftruncate(descriptor, off_t(state.size))
      throw failure
    }
    state = next
  }
}

extension SealLog.State {
  fileprivate mutating func take(_ seal: Seal) {
    number = seal.number
    previous = seal.hash
    newest = seal
    switch seal.content {
    case .heads(let standings):
      heads = Dictionary(standings.map { ($0.lane, $0) }) { _, last in last }
      // Whatever lies before the segment that is being written was sealed before, but for what waits in `segments`.
      for standing in standings where segments[standing.lane] == nil && standing.segment > 0 {
        segments[standing.lane] = standing.segment - 1
      }
    case .segment(let standing): segments[standing.lane] = standing.segment
    }
  }
}

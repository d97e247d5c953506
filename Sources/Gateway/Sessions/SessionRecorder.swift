import AccessModel
import AuditTrail
import Crypto
import Enforcement
import Foundation
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Writes what the client of one session gets into the session's recording. Confined to one event loop.
///
/// Pieces are hashed on the loop and written by the pool, one write at a time. What cannot be written is a failure that
/// stays: the session gets no further command. Whoever writes slower than the backend sends is waited for.
final class SessionRecorder {
  /// Bytes that may wait to be written before the backend is no longer read.
  static let pendingLimit = 4 << 20

  private let session: String
  private let state: LoopState
  private let pool: NIOThreadPool
  private let file: RecordingDescriptor
  private let now: () -> Int64
  /// Called on the loop when a write has ended, in whatever way.
  var onProgress: () -> Void = {}
  /// Why nothing more is recorded; nil while all is well.
  private(set) var failure: String?
  /// Bytes that were handed over so far.
  private var offset: Int
  private var waiting: [UInt8] = []
  private var isWriting = false
  /// What belongs to the command at hand.
  private var current: Current?

  private struct Current {
    var command: CommandID
    var start: Int
    var rows = 0
    var isCut = false
    var hash = SHA256()
  }

  /// - Parameter now: µs since 1970.
  init(session: String, path: String, state: LoopState, pool: NIOThreadPool, now: @escaping () -> Int64) {
    self.session = session
    self.state = state
    self.pool = pool
    self.now = now
    file = RecordingDescriptor(path)
    offset = RecordingFile.magic.count
  }

  /// Makes the file; to be done before anything is recorded. Fails with why that cannot be had.
  func start() -> EventLoopFuture<Void> {
    pool.runIfActive(eventLoop: state.loop) { [file] in
      if let problem = file.write(RecordingFile.magic) { throw GatewayFailure("the recording: \(problem)") }
    }
  }

  /// Whether so much waits to be written that no more should come.
  var isBehind: Bool { waiting.count > SessionRecorder.pendingLimit }

  func add(_ command: CommandID, _ part: ResultPart) {
    guard failure == nil else { return }
    if current?.command != command { current = Current(command: command, start: offset) }
    let piece: [UInt8]
    func make(_ kind: RecordingFile.Kind, _ content: [UInt8]) -> [UInt8] {
      RecordingFile.piece(kind, command: command.rawValue, time: now(), content)
    }
    switch part {
    case .columns(let body): piece = make(.columns, body)
    case .rows(let frames, let count):
      current?.rows += count
      piece = make(.rows, frames)
    case .stream(let body):
      current?.rows += 1
      piece = make(.stream, body)
    case .cut:
      if current?.isCut == true { return }
      current?.isCut = true
      piece = make(.cut, [])
    }
    current?.hash.update(data: piece)
    offset += piece.count
    waiting += piece
    write()
  }

  /// The command ended, or stopped for now: what is in the recording of it; nil when nothing is.
  func end(_ command: CommandID) -> RecordedResult? {
    guard let ended = current, ended.command == command else { return nil }
    current = nil
    let hash = SessionRecorder.hex(ended.hash.finalize())
    return RecordedResult(
      session: session, command: command, offset: ended.start, bytes: offset - ended.start, rows: ended.rows,
      isCut: ended.isCut, hash: hash)
  }

  /// Pieces that are complete, for a command beside others: what the trail says of them; nil when nothing can be kept.
  func add(_ command: CommandID, block: [UInt8], isCut: Bool) -> RecordedResult? {
    guard failure == nil else { return nil }
    defer {
      offset += block.count
      waiting += block
      write()
    }
    return RecordedResult(
      session: session, command: command, offset: offset, bytes: block.count, rows: 0, isCut: isCut,
      hash: SessionRecorder.hex(SHA256.hash(data: block)))
  }

  private static func hex(_ digest: some Sequence<UInt8>) -> String {
    digest.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  func fail(_ reason: String) {
    if failure == nil { failure = reason }
    waiting = []
  }

  /// One write at a time; what comes meanwhile goes with the next.
  private func write() {
    guard !isWriting, !waiting.isEmpty, failure == nil else { return }
    isWriting = true
    state.recordersWriting += 1
    let bytes = waiting
    waiting = []
    let bound = NIOLoopBound(self, eventLoop: state.loop)
    let (file, loop) = (file, state.loop)
    pool.submit { _ in
      let failure = file.write(bytes)
      loop.execute { bound.value.written(failure) }
    }
  }

  private func written(_ problem: String?) {
    isWriting = false
    state.recordersWriting -= 1
    if let problem { fail(problem) }
    write()
    onProgress()
  }
}

/// The open file of a recording; made by its first write, closed with its last reference. Used by one write at a time.
private final class RecordingDescriptor: Sendable {
  private let path: String
  private let descriptor = NIOLockedValueBox(Int32(-1))

  init(_ path: String) { self.path = path }

  deinit {
    let open = descriptor.withLockedValue { $0 }
    if open >= 0 { _ = Glibc.close(open) }
  }

  /// Appends the bytes; why that failed, or nil.
  func write(_ bytes: [UInt8]) -> String? {
    var open = descriptor.withLockedValue { $0 }
    if open < 0 {
      // A name is never used twice: a file that is there already is not ours to write to.
      open = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard open >= 0 else { return RecordingDescriptor.words(errno) }
      descriptor.withLockedValue { $0 = open }
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(open, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { return RecordingDescriptor.words(errno) }
      rest = rest.dropFirst(written)
    }
    return nil
  }

  private static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}

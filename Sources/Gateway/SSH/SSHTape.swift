import AccessModel
import AuditTrail
import Detection
import Enforcement
import NIOCore

/// What the client of one channel gets, on its way into the session's recording.
///
/// It goes there in blocks, each with its own hash in the audit trail: a shell has no end to wait for. Only output is in
/// it, so that what is typed without an echo is not.
final class SSHTape {
  private let recorder: SessionRecorder
  private let command: CommandID
  private let loop: Reactor
  private let note: (RecordedResult) -> Bool
  /// For each of the two streams; nil where everything is kept as it is.
  private var masks: [StreamMask]?
  /// Bytes that are kept; nil for all.
  private let limit: Int?
  private var total = 0
  private var isCut = false
  private var block: [UInt8] = []
  private var due: Scheduled<Void>?

  private static let blockSize = 64 << 10
  private static let pause = TimeAmount.seconds(1)

  init(
    _ recorder: SessionRecorder, _ command: CommandID, on loop: Reactor, detectors: DetectorSet?, limit: Int?,
    note: @escaping (RecordedResult) -> Bool
  ) {
    self.recorder = recorder
    self.command = command
    self.loop = loop
    self.limit = limit
    self.note = note
    masks = detectors.map { detectors in SSHPort.Stream.allCases.map { _ in StreamMask(naming: detectors) } }
  }

  /// Why nothing can be recorded; nil while all is well.
  var failure: String? { recorder.failure }
  /// Whether so much waits for the disk that no more should come.
  var isBehind: Bool { recorder.isBehind }

  func add(_ stream: SSHPort.Stream, _ bytes: [UInt8]) {
    guard !isCut, !bytes.isEmpty else { return }
    total += bytes.count
    guard total <= limit ?? .max else {
      isCut = true
      settle()
      return append(.cut, [])
    }
    append(SSHTape.kind(stream), masks?[Int(stream.rawValue)].feed(bytes) ?? bytes)
  }

  func resize(columns: Int, rows: Int) {
    append(.size, [columns, rows].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
  }

  private static func kind(_ stream: SSHPort.Stream) -> RecordingFile.Kind {
    switch stream {
    case .output: .output
    case .errors: .errors
    }
  }

  private func append(_ kind: RecordingFile.Kind, _ content: [UInt8]) {
    guard kind == .cut || !content.isEmpty else { return wait() }
    block += RecordingFile.piece(kind, command: command.rawValue, time: Clock.now(), content)
    if block.count >= SSHTape.blockSize { write() } else { wait() }
  }

  /// At the latest a second after the first piece the block is written.
  private func wait() {
    guard due == nil else { return }
    let bound = NIOLoopBound(self, eventLoop: loop)
    due = loop.scheduleTask(in: SSHTape.pause) {
      bound.value.due = nil
      bound.value.settle()
      bound.value.write()
    }
  }

  /// What was held back for what might follow it.
  private func settle() {
    guard masks != nil else { return }
    for stream in SSHPort.Stream.allCases {
      guard let rest = masks?[Int(stream.rawValue)].flush(), !rest.isEmpty else { continue }
      block += RecordingFile.piece(SSHTape.kind(stream), command: command.rawValue, time: Clock.now(), rest)
    }
  }

  private func write() {
    guard !block.isEmpty else { return }
    let bytes = block
    block = []
    guard let result = recorder.add(command, block: bytes, isCut: isCut) else { return }
    if !note(result) { recorder.fail("the audit trail cannot be written") }
  }

  /// The channel is over.
  func close() {
    due?.cancel()
    due = nil
    if !isCut { settle() }
    write()
  }
}

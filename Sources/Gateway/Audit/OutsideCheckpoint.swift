import AuditTrail
import Glibc
import NIOConcurrencyHelpers
import SallyportConfiguration

/// One place outside the data folder that is told each new seal. A place that hangs costs at most one thread and no seal:
/// what it missed meanwhile it does not get, only the newest, which says all that those before it said.
final class OutsideCheckpoint: Sendable {
  /// What kind of place it is; metrics call it that.
  enum Kind: String, Sendable, CaseIterable { case file, webhook }
  /// Called once, with nil when the place has the seal.
  typealias Told = @Sendable ((any Error)?) -> Void

  let kind: Kind
  let name: String
  private struct State: Sendable {
    var isBusy = false
    var told: UInt64 = 0
    var waiting: Seal?
  }
  private let state = NIOLockedValueBox(State())
  private let send: @Sendable (Seal, @escaping Told) -> Void

  /// - Parameters:
  ///   - name: for people.
  ///   - send: may block until the place has it, or call back later.
  init(_ kind: Kind, _ name: String, send: @escaping @Sendable (Seal, @escaping Told) -> Void) {
    self.kind = kind
    self.name = name
    self.send = send
  }

  /// Whether a seal is on its way.
  var isBusy: Bool { state.withLockedValue { $0.isBusy } }

  /// Tells the place, if it does not have this seal yet. `report` hears of each seal why it failed, or nil; it is not
  /// called when there was nothing to tell.
  func offer(_ seal: Seal, report: @escaping @Sendable (String?) -> Void) {
    enum Turn { case ours, theirs, none }
    let turn = state.withLockedValue { state -> Turn in
      guard seal.number > state.told else { return .none }
      guard !state.isBusy else {
        state.waiting = seal
        return .theirs
      }
      state.isBusy = true
      return .ours
    }
    switch turn {
    case .none: break
    // A webhook has a deadline, and says itself when it is over.
    case .theirs: if kind == .file { report("it does not answer") }
    case .ours: tell(seal, report)
    }
  }

  private func tell(_ seal: Seal, _ report: @escaping @Sendable (String?) -> Void) {
    send(seal) { [self] error in
      let next = state.withLockedValue { state -> Seal? in
        if error == nil { state.told = max(state.told, seal.number) }
        let next = error == nil ? state.waiting : nil
        state.waiting = nil
        state.isBusy = next != nil
        return next
      }
      report(error.map { "\($0)" })
      if let next { tell(next, report) }
    }
  }
}

extension OutsideCheckpoint {
  /// Where a configuration wants seals to be kept.
  static func places(_ configuration: GatewayConfiguration, _ sender: WebhookSender) -> [OutsideCheckpoint] {
    let settings = configuration.gateway.audit
    return [
      settings.checkpointFile.map { .file(configuration.path(of: $0)) },
      settings.checkpointWebhook.map { .webhook($0, sender) },
    ].compactMap { $0 }
  }

  /// Each seal is posted as its line, signed and retried as all webhooks are.
  static func webhook(_ settings: WebhookSettings, _ sender: WebhookSender) -> OutsideCheckpoint {
    // The path of the address may be a secret (DECISIONS 25).
    OutsideCheckpoint(.webhook, "webhook \(settings.host)") { seal, told in
      sender.post(to: settings, { Array("\(seal.line)\n".utf8) }, finished: told)
    }
  }

  /// A file to which each seal is added as a line; on the disk when it is told.
  static func file(_ path: String) -> OutsideCheckpoint {
    OutsideCheckpoint(.file, "file \(path)") { seal, told in
      do {
        try append(seal, to: path)
        told(nil)
      } catch { told(error) }
    }
  }

  private static func append(_ seal: Seal, to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    // A line that was cut off, by a full disk say, must not become one with this.
    let line = Array("\(seal.line)\n".utf8)
    let start = lseek(descriptor, 0, SEEK_END)
    let written = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard written == line.count, fdatasync(descriptor) == 0 else {
      let failure = failure(path)
      if start >= 0 { _ = ftruncate(descriptor, start) }
      throw failure
    }
  }

  private static func failure(_ path: String) -> GatewayFailure {
    GatewayFailure("could not write \"\(path)\": \(String(cString: strerror(errno)))")
  }
}

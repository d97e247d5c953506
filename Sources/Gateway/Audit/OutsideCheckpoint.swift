import AuditTrail
import Glibc
import NIOConcurrencyHelpers

/// One place outside the data folder that is told each new seal. A place that hangs costs one thread and no seal: what
/// it missed meanwhile it does not get, only the newest, which says all that those before it said.
final class OutsideCheckpoint: Sendable {
  let name: String
  private struct State: Sendable {
    var isBusy = false
    var told: UInt64 = 0
    var waiting: Seal?
  }
  private let state = NIOLockedValueBox(State())
  private let send: @Sendable (Seal) throws -> Void

  /// - Parameters:
  ///   - name: for people.
  ///   - send: blocks until the place has it.
  init(_ name: String, send: @escaping @Sendable (Seal) throws -> Void) {
    self.name = name
    self.send = send
  }

  /// Tells the place, if it does not have this seal yet. `report` hears why it failed, or nil; it is not called when
  /// there was nothing to tell.
  func offer(_ seal: Seal, report: (String?) -> Void) {
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
    case .none: return
    case .theirs: return report("it does not answer")
    case .ours: break
    }
    var next: Seal? = seal
    while let seal = next {
      var failure: String?
      do { try send(seal) } catch { failure = "\(error)" }
      next = state.withLockedValue { state in
        if failure == nil { state.told = seal.number }
        defer { state.waiting = nil }
        state.isBusy = state.waiting != nil && failure == nil
        return state.isBusy ? state.waiting : nil
      }
      report(failure)
    }
  }
}

extension OutsideCheckpoint {
  /// A file to which each seal is added as a line; on the disk when it is told.
  static func file(_ path: String) -> OutsideCheckpoint {
    OutsideCheckpoint("file \(path)") { seal in
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
  }

  private static func failure(_ path: String) -> GatewayFailure {
    GatewayFailure("could not write \"\(path)\": \(String(cString: strerror(errno)))")
  }
}

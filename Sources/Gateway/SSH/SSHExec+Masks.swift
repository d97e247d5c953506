import AccessModel
import Detection
import NIOCore
import PolicyEngine

/// Masks by content on what a command or shell writes.
extension SSHExec {
  /// How long a part of something that could be masked waits for the rest: an echo should not be felt to be late, and
  /// programs have more time.
  private static let echoPause = TimeAmount.milliseconds(40)
  private static let outputPause = TimeAmount.milliseconds(250)

  /// A file that is sent as a whole must arrive as it is: who may fetch files is for rules to say.
  private var isTransfer: Bool {
    guard let command, !command.effects.isUnknown else { return false }
    return command.effects.isSubset(of: [.download, .upload, .execute])
      && !command.effects.isDisjoint(with: [.download, .upload]) && command.effects != [.execute, .upload, .download]
  }

  func beginMasks(_ session: SSHConnection.Session) {
    guard let contents = session.enforcer.policy.contents, !isTransfer else { return }
    masks = SSHPort.Stream.allCases.map { _ in
      StreamMask(contents.detectors) { finding, bytes in
        contents.mask(for: finding).map { $0.applied(to: bytes, name: contents.detectors.name(of: finding.detector)) }
      }
    }
  }

  /// Names of the rules, once something was masked.
  var maskedBy: [String] {
    guard masks.contains(where: { $0.count > 0 }) else { return [] }
    return session?.enforcer.policy.contents?.masks.map(\.rule) ?? []
  }

  func letGoLater() {
    pause?.cancel()
    pause = nil
    guard masks.contains(where: \.isHolding) else { return }
    let bound = NIOLoopBound(self, eventLoop: connection.state.loop)
    pause = connection.state.loop.scheduleTask(
      in: requests.terminal == nil ? SSHExec.outputPause : SSHExec.echoPause
    ) {
      let exec = bound.value
      exec.pause = nil
      guard case .running = exec.phase else { return }
      exec.letGo()
      exec.connection.moveSoon()
    }
  }
}

extension Mask {
  /// What stands in a stream in place of what was found. Streams have no types: what needs one is named instead.
  fileprivate func applied(to bytes: [UInt8], name: String) -> [UInt8] {
    switch self {
    case .fixed(let text): return Array(text.utf8)
    case .partial(let first, let last, let keeping):
      let characters = Array(String(decoding: bytes, as: UTF8.self))
      // Kept parts that meet would show all of it.
      guard first + last < characters.count else { return Array(repeating: UInt8(ascii: "*"), count: characters.count) }
      let end = keeping.contains(.domain) ? characters.lastIndex(of: "@") ?? characters.count : characters.count
      let shown = characters.enumerated().map { index, character -> Character in
        let isKept = index < first || index >= characters.count - last || index >= end
        let isFormat = keeping.contains(.format) && !character.isLetter && !character.isNumber
        return isKept || isFormat ? character : "*"
      }
      return Array(String(shown).utf8)
    case .null, .redact, .conceal, .hash, .tokenize, .bucket: return Array("[\(name)]".utf8)
    }
  }
}

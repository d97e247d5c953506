import AccessModel
import NIOCore
import SQLAnalysis

/// What approvals need of a session: why, under which types, and a second look at what waited.
extension PostgresSession {
  /// The setting by which people say what their work is for: in `options=-c sallyport.reason=…`, or by SET.
  public static let reasonSetting = "sallyport.reason"
  /// The longest reason that is kept, in characters.
  static let reasonLimit = 1_000

  /// SET of the reason is followed as it is sent; that a rollback takes it back at the backend is of no weight here.
  mutating func noteReason(_ analysis: Analysis?) {
    guard let settings = analysis?.settings, !settings.isEmpty else { return }
    for change in settings where change.name == PostgresSession.reasonSetting || change.name == "all" {
      reason = change.isReset ? initialReason : PostgresSession.readable(change.value ?? "")
    }
  }

  /// A reason as people may be shown it: without control characters, and not endless.
  public static func readable(_ reason: String) -> String {
    String(
      String.UnicodeScalarView(
        reason.unicodeScalars.prefix(reasonLimit).map { $0.properties.generalCategory == .control ? " " : $0 }))
  }

  /// Looks at a command again that waits for its verdict, as if it had just come: the session asks for a verdict under the
  /// same number, by what names mean now. False when nothing of that number waits.
  public mutating func reconsider(_ id: CommandID) throws(ProtocolError) -> Bool {
    guard case .verdict(let pending) = clientStall, pending.id == id, lastCommand == id.rawValue else { return false }
    lastCommand -= 1
    clientStall = .none
    try advanceClient()
    return true
  }

  /// The types that the client declared for the parameters of the command that waits, as OIDs; empty without.
  public func declaredTypes(of id: CommandID) -> [UInt32] {
    guard case .verdict(let pending) = clientStall, pending.id == id, case .bind = pending.kind,
      let front = client.front(min(pending.header.bodyLength, limits.shortMessage)),
      let statement = try? BindMessage.statement(inFront: front)
    else { return [] }
    return statements.declaredTypes(of: statement)
  }
}

extension BindMessage {
  /// The name of the statement, the second of the texts that a Bind begins with.
  static func statement(inFront front: ByteBuffer) throws(ProtocolError) -> String {
    var reader = MessageReader(front, from: .client, message: "Bind")
    _ = try reader.cstring()
    return try reader.cstring()
  }
}

extension StartupMessage {
  /// A setting of the start-up packet, by itself or in `options`; of several the last.
  public func setting(_ name: String) -> String? {
    var found: String?
    for parameter in parameters {
      if parameter.name.lowercased() == name { found = parameter.value }
      guard parameter.name == "options", let settings = try? StartupPolicy.settings(inOptions: parameter.value) else {
        continue
      }
      for (key, value) in settings where key.lowercased() == name { found = value }
    }
    return found
  }
}

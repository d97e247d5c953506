import AccessModel
import NIOCore

/// What a client asked a session of replication to be; PostgreSQL runs a WAL sender for it (PostgreSQL 15, 55.4).
public enum ReplicationMode: String, Hashable, Sendable {
  /// Changes of the whole cluster, as bytes of its log and files. The backend runs no SQL in it.
  case physical = "true"
  /// Changes of one database, decoded; SQL runs in it too.
  case logical = "database"

  /// What the start-up parameter `replication` asks for; nil for none. As PostgreSQL reads it (postmaster.c).
  static func read(_ value: String) throws(ProtocolError) -> ReplicationMode? {
    if value == "database" { return .logical }
    let word = value.lowercased()
    if ["0", "f", "fa", "fal", "fals", "false", "n", "no", "of", "off"].contains(word) { return nil }
    guard ["1", "t", "tr", "tru", "true", "y", "ye", "yes", "on"].contains(word) else {
      throw .client("invalid value for parameter \"replication\": \"\(value.prefix(64))\"", code: "22023")
    }
    return .physical
  }
}

/// A command of the streaming replication protocol, as far as a decision asks (repl_scanner.l and repl_gram.y).
///
/// Whatever it is, it may read everything: a WAL sender sends what it reads as it is stored, for no rule or mask to see.
public struct ReplicationCommand: Hashable, Sendable {
  /// The words that such a command begins with, in capitals only. By them PostgreSQL tells it from SQL.
  public enum Word: String, Hashable, Sendable, CaseIterable {
    case identifySystem = "IDENTIFY_SYSTEM"
    case baseBackup = "BASE_BACKUP"
    case startReplication = "START_REPLICATION"
    case createSlot = "CREATE_REPLICATION_SLOT"
    case dropSlot = "DROP_REPLICATION_SLOT"
    case readSlot = "READ_REPLICATION_SLOT"
    case timelineHistory = "TIMELINE_HISTORY"
    case show = "SHOW"
    // Of PostgreSQL 17 and 18.
    case uploadManifest = "UPLOAD_MANIFEST"
    case alterSlot = "ALTER_REPLICATION_SLOT"
  }
  public let word: Word
  public let effects: Effects
  public let text: String

  /// nil when PostgreSQL takes the text for SQL.
  public init?(_ text: String) {
    var tokens = ReplicationTokens(text)
    guard case .word(let first) = tokens.next(), let word = Word(rawValue: first) else { return nil }
    self.word = word
    self.text = text
    effects = ReplicationCommand.effects(of: word, &tokens)
  }

  /// What it may do; its footprint is everything.
  public var command: Command {
    let statement = SQLStatement(kind: .replicate, effects: effects, footprint: .everything, lineage: .unknown)
    return Command(
      effects: effects, footprint: .everything, text: text, detail: .sql(SQLDetail(statements: [statement])))
  }

  private static func effects(of word: Word, _ tokens: inout ReplicationTokens) -> Effects {
    let sends: Effects = [.read, .replicate]
    switch word {
    case .identifySystem, .startReplication, .readSlot, .timelineHistory, .show, .uploadManifest: return sends
    case .createSlot:
      // A slot that outlives the session keeps the backend from removing its log.
      _ = tokens.next()
      return tokens.next() == .word("TEMPORARY") ? sends : sends.union(.administer)
    case .dropSlot, .alterSlot: return sends.union(.administer)
    case .baseBackup: return storesAtBackend(&tokens) ? .unknown : sends
    }
  }

  /// Whether a base backup goes anywhere but to the client: `TARGET 'server'` writes files of the backend's machine.
  private static func storesAtBackend(_ tokens: inout ReplicationTokens) -> Bool {
    while let token = tokens.next() {
      switch token {
      case .word(let name), .quoted(let name):
        guard name.lowercased() == "target" else { continue }
        guard tokens.next() == .string("client") else { return true }
      case .string, .other: continue
      case .unterminated: return true
      }
    }
    return false
  }
}

/// Splits a replication command as repl_scanner.l does: it knows no comments and no escapes but doubled quotes.
private struct ReplicationTokens {
  enum Token: Hashable {
    case word(String), quoted(String), string(String), other, unterminated
  }
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = Substring(text).utf8 }

  mutating func next() -> Token? {
    rest = rest.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
    guard let first = rest.first else { return nil }
    if ReplicationTokens.beginsWord(first) { return word() }
    rest = rest.dropFirst()
    switch first {
    case UInt8(ascii: "'"): return content(to: first).map { .string($0) } ?? .unterminated
    case UInt8(ascii: "\""): return content(to: first).map { .quoted($0) } ?? .unterminated
    case _: return .other
    }
  }

  private mutating func word() -> Token {
    let end = rest.firstIndex { !ReplicationTokens.continuesWord($0) } ?? rest.endIndex
    defer { rest = rest[end...] }
    return .word(String(decoding: rest[..<end], as: UTF8.self))
  }

  private mutating func content(to quote: UInt8) -> String? {
    var bytes: [UInt8] = []
    while let byte = rest.first {
      rest = rest.dropFirst()
      if byte == quote {
        guard rest.first == quote else { return String(decoding: bytes, as: UTF8.self) }
        rest = rest.dropFirst()
      }
      bytes.append(byte)
    }
    return nil
  }

  private static func beginsWord(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_") || byte >= 0x80
  }

  private static func continuesWord(_ byte: UInt8) -> Bool {
    beginsWord(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "$")
  }
}

extension StartupMessage {
  /// What session of replication was asked for; nil for an ordinary one, and for values that are refused.
  public var replication: ReplicationMode? { self["replication"].flatMap { try? ReplicationMode.read($0) } ?? nil }

  /// The setting that names the connection where the client cannot: programs for physical replication always ask for the
  /// database `replication`.
  public static let connectionSetting = "sallyport.connection"
}

/// A session of replication: commands, and the COPY in both directions that some of them begin.
extension PostgresSession {
  /// nil when the text is SQL.
  func replicationCommand(_ text: ByteBuffer) -> ReplicationCommand? {
    guard replication != nil, text.readableBytes <= limits.sqlText,
      let text = String(validating: text.readableBytesView, as: UTF8.self)
    else { return nil }
    return ReplicationCommand(text)
  }

  /// A WAL sender that streams takes the client's reports on how far it is, and the end; anything else ends the
  /// connection there, and does here.
  mutating func takeFrameOfStream(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    switch header.tag {
    case FrontendTag.copyData: return try takeCopyData(header)
    case FrontendTag.copyDone:
      try requireEmpty(header, "CopyDone")
      isCopyingBoth = false
      forward(header, under: ControlPermit(.copyData))
      // The backend ends its direction now, and answers what comes next only then.
      waitForReplies()
      return true
    case FrontendTag.terminate: return try takeShortFrame(header)
    case let tag:
      throw .client("invalid standby message type \"\(String(UnicodeScalar(tag)))\"")
    }
  }

  mutating func takeCopyBothResponse(_ header: FrameHeader) throws(ProtocolError) {
    guard replication != nil, !maskable, replies.count == 1, case .query = replies.head else {
      throw .backend("the backend began a stream that the gateway did not see coming")
    }
    isCopyingBoth = true
    if case .replies = clientStall { clientStall = .none }
    beginProgressIfNeeded()
    backend.pass(header)
  }
}

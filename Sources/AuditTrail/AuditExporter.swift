/// Turns records into lines for other systems, one at a time and in bounded memory.
///
/// Give it all records of a trail in order, also those before the time that is asked for: sessions begin there.
public struct AuditExporter {
  public enum Format: String, CaseIterable, Sendable {
    /// Each record as it is, with the facts of its session.
    case json
    /// Events of the Open Cybersecurity Schema Framework: Datastore Activity and Authentication.
    case ocsf
  }
  private let format: Format
  private let filter: AuditFilter
  private var sessions = SessionBook()
  private var commands = CommandBook()
  private let events: OCSFEvents

  /// - Parameter version: of the product, as events name it.
  public init(_ format: Format, filter: AuditFilter, version: String) {
    self.format = format
    self.filter = filter
    events = OCSFEvents(version: version)
  }

  /// The lines that a record makes, without their ends.
  public mutating func lines(for record: AuditRecord) -> [String] {
    guard let entry = record.entry else { return [] }
    sessions.open(record, entry)
    defer { sessions.close(entry) }
    let session = sessions.find(entry.session)
    switch format {
    case .json:
      guard filter.matches(record, entry, owner: session?.entry.user) else { return [] }
      return [AuditFormatter.jsonLine(for: record, session: entry.event == "session_opened" ? nil : session)]
    case .ocsf: return ocsf(record, entry, session)
    }
  }

  /// The lines of what had begun and has not ended at the end of the trail.
  public mutating func remainder() -> [String] { commands.takeAll().map { events.command($0, ended: nil) } }

  /// Commands become one event, when they end; what was refused has ended when it was decided.
  private mutating func ocsf(_ record: AuditRecord, _ entry: AuditEntry, _ session: SessionBook.Facts?) -> [String] {
    let isWanted = filter.matches(record, entry, owner: session?.entry.user)
    switch entry.event {
    case "authenticated" where isWanted: return [events.authentication(record, entry)]
    case "authenticated_repeatedly" where isWanted: return [events.authentications(record, entry)]
    case "denied_repeatedly" where isWanted: return [events.denials(record, entry, session)]
    case "session_closed" where isWanted: return [events.logoff(record, entry, session)]
    case "decided" where isWanted:
      let command = CommandBook.Command(record: record, entry: entry, session: session)
      guard entry.action == "permit", entry.stage != "prepare" else { return [events.command(command, ended: nil)] }
      return commands.begin(command).map { events.command($0, ended: nil) }
    // The decision was wanted, or else it is not known here.
    case "finished":
      // A portal that stopped at its row limit goes on under the same command.
      if entry.ending == "suspended" { return [] }
      return commands.end(entry).map { [events.command($0, ended: entry)] } ?? []
    case _: return []
    }
  }
}

/// Commands that were permitted and have not ended. Bounded in number and bytes: the oldest then goes without an end.
struct CommandBook {
  struct Command {
    var record: AuditRecord
    var entry: AuditEntry
    var session: SessionBook.Facts?
  }
  private struct Key: Hashable {
    var session: String
    var command: UInt64
  }
  private var commands: [Key: Command] = [:]
  private var order: [Key] = []
  private var bytes = 0
  private let limit: Int
  private let byteLimit: Int

  init(limit: Int = 65_536, byteLimit: Int = 64 << 20) {
    self.limit = max(1, limit)
    self.byteLimit = byteLimit
  }

  /// Takes note of one; returns those that have to go for it.
  mutating func begin(_ command: Command) -> [Command] {
    let key = Key(session: command.entry.session ?? "", command: command.entry.command ?? 0)
    var gone = remove(key).map { [$0] } ?? []
    commands[key] = command
    order.append(key)
    bytes += command.record.payload.count
    while commands.count > limit || bytes > byteLimit && commands.count > 1, let oldest = order.first {
      order.removeFirst()
      if let command = remove(oldest) { gone.append(command) }
    }
    if order.count > 2 * limit { order.removeAll { commands[$0] == nil } }
    return gone
  }

  mutating func end(_ entry: AuditEntry) -> Command? {
    remove(Key(session: entry.session ?? "", command: entry.command ?? 0))
  }

  /// All of them, in the order of their decisions.
  mutating func takeAll() -> [Command] {
    defer {
      commands = [:]
      order = []
      bytes = 0
    }
    var left: [Command] = []
    for key in order { if let command = remove(key) { left.append(command) } }
    return left
  }

  private mutating func remove(_ key: Key) -> Command? {
    guard let command = commands.removeValue(forKey: key) else { return nil }
    bytes -= command.record.payload.count
    return command
  }
}

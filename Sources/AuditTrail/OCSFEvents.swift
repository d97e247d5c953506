#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Writes records as events of the Open Cybersecurity Schema Framework, version 1.3.0 (schema.ocsf.io): commands as
/// Datastore Activity (class 6005) with the profile Security Control, sign-ins as Authentication (class 3002).
struct OCSFEvents {
  static let schema = "1.3.0"
  /// Of Datastore Activity; Authentication has none of them.
  private static let profiles = ["security_control"]
  private let version: String

  init(version: String) { self.version = version }

  // MARK: Commands

  /// One command, with its outcome when that is known.
  func command(_ command: CommandBook.Command, ended: AuditEntry?) -> String {
    let entry = command.entry
    let activity = Activity(of: entry)
    let isAllowed = entry.action == "permit"
    var event = Event(
      class: 6005, "Datastore Activity", category: 6, "Application Activity", activity: activity.id, activity.name,
      time: command.record.time, severity: isAllowed ? 1 : entry.action == "hold" ? 2 : 3,
      metadata: metadata(command.record, profiles: OCSFEvents.profiles))
    event.status(isAllowed, entry, ended)
    event.actionID = isAllowed ? 1 : entry.action == "deny" ? 2 : 0
    event.dispositionID =
      switch (entry.action, entry.approvers?.isEmpty ?? true) {
      case ("permit", false): 8
      case ("permit", true): 1
      case ("deny", _): 2
      case _: 14
      }
    event.actor = OCSF.Actor(
      user: OCSF.User(command.session?.entry), session: OCSF.Session(entry.session, command.session),
      appName: command.session?.entry.application,
      authorizations: [
        OCSF.Authorization(
          decision: entry.action ?? "?",
          policy: OCSF.Policy(name: entry.rule ?? "access", uid: entry.policy, desc: entry.reason))
      ])
    event.sourceEndpoint = OCSF.Endpoint(command.session?.entry.client)
    event.destinationEndpoint = OCSF.Endpoint(
      command.session?.entry.backend, name: command.session?.entry.connection)
    event.database = OCSF.Database(
      name: command.session?.entry.database ?? "unknown", type: "Relational", typeID: 1,
      uid: command.session?.entry.connection)
    event.tables(entry)
    event.typeID = 1
    event.queryInfo = OCSF.QueryInfo(
      text: entry.text, uid: entry.command.map { "\(entry.session ?? "")/\($0)" }, bytes: ended?.bytes)
    if let ended {
      event.duration = (ended.duration ?? 0) / 1000
      event.endTime = (command.record.time + (ended.duration ?? 0)) / 1000
    }
    event.unmapped = OCSF.Unmapped(entry, command.session?.entry, ended)
    return event.line
  }

  /// Commands that were refused and counted together.
  func denials(_ record: AuditRecord, _ entry: AuditEntry, _ session: SessionBook.Facts?) -> String {
    var event = Event(
      class: 6005, "Datastore Activity", category: 6, "Application Activity", activity: 99, "Refused repeatedly",
      time: record.time, severity: 3, metadata: metadata(record, profiles: OCSFEvents.profiles))
    event.status(false, entry, nil)
    event.actionID = 2
    event.dispositionID = 2
    event.actor = OCSF.Actor(
      user: OCSF.User(session?.entry), session: OCSF.Session(entry.session, session),
      appName: session?.entry.application,
      authorizations: [
        OCSF.Authorization(
          decision: entry.action ?? "?",
          policy: OCSF.Policy(name: entry.rule ?? "access", uid: entry.policy, desc: entry.reason))
      ])
    event.sourceEndpoint = OCSF.Endpoint(session?.entry.client)
    event.destinationEndpoint = OCSF.Endpoint(session?.entry.backend, name: session?.entry.connection)
    event.database = OCSF.Database(
      name: session?.entry.database ?? "unknown", type: "Relational", typeID: 1, uid: session?.entry.connection)
    event.typeID = 1
    event.repeats(entry)
    event.unmapped = OCSF.Unmapped(repeated: entry, session?.entry)
    return event.line
  }

  // MARK: Sign-ins

  func authentication(_ record: AuditRecord, _ entry: AuditEntry) -> String {
    let succeeded = entry.succeeded == true
    var event = Event(
      class: 3002, "Authentication", category: 3, "Identity & Access Management", activity: 1, "Logon",
      time: record.time, severity: succeeded ? 1 : 2, metadata: metadata(record))
    event.statusID = succeeded ? 1 : 2
    event.status = succeeded ? "Success" : "Failure"
    event.statusDetail = entry.reason
    event.user = OCSF.User(name: entry.user ?? "unknown")
    event.sourceEndpoint = OCSF.Endpoint(entry.client)
    event.service = OCSF.Service(name: "sallyport")
    event.isRemote = true
    event.authProtocolID = 99
    event.authProtocol = entry.method
    return event.line
  }

  /// Sign-ins that failed and were counted together.
  func authentications(_ record: AuditRecord, _ entry: AuditEntry) -> String {
    var event = Event(
      class: 3002, "Authentication", category: 3, "Identity & Access Management", activity: 1, "Logon",
      time: record.time, severity: 3, metadata: metadata(record))
    event.statusID = 2
    event.status = "Failure"
    event.statusDetail = entry.reason
    event.user = OCSF.User(name: entry.users?.count == 1 ? entry.users?.first ?? "unknown" : "several")
    event.sourceEndpoint = OCSF.Endpoint(entry.client)
    event.service = OCSF.Service(name: "sallyport")
    event.isRemote = true
    event.authProtocolID = 99
    event.repeats(entry)
    event.unmapped = OCSF.Unmapped(repeated: entry, nil)
    return event.line
  }

  /// The end of a session.
  func logoff(_ record: AuditRecord, _ entry: AuditEntry, _ session: SessionBook.Facts?) -> String {
    var event = Event(
      class: 3002, "Authentication", category: 3, "Identity & Access Management", activity: 2, "Logoff",
      time: record.time, severity: 1, metadata: metadata(record))
    event.statusID = 1
    event.status = "Success"
    event.statusDetail = entry.reason
    event.user = OCSF.User(session?.entry) ?? OCSF.User(name: "unknown")
    event.sourceEndpoint = OCSF.Endpoint(session?.entry.client)
    event.destinationEndpoint = OCSF.Endpoint(session?.entry.backend, name: session?.entry.connection)
    event.service = OCSF.Service(name: "sallyport")
    event.session = OCSF.Session(entry.session, session)
    event.isRemote = true
    return event.line
  }

  private func metadata(_ record: AuditRecord, profiles: [String]? = nil) -> OCSF.Metadata {
    OCSF.Metadata(
      version: OCSFEvents.schema, product: OCSF.Product(name: "Sallyport", vendorName: "Sallyport", version: version),
      uid: "\(record.lane)/\(record.sequence)", sequence: record.sequence, profiles: profiles,
      logName: "audit")
  }

  /// What a command did to the data, in the words of the schema.
  struct Activity {
    var id: Int
    var name: String

    /// By the most that it may do: creating counts before deleting, that before changing, that before reading.
    init(of entry: AuditEntry) {
      let kinds = Set(entry.statements ?? [])
      let effects = Set(entry.effects ?? [])
      (id, name) =
        if entry.stage == "prepare" || effects.contains("unknown") {
          (99, "Other")
        } else if effects.contains("define") {
          (6, "Create")
        } else if kinds.contains("delete") || kinds.contains("truncate") {
          (7, "Delete")
        } else if kinds.contains("update") || kinds.contains("merge") {
          (2, "Update")
        } else if effects.contains("write") || effects.contains("upload") {
          (5, "Write")
        } else if kinds.contains("select") {
          (4, "Query")
        } else if effects.contains("read") || effects.contains("download") {
          (1, "Read")
        } else {
          (99, "Other")
        }
    }
  }
}

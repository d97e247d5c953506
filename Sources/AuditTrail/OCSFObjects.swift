#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The objects of the schema, as far as our events have them; what is nil is left out.
enum OCSF {
  struct Product: Encodable {
    var name: String
    var vendorName: String
    var version: String
    private enum CodingKeys: String, CodingKey {
      case name, version
      case vendorName = "vendor_name"
    }
  }
  struct Metadata: Encodable {
    var version: String
    var product: Product
    /// Lane and number of the record.
    var uid: String
    var sequence: UInt64
    /// Nil for a class that has none of ours.
    var profiles: [String]?
    var logName: String
    private enum CodingKeys: String, CodingKey {
      case version, product, uid, sequence, profiles
      case logName = "log_name"
    }
  }
  struct Group: Encodable { var name: String }
  struct User: Encodable {
    var name: String
    var groups: [Group]?

    init(name: String) { self.name = name }

    /// Of a `session_opened` record.
    init?(_ entry: AuditEntry?) {
      guard let entry, let user = entry.user else { return nil }
      name = user
      groups = entry.groups?.map(Group.init(name:))
    }
  }
  struct Session: Encodable {
    var uid: String
    /// Milliseconds since 1970.
    var createdTime: Int64?
    var isRemote = true
    private enum CodingKeys: String, CodingKey {
      case uid
      case createdTime = "created_time"
      case isRemote = "is_remote"
    }

    init?(_ uid: String?, _ facts: SessionBook.Facts?) {
      guard let uid else { return nil }
      self.uid = uid
      createdTime = facts.map { $0.openedAt / 1000 }
    }
  }
  struct Policy: Encodable {
    var name: String
    var uid: String?
    var desc: String?
  }
  struct Authorization: Encodable {
    var decision: String
    var policy: Policy
  }
  struct Actor: Encodable {
    var user: User?
    /// There whenever the user is not: one of them has to be.
    var session: Session?
    var appName: String?
    var authorizations: [Authorization]
    private enum CodingKeys: String, CodingKey {
      case user, session, authorizations
      case appName = "app_name"
    }
  }
  struct Endpoint: Encodable {
    var ip: String?
    var port: Int?
    var name: String?

    /// An address, with its port or without; `unknown` when there is none, since an endpoint must say something.
    init(_ address: String?, name: String? = nil) {
      self.name = name
      guard let address, !address.isEmpty else {
        self.name = name ?? "unknown"
        return
      }
      let parts = address.split(separator: ":")
      if parts.count == 2, let port = Int(parts[1]) {
        (ip, self.port) = (String(parts[0]), port)
      } else if let colon = address.lastIndex(of: ":"), parts.count > 8 || address.hasPrefix("["),
        let port = Int(address[address.index(after: colon)...])
      {
        (ip, self.port) = (address[..<colon].filter { $0 != "[" && $0 != "]" }, port)
      } else if address.contains(".") || address.contains(":") {
        ip = address
      } else {
        self.name = name ?? address
      }
    }
  }
  struct Database: Encodable {
    var name: String
    var type: String
    var typeID: Int
    /// The connection's name.
    var uid: String?
    private enum CodingKeys: String, CodingKey {
      case name, type, uid
      case typeID = "type_id"
    }
  }
  struct Table: Encodable { var name: String }
  struct Service: Encodable { var name: String }
  struct QueryInfo: Encodable {
    var query: String?
    var uid: String?
    var bytes: Int?
    private enum CodingKeys: String, CodingKey {
      case uid, bytes
      case query = "query_string"
    }

    init?(text: String?, uid: String?, bytes: Int?) {
      guard let text else { return nil }
      query = text
      self.uid = uid
      self.bytes = bytes
    }
  }
  /// What the schema has no place for.
  struct Unmapped: Encodable {
    var rows: Int?
    var tag: String?
    var masked: [String]?
    /// Rules in shadow, and what they would have masked.
    var shadow: [String]?
    var wouldMask: [String]?
    var effects: [String]?
    var approvers: [String]?
    var textBytes: Int?
    var textSHA256: String?
    var gateway: String?
    var backendUser: String?
    /// Of what was counted together.
    var sha256: String?
    var users: [String]?
    private enum CodingKeys: String, CodingKey {
      case rows, tag, masked, shadow, effects, approvers, gateway, sha256, users
      case wouldMask = "would_mask"
      case textBytes = "text_bytes"
      case textSHA256 = "text_sha256"
      case backendUser = "backend_user"
    }

    init(repeated entry: AuditEntry, _ session: AuditEntry?) {
      sha256 = entry.sha256
      users = entry.users
      gateway = session?.gateway
      backendUser = session?.backendUser
    }

    init(_ entry: AuditEntry, _ session: AuditEntry?, _ ended: AuditEntry?) {
      rows = ended?.rows
      tag = ended?.tag
      masked = ended?.masked
      shadow = entry.shadow
      wouldMask = ended?.wouldMask
      effects = entry.effects
      approvers = entry.approvers
      textBytes = entry.textBytes
      textSHA256 = entry.textSHA256
      gateway = session?.gateway
      backendUser = session?.backendUser
    }
  }
}

/// One event: what all classes have, and what some have. Times are in milliseconds since 1970.
struct Event: Encodable {
  var activityID: Int
  var activityName: String
  var categoryUID: Int
  var categoryName: String
  var classUID: Int
  var className: String
  var typeUID: Int
  var time: Int64
  var severityID: Int
  var severity: String
  var metadata: OCSF.Metadata
  var statusID = 0
  var status = "Unknown"
  var statusCode: String?
  var statusDetail: String?
  var actionID: Int?
  var dispositionID: Int?
  var actor: OCSF.Actor?
  var user: OCSF.User?
  var session: OCSF.Session?
  var sourceEndpoint: OCSF.Endpoint?
  var destinationEndpoint: OCSF.Endpoint?
  var service: OCSF.Service?
  var database: OCSF.Database?
  var table: OCSF.Table?
  var typeID: Int?
  var queryInfo: OCSF.QueryInfo?
  var authProtocolID: Int?
  var authProtocol: String?
  var isRemote: Bool?
  var duration: Int64?
  var startTime: Int64?
  var endTime: Int64?
  var count: UInt64?
  var unmapped: OCSF.Unmapped?

  private enum CodingKeys: String, CodingKey {
    case time, severity, metadata, status, actor, user, session, service, database, table, duration, unmapped, count
    case activityID = "activity_id"
    case activityName = "activity_name"
    case categoryUID = "category_uid"
    case categoryName = "category_name"
    case classUID = "class_uid"
    case className = "class_name"
    case typeUID = "type_uid"
    case severityID = "severity_id"
    case statusID = "status_id"
    case statusCode = "status_code"
    case statusDetail = "status_detail"
    case actionID = "action_id"
    case dispositionID = "disposition_id"
    case sourceEndpoint = "src_endpoint"
    case destinationEndpoint = "dst_endpoint"
    case typeID = "type_id"
    case queryInfo = "query_info"
    case authProtocolID = "auth_protocol_id"
    case authProtocol = "auth_protocol"
    case isRemote = "is_remote"
    case startTime = "start_time"
    case endTime = "end_time"
  }

  /// `time` in µs since 1970, as records have it.
  init(
    class uid: Int, _ name: String, category: Int, _ categoryName: String, activity: Int, _ activityName: String,
    time: Int64, severity: Int, metadata: OCSF.Metadata
  ) {
    activityID = activity
    self.activityName = activityName
    categoryUID = category
    self.categoryName = categoryName
    classUID = uid
    className = name
    typeUID = uid * 100 + activity
    self.time = time / 1000
    severityID = severity
    self.severity = ["Unknown", "Informational", "Low", "Medium"][severity]
    self.metadata = metadata
  }

  /// How a command came out: refused, done, failed, or not known.
  mutating func status(_ isAllowed: Bool, _ entry: AuditEntry, _ ended: AuditEntry?) {
    statusDetail = entry.reason
    if entry.action == "deny" {
      (statusID, status, statusCode) = (2, "Failure", "42501")
    } else if let ended {
      let isDone = ended.ending == "completed"
      (statusID, status, statusCode) = (isDone ? 1 : 2, isDone ? "Success" : "Failure", ended.error)
      if !isDone { statusDetail = ended.ending }
    } else if entry.stage == "prepare", isAllowed {
      (statusID, status) = (1, "Success")
    }
  }

  /// How often it was, and from when to when.
  mutating func repeats(_ entry: AuditEntry) {
    count = entry.count
    startTime = entry.since.flatMap(AuditFormatter.microseconds).map { $0 / 1000 }
    endTime = entry.until.flatMap(AuditFormatter.microseconds).map { $0 / 1000 }
  }

  /// The table, where it is one.
  mutating func tables(_ entry: AuditEntry) {
    guard case .resources(let accesses) = entry.footprint else { return }
    let names = accesses.filter { $0.kind == "relation" }.map { $0.path.map { $0 ?? "?" }.joined(separator: ".") }
    if names.count == 1, let name = names.first { table = OCSF.Table(name: name) }
  }

  /// One line of JSON.
  var line: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}

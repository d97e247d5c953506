#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The content of one record as it is read back; members that its event does not have are nil.
///
/// Names are those of the JSON. It is wide and flat because it serves to print and to search, not to decide.
public struct AuditEntry: Hashable, Sendable, Decodable {
  public struct Access: Hashable, Sendable, Decodable {
    public var kind: String
    public var path: [String?]
    public var effects: [String]
  }
  /// What a command may touch: everything, or these.
  public enum Footprint: Hashable, Sendable, Decodable {
    case everything
    case resources([Access])

    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if (try? container.decode(String.self)) == "everything" {
        self = .everything
      } else {
        self = .resources(try container.decode([Access].self))
      }
    }
  }

  /// The values bound to a command's parameters.
  public enum Binds: Hashable, Sendable, Decodable {
    /// They may belong to a column that is masked for the person.
    case masked
    /// The text speaks of a secret.
    case secret
    case values([Bind])

    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      switch try? container.decode(String.self) {
      case "masked": self = .masked
      case .some: self = .secret
      case nil: self = .values(try container.decode([Bind].self))
      }
    }
  }
  /// One bound value; the bounds of a record cut `text` and `hex`, `bytes` is then the whole length.
  public struct Bind: Hashable, Sendable, Decodable {
    /// As PostgreSQL would write it; nil for NULL, and where only the bytes are known.
    public var text: String?
    public var hex: String?
    public var bytes: Int?
    public var secret: Bool?

    private enum CodingKeys: String, CodingKey { case text, hex, bytes, secret }

    public init(from decoder: any Decoder) throws {
      let single = try decoder.singleValueContainer()
      if single.decodeNil() { return }
      if let text = try? single.decode(String.self) {
        self.text = text
        return
      }
      let container = try decoder.container(keyedBy: CodingKeys.self)
      text = try container.decodeIfPresent(String.self, forKey: .text)
      hex = try container.decodeIfPresent(String.self, forKey: .hex)
      bytes = try container.decodeIfPresent(Int.self, forKey: .bytes)
      secret = try container.decodeIfPresent(Bool.self, forKey: .secret)
    }
  }

  /// `gateway_started`, `gateway_stopped`, `authenticated`, `session_opened`, `session_closed`, `decided`, `finished`,
  /// `recorded`, `typed`, `control`, `approval`, `administration`, `configuration_reloaded`, `denied_repeatedly` or
  /// `authenticated_repeatedly`.
  public var event: String
  public var session: String?
  public var command: UInt64?
  // gateway_started, gateway_stopped
  public var version: String?
  public var policy: String?
  public var reason: String?
  // authenticated, session_opened
  public var user: String?
  public var client: String?
  public var method: String?
  public var succeeded: Bool?
  public var gateway: String?
  public var region: String?
  public var groups: [String]?
  public var connection: String?
  public var labels: [String: String]?
  public var `protocol`: String?
  public var backend: String?
  public var backendUser: String?
  public var database: String?
  public var application: String?
  // decided
  public var action: String?
  public var rule: String?
  public var approvers: [String]?
  /// Rules in shadow that met the command.
  public var shadow: [String]?
  public var stage: String?
  public var effects: [String]?
  public var footprint: Footprint?
  public var footprintCount: Int?
  public var statements: [String]?
  public var statementCount: Int?
  public var misunderstood: String?
  /// `exec`, `shell`, `subsystem` or `forward`.
  public var sshRequest: String?
  /// `enforced` where it was decided before it ran, `observed` for shells and for what is typed into them.
  public var assurance: String?
  /// Names of the programs that an SSH command's text has.
  public var programs: [String]?
  public var text: String?
  public var textBytes: Int?
  public var textSHA256: String?
  public var redacted: Bool?
  /// How many values the text does not show, and a keyed hash of the exact one.
  public var hiddenValues: Int?
  public var textHMAC: String?
  public var parameters: Int?
  public var parameterBytes: Int?
  public var binds: Binds?
  // finished
  public var ending: String?
  public var tag: String?
  public var error: String?
  public var rows: Int?
  public var bytes: Int?
  public var masked: [String]?
  public var maskedCount: Int?
  /// What rules in shadow would have hidden something in.
  public var wouldMask: [String]?
  public var duration: Int64?
  // recorded
  public var offset: Int?
  public var cut: Bool?
  public var sha256: String?
  // control, approval, administration
  public var purpose: String?
  public var request: Int64?
  public var step: String?
  public var person: String?
  public var actor: String?
  public var verb: String?
  public var subject: String?
  // configuration_reloaded, with actor, succeeded and policy
  public var trigger: String?
  public var previous: String?
  public var changes: [String]?
  public var notes: [String]?
  // denied_repeatedly, with session, action, rule, policy, reason and sha256; authenticated_repeatedly, with client,
  // succeeded, reason and sha256
  public var count: UInt64?
  /// ISO 8601.
  public var since: String?
  public var until: String?
  public var firstCommand: UInt64?
  public var lastCommand: UInt64?
  public var inPlace: UInt64?
  public var users: [String]?

  private enum CodingKeys: String, CodingKey {
    case event, session, command, version, policy, reason, user, client, method, succeeded, gateway, region, groups,
      connection, labels, `protocol`, backend, database, application, action, rule, approvers, shadow, stage, effects,
      footprint, statements, misunderstood, text, redacted, parameters, binds, offset, cut, sha256, ending, tag, error,
      rows, bytes, masked, programs, assurance,
      purpose, request, step, person, actor, verb, subject, trigger, previous, changes, notes,
      count, since, until, users
    case firstCommand = "first_command"
    case lastCommand = "last_command"
    case inPlace = "in_place"
    case backendUser = "backend_user"
    case sshRequest = "ssh_request"
    case footprintCount = "footprint_count"
    case statementCount = "statement_count"
    case textBytes = "text_bytes"
    case textSHA256 = "text_sha256"
    case hiddenValues = "hidden_values"
    case textHMAC = "text_hmac"
    case parameterBytes = "parameter_bytes"
    case maskedCount = "masked_count"
    case wouldMask = "would_mask"
    case duration = "duration_us"
  }
}

extension AuditRecord {
  /// The payload, decoded; nil when it is no JSON of ours, which a record that passed its check always is.
  public var entry: AuditEntry? { try? JSONDecoder().decode(AuditEntry.self, from: Data(payload)) }
}

extension AuditEntry.Binds: CustomStringConvertible {
  /// `['7', NULL, \x00ff, 'the front…' (70000 bytes), secret]`, `masked` or `secret`.
  public var description: String {
    switch self {
    case .masked: "masked"
    case .secret: "secret"
    case .values(let values): "[\(values.map(\.description).joined(separator: ", "))]"
    }
  }
}

extension AuditEntry.Bind: CustomStringConvertible {
  public var description: String {
    if secret == true { return "secret" }
    let cut = bytes.map { "… (\($0) bytes)" } ?? ""
    if let hex { return "\\x\(hex)\(cut)" }
    return text.map { "'\($0)'\(cut)" } ?? "NULL"
  }
}

extension RecordFront {
  var entry: AuditEntry? { try? JSONDecoder().decode(AuditEntry.self, from: Data(bytes)) }
}

import AccessModel
import Detection
import Identity
import PolicyEngine
import Residency

/// The whole of a gateway's configuration, read and checked.
public struct GatewayConfiguration: Sendable, Hashable {
  public var gateway: GatewaySettings
  /// By name.
  public var users: [String: UserSettings]
  /// Groups whose members may do something on the gateway itself.
  public var roles: [GatewayRole: [String]]
  /// By name.
  public var connections: [String: ConnectionSettings]
  public var policy: PolicyDocument
  /// Digest of all source files, in order, each with its name and length; lower-case hex if the caller's digest is.
  public var policyHash: String
  /// What the catalogue cannot tell of routines (DECISIONS 7).
  public var functions: [FunctionDeclaration]
  public var approvals = ApprovalSettings()
  /// What the configuration adds to the catalogue of detectors.
  public var detectors: [CustomDetector] = []
  /// The folder of the file, or the folder that was read; empty for text. Relative files are relative to it.
  public var directory: String
}

extension GatewayConfiguration {
  /// A file named in the configuration, as seen from the process.
  public func path(of file: String) -> String { BoundedFile.join(directory, file) }

  /// Who asks, for the policy; nil when there is no such user or connection.
  public func subject(user: String, connection: String, clientAddress: String) -> Subject? {
    guard let settings = users[user], let target = connections[connection] else { return nil }
    return Subject(
      user: user, groups: settings.groups, connection: connection, labels: target.labels,
      protocolName: target.protocolName, clientAddress: clientAddress)
  }

  /// True when the user is in a group that has the role. While roles.approver is not written, those whom some rule names
  /// are approvers; of the other roles nobody is then.
  public func user(_ user: String, has role: GatewayRole) -> Bool {
    guard let groups = users[user]?.groups else { return false }
    if let entitled = roles[role] { return groups.contains(where: entitled.contains) }
    return role == .approver && policy.approvers.contains(where: groups.contains)
  }
}

/// What the gateway's own process needs to know.
public struct GatewaySettings: Sendable, Hashable {
  public var name: String
  /// The region that the gateway itself stands in; nil when it does not say.
  public var region: String?
  /// Folder of state, audit and recordings, as written; `./data` when not said.
  public var data: String
  /// Where PostgreSQL clients connect; port 0 lets the system choose.
  public var listenPostgres: Endpoint
  /// Where SSH clients connect; port 0 lets the system choose; nil: nowhere.
  public var listenSSH: Endpoint?
  /// Where health and metrics are asked for, and control verbs by token; nil: nowhere.
  public var listenConsole: Endpoint?
  /// What people's browsers reach the console by, without a slash at the end; nil: links are not handed out.
  public var consoleURL: String?
  /// Where people with other accounts of this machine operate the gateway; nil: nowhere but in the data folder.
  public var listenControl: ControlSocketSettings?
  /// How long sessions have to end when the gateway is told to stop.
  public var drain = Duration.seconds(10)
  /// nil: from the gateway's own generated authority.
  public var tls: ListenerTLS?
  /// Event loops, 1 to 64; nil: as many as there are cores.
  public var threads: Int?
  /// Where a connection has none of its own.
  public var limits = SessionLimits()
  /// Load balancers: connections from there begin with a PROXY header, which says where the client is.
  public var balancers: [NetworkRange] = []
  public var audit = AuditSettings()
  /// Where a connection has none of its own.
  public var recording = RecordingSettings()
}

/// A control socket beside the one in the data folder, which is for the gateway's own account alone.
public struct ControlSocketSettings: Sendable, Hashable {
  /// As written.
  public var path: String
  /// Who may connect, by the file's mode.
  public var mode: UInt16 = 0o660
  /// The group that the file belongs to, by name or number; nil: the gateway's own.
  public var group: String?
}

/// The certificate that clients see.
public struct ListenerTLS: Sendable, Hashable {
  /// File with the PEM chain, as written.
  public var certificate: String
  public var key: SecretReference
}

/// A person or a service that may sign in.
public struct UserSettings: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable { case person, service }
  /// How PostgreSQL clients prove who they are; chosen before a secret is seen.
  public enum Authentication: String, Sendable, Hashable, CaseIterable { case scram, token }
  public var name: String
  public var kind: Kind
  public var groups: [String]
  /// The person who answers for a service; nil for people.
  public var owner: String?
  public var authentication: Authentication
  /// Public keys by which SSH clients prove who they are.
  public var keys: [AuthorizedKey] = []
  /// The account of the gateway's machine, by name or number, that is this person at a control socket; nil: none.
  public var account: String?
}

/// What people may do on the gateway itself.
public enum GatewayRole: String, Sendable, Hashable, CaseIterable {
  case approver, auditor, admin, revealer
}

/// One backend that people reach through the gateway by its name.
public struct ConnectionSettings: Sendable, Hashable {
  public var name: String
  /// `postgres`, as rules and grants spell it.
  public var protocolName: String
  public var labels: [String: String]
  public var address: Endpoint
  /// The database on the backend; the connection's own name when not said.
  public var database: String
  /// Other databases that `connection/database` may name (DECISIONS 27); empty without any.
  public var databases: [String]
  public var region: String?
  public var tls: BackendTLS
  /// File of certificates that the backend's is checked against; nil: the system's.
  public var tlsAuthority: String?
  public var channelBinding = BackendChannelBinding.prefer
  /// In order; see `credential(for:)`.
  public var credentials: [BackendCredential]
  public var limits = SessionLimits()
  public var recording = RecordingSettings()
  /// Accounts of an SSH backend that people may name (DECISIONS 31); empty: only those that the credentials choose.
  public var logins: [String] = []
  /// Fingerprints of an SSH backend's host keys, one of which it has to prove: `SHA256:…` as ssh-keygen -l prints it.
  public var hostKeys: [String] = []

  /// The account that people of these groups use: the first whose groups match, or that names none; nil when none fits.
  public func credential(for groups: [String]) -> BackendCredential? {
    credentials.first { $0.groups?.contains(where: groups.contains) ?? true }
  }

  /// The account on an SSH backend, and what it signs in with; nil when there is none for this person.
  ///
  /// A login that some credential names needs that credential; others of `logins` sign in with the person's first.
  public func account(login: String?, groups: [String]) -> (login: String, credential: BackendCredential)? {
    let fitting = credentials.filter { $0.groups?.contains(where: groups.contains) ?? true }
    guard let first = fitting.first else { return nil }
    guard let login, login != first.user else { return (first.user, first) }
    guard logins.contains(login) else { return nil }
    if let own = fitting.first(where: { $0.user == login }) { return (login, own) }
    return credentials.contains { $0.user == login } ? nil : (login, first)
  }

  /// The database on the backend for what the client asked for after the `/`, nil for nothing; nil when not listed.
  public func database(named name: String?) -> String? {
    guard let name else { return database }
    return databases.contains(name) ? name : nil
  }
}

/// How the connection to a backend is protected, in libpq's words (PostgreSQL, "SSL Support", sslmode).
public enum BackendTLS: String, Sendable, Hashable, CaseIterable {
  case disable, prefer, require
  case verifyCA = "verify-ca"
  case verifyFull = "verify-full"
}

/// What the sign-in to a backend asks of channel binding, in libpq's words (channel_binding).
public enum BackendChannelBinding: String, Sendable, Hashable, CaseIterable {
  case disable, prefer, require
}

/// The certificate by which the gateway proves to a backend who it is.
public struct ClientCertificate: Sendable, Hashable {
  /// File with the PEM chain, as written.
  public var chain: String
  public var key: SecretReference
}

/// An account on a backend and who uses it. People never see it.
public struct BackendCredential: Sendable, Hashable {
  /// nil: everybody for whom no earlier one is meant.
  public var groups: [String]?
  public var user: String
  /// nil when the backend asks for none.
  public var password: SecretReference?
  /// nil when the backend asks for none.
  public var certificate: ClientCertificate?
  /// The private key of an SSH account; nil when it signs in by password.
  public var key: SecretReference?
}

/// A routine whose effect is declared, because its body is not analysed.
public struct FunctionDeclaration: Sendable, Hashable {
  public var name: NamePattern
  public var effects: Effects
  /// Stored columns whose values it may return.
  public var reads: ColumnSet

  public init(name: NamePattern, effects: Effects, reads: ColumnSet = .everything) {
    self.name = name
    self.effects = effects
    self.reads = reads
  }
}

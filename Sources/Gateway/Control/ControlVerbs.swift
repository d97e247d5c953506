import AccessModel
import Enforcement
import PolicyEngine
import SallyportConfiguration
import Store

/// Carries out control verbs. Blocks on the store: runs on a thread of the pool.
///
/// Each area has a file of its own, `ControlVerbs+<Area>.swift`. Who may ask for what stands in `ControlVerb.entitlement`.
struct ControlVerbs: Sendable {
  /// The longest line that a client of the socket may send, in bytes.
  static let lineLimit = 64 << 10

  /// The configuration in force.
  let governing: @Sendable () -> GatewayConfiguration
  let scoped: @Sendable (Subject) -> ScopedPolicy
  let store: any Store
  let desk: ApprovalDesk
  /// Reads the configuration again, for somebody.
  let reloading: @Sendable (String) throws(GatewayFailure) -> ReloadReport?
  /// The newest catalogue that is known of a connection's databases.
  let catalog: @Sendable (_ connection: String) -> Catalog?
  /// nil where no trail is kept: in tests.
  var sealing: AuditSealing?
  var live = LiveSessions()
  /// nil where there is no index of sessions.
  var sessions: SessionIndexing?
  let guesses = LinkGuesses()
  /// The data folder.
  var data = ""

  var configuration: GatewayConfiguration { governing() }

  func perform(_ request: AuthorizedRequest) throws -> ControlResponse {
    switch request.verb {
    case .status: status()
    case .reload: try reload(request)
    case .policyExplain: try explain(request)
    case .tokenCreate: try createToken(request)
    case .tokenList: try listTokens(request)
    case .tokenRevoke: try revokeToken(request)
    case .approvalsList: listApprovals(request)
    case .approvalsShow: try showApproval(request)
    case .approvalsApprove: try approve(request)
    case .approvalsDeny: try deny(request)
    case .auditSeal: try sealAudit()
    case .maskReveal: try reveal(request)
    case .sessionsList: try listSessions(request)
    case .sessionsShow: try readSession(request, results: false)
    case .sessionsReplay, .sessionsExport: try readSession(request, results: true)
    case .sessionsKill: try killSession(request)
    case .accessRequest: try requestAccess(request)
    case .accessList: try listAccess(request)
    case .accessRevoke: try revokeAccess(request)
    }
  }
}

extension AuthorizedRequest {
  func argument(_ name: String) throws -> String {
    guard let value = arguments[name], !value.isEmpty else { throw GatewayFailure("\(name) is missing") }
    return value
  }

  func number() throws -> Int64 {
    guard let id = Int64(try argument("id")) else { throw GatewayFailure("the id is no number") }
    return id
  }

  /// What the audit trail says of a request: its arguments without secrets and SQL, each cut off at 200 characters.
  static func subject(_ arguments: [String: String]) -> String {
    arguments.filter { $0.key != "code" && $0.key != "statement" }.sorted { $0.key < $1.key }
      .map { "\($0.key)=\($0.value.prefix(200))" }.joined(separator: " ")
  }
}

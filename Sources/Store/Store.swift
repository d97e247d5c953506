// Store: what the gateway must remember across restarts: its secret, users' salts, tokens and approvals.

import Identity

/// The gateway's memory, behind one interface so that several gateways can share one later.
///
/// Synchronous and safe to call from any thread, but never from an event loop: it waits for the disk. Times are seconds
/// since 1970.
public protocol Store: Sendable {
  /// 32 random bytes that were made on first start; keys for decoy salts and for the hashes of approved texts derive
  /// from it.
  var secret: [UInt8] { get }

  /// Makes a token for a user who is made known by that.
  ///
  /// - Parameters:
  ///   - lifetime: seconds, 1 to 366 days.
  ///   - connections: names of the connections that it opens; empty for all.
  /// - Returns: the token, which is stored nowhere, and what is stored of it.
  func createToken(
    user: String, name: String, lifetime: Int64, connections: [String], now: Int64
  ) throws(StoreError) -> (token: AccessToken, record: TokenRecord)

  /// What a user's proof is to be tried against; a decoy's salt and no record for a user that there is not.
  func liveVerifiers(
    user: String, now: Int64
  ) throws(StoreError) -> (salt: [UInt8], iterations: Int, records: [TokenRecord])

  /// The token that was presented in clear text; nil when there is none, or when it is revoked or expired, which all take
  /// the same look-up.
  func liveToken(presented: [UInt8], now: Int64) throws(StoreError) -> TokenRecord?

  /// All tokens, revoked and expired ones included, of one user or of everybody; the newest first.
  func listTokens(user: String?) throws(StoreError) -> [TokenRecord]

  /// Ends a token; what was revoked before stays as it is. Throws `.noToken` when there is none.
  func revokeToken(id: Int64, now: Int64) throws(StoreError)

  /// Stores a request for approval and returns its number.
  func insertApproval(_ request: NewApproval) throws(StoreError) -> Int64

  /// Adds what one person decided; a person decides once, and never on their own request. Throws `.approvalEnded` also for
  /// a request whose time is up.
  ///
  /// - Parameters:
  ///   - status: what the request comes to by that; `.requested` while more approvals are needed.
  ///   - validUntil: for `.approved`, when it cannot be used any more; nil for no end of its own.
  func recordApprovalStep(
    id: Int64, decider: Approval.Decider, status: Approval.Status, validUntil: Int64?, now: Int64
  ) throws(StoreError) -> Approval

  /// Ends a request that was not used: `.expired` or `.cancelled`. False when it had ended before.
  func endApproval(id: Int64, status: Approval.Status, now: Int64) throws(StoreError) -> Bool

  /// Uses an approval up. True exactly once, only for one that was approved, while it is valid, and not before it was
  /// given; committed when this returns.
  func consumeApproval(id: Int64, now: Int64) throws(StoreError) -> Bool

  /// Notes that a code for this request was handed out, as its hash; the one before it of the same person does not work
  /// any more. `useApprovalCode` is true once for it.
  ///
  /// - Parameter person: whom it is for; empty for whoever may decide.
  func setApprovalCode(id: Int64, person: String, digest: [UInt8]) throws(StoreError)
  /// Whether a code was handed out for this request and neither used nor replaced.
  func isApprovalCode(id: Int64, digest: [UInt8]) throws(StoreError) -> Bool
  func useApprovalCode(id: Int64, digest: [UInt8]) throws(StoreError) -> Bool

  /// Requests that wait for somebody, the oldest first.
  func pendingApprovals() throws(StoreError) -> [Approval]

  /// What was approved for one person on one connection and is neither used nor out of time; the oldest first.
  func approved(
    _ kind: Approval.Kind, user: String, connection: String, now: Int64
  ) throws(StoreError) -> [Approval]

  /// All grants of access that are asked for or live, the oldest first.
  func accessGrants(now: Int64) throws(StoreError) -> [Approval]

  func approval(_ id: Int64) throws(StoreError) -> Approval?

  /// Ends the requests and approvals whose time is up, and returns them.
  func expireApprovals(now: Int64) throws(StoreError) -> [Approval]

  /// Keeps a checkpoint of the audit trail; the newest thousand are kept. Committed when this returns.
  ///
  /// - Parameters:
  ///   - number: of the seal, counting from 1.
  ///   - seal: the signed line.
  func saveCheckpoint(number: Int64, seal: String, now: Int64) throws(StoreError)

  /// The seal that was kept last; nil without any.
  func latestCheckpoint() throws(StoreError) -> String?

  /// Columns that mask rules have met, in no order.
  func columnBindings() throws(StoreError) -> [ColumnBinding]
  /// Those that are there already, or are not, stay so. Committed when this returns.
  func changeColumnBindings(adding made: [ColumnBinding], removing gone: [ColumnBinding]) throws(StoreError)
}

/// Why the store did not do what was asked.
public enum StoreError: Error, Hashable, Sendable {
  /// The user has as many live tokens as one proof is tried against.
  case tooManyTokens(user: String, limit: Int)
  /// A live token of the user has this name.
  case tokenNameTaken(user: String, name: String)
  /// No lifetime at all, or more than 366 days.
  case lifetimeOutOfRange
  /// A name that is empty, too long, or not printable.
  case invalidName(String)
  case noToken(Int64)
  case noApproval(Int64)
  /// The request is no longer open.
  case approvalEnded(Int64, Approval.Status)
  /// The person decided on this request before.
  case decidedBefore(Int64, person: String)
  /// The requester may not decide.
  case ownRequest(Int64)
  /// A request cannot come to this by what was asked.
  case invalidStatus(Approval.Status)
  /// The file was written by a newer Sallyport.
  case newerFormat(path: String)
  /// The database failed; the reason is its own.
  case failed(String)

  /// Lower case, without a full stop.
  public var message: String {
    switch self {
    case .tooManyTokens(let user, let limit): "user \"\(user)\" has \(limit) live tokens already"
    case .tokenNameTaken(let user, let name): "user \"\(user)\" has a live token named \"\(name)\" already"
    case .lifetimeOutOfRange: "lifetime of a token must be from 1 second to 366 days"
    case .invalidName(let what): "\(what) must be 1 to 63 bytes long and without control characters"
    case .noToken(let id): "token \(id) does not exist"
    case .noApproval(let id): "approval request \(id) does not exist"
    case .approvalEnded(let id, let status): "approval request \(id) is \(status.rawValue)"
    case .decidedBefore(let id, let person): "\"\(person)\" has decided on approval request \(id) before"
    case .ownRequest(let id): "approval request \(id) cannot be decided by the person who made it"
    case .invalidStatus(let status): "an approval request cannot become \(status.rawValue) in this way"
    case .newerFormat(let path): "state in \"\(path)\" was written by a newer version of sallyport"
    case .failed(let reason): "store failed: \(reason)"
    }
  }

  /// What to do, as a sentence; nil when there is nothing.
  public var hint: String? {
    switch self {
    case .tooManyTokens: "Revoke a token that is no longer needed: sallyport token list, sallyport token revoke."
    case .tokenNameTaken: "Choose another name, or revoke the other token first."
    case .lifetimeOutOfRange: "Give a shorter lifetime and renew the token in time."
    case .invalidName: nil
    case .noToken: "List the tokens with: sallyport token list."
    case .noApproval: "List the requests with: sallyport approvals list."
    case .approvalEnded: "Run the command again to make a new request."
    case .decidedBefore: "Another person has to decide."
    case .ownRequest: "Ask another approver."
    case .invalidStatus: nil
    case .newerFormat: "Start that version, or restore the data folder from before the upgrade."
    case .failed: "Check free space and permissions of the data folder."
    }
  }
}

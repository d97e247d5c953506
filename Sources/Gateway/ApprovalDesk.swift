import AccessModel
import Crypto
import Enforcement
import NIOConcurrencyHelpers
import Store

/// A statement that waits for people, as the process that holds it knows it: with its exact text (DECISIONS 15).
struct ApprovalRequest: Sendable {
  var session: String
  var command: CommandID
  var subject: Subject
  var text: String
  var parameters: Parameters
  var effects: Effects
  var footprint: Footprint
  var requirement: ApprovalRequirement
}

/// What becomes of a request, as its session hears of it.
enum ApprovalResolution: Sendable {
  /// One person approved, and more are needed.
  case step(person: String, reason: String)
  /// Enough people approved, and the approval is used up in the store.
  case approved(people: [String])
  case refused(person: String, reason: String)
}

/// Why a desk did not do what somebody asked. Lower case, without a full stop.
struct DeskRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  var message: String
  var hint: String?
  var description: String { message }
}

/// Where requests for approval wait and approvers decide. Safe from any thread; blocks on the store, so never called
/// on an event loop.
final class ApprovalDesk: Sendable {
  struct Pending: Sendable {
    var id: Int64
    var request: ApprovalRequest
    var createdAt: Int64
    /// Who approved, in order.
    var approvals: [(person: String, groups: [String], reason: String)] = []
    let resolve: @Sendable (ApprovalResolution) -> Void
  }

  private let store: any Store
  private let limit: Int
  private let pending = NIOLockedValueBox<[Int64: Pending]>([:])

  init(store: any Store, limit: Int) {
    self.store = store
    self.limit = limit
  }

  /// Puts a request on the desk and returns its number. `resolve` is called from any thread, at the end exactly once.
  func submit(
    _ request: ApprovalRequest, resolve: @escaping @Sendable (ApprovalResolution) -> Void
  ) throws -> Int64 {
    guard pending.withLockedValue({ $0.count }) < limit else {
      throw DeskRefusal(message: "too many statements wait for approval")
    }
    guard request.parameters.isWhole else {
      throw DeskRefusal(message: "an approval is bound to values, and not all of them are here")
    }
    let now = Clock.seconds()
    let id = try store.insertApproval(
      NewApproval(
        session: request.session, command: request.command.rawValue, user: request.subject.user,
        connection: request.subject.connection,
        rule: request.requirement.clauses.map(\.rule).joined(separator: ","),
        maskedText: LiteralMask.masked(request.text), textHMAC: hmac(of: request), createdAt: now))
    pending.withLockedValue {
      $0[id] = Pending(id: id, request: request, createdAt: now, resolve: resolve)
    }
    return id
  }

  /// Binds the approval to what was asked: text, values, person and connection.
  private func hmac(of request: ApprovalRequest) -> [UInt8] {
    var code = HMAC<SHA256>(key: SymmetricKey(data: store.secret))
    for part in [request.subject.user, request.subject.connection, request.text] {
      withUnsafeBytes(of: UInt64(part.utf8.count).bigEndian) { code.update(data: $0) }
      code.update(data: Array(part.utf8))
    }
    code.update(data: request.parameters.encoded)
    return Array(code.finalize())
  }

  /// Takes a request off the desk: it expired, or nobody waits any more.
  func withdraw(_ id: Int64, _ step: ApprovalRecord.Step) {
    guard pending.withLockedValue({ $0.removeValue(forKey: id) }) != nil else { return }
    _ = try? store.endApproval(id: id, status: step == .expired ? .expired : .cancelled, now: Clock.seconds())
  }

  /// Requests that wait, the oldest first.
  func list() -> [Pending] {
    pending.withLockedValue { $0.values.sorted { $0.id < $1.id } }
  }

  func find(_ id: Int64) throws(DeskRefusal) -> Pending {
    guard let found = pending.withLockedValue({ $0[id] }) else { throw ApprovalDesk.unknown(id) }
    return found
  }

  static func unknown(_ id: Int64) -> DeskRefusal {
    DeskRefusal(
      message: "approval request \(id) does not wait for anybody",
      hint: "List those that do: sallyport approvals list.")
  }

  /// One person's approval. Returns true when that was the last one needed.
  func approve(_ id: Int64, person: String, groups: [String], reason: String) throws -> Bool {
    let found = try check(id, person: person, groups: groups)
    let isComplete = pending.withLockedValue { pending in
      pending[id]?.approvals.append((person, groups, reason))
      return pending[id]?.isComplete ?? false
    }
    do {
      _ = try store.recordApprovalStep(
        id: id, decider: Approval.Decider(person: person, reason: reason),
        status: isComplete ? .approved : .requested, now: Clock.seconds())
    } catch {
      // What is not stored does not count.
      pending.withLockedValue { $0[id]?.approvals.removeAll { $0.person == person } }
      throw error
    }
    found.resolve(.step(person: person, reason: reason))
    guard isComplete else { return false }
    // Used up in the store before the session may send a byte (DECISIONS 14).
    guard let complete = pending.withLockedValue({ $0.removeValue(forKey: id) }),
      try store.consumeApproval(id: id, now: Clock.seconds())
    else { throw DeskRefusal(message: "approval request \(id) has ended meanwhile") }
    found.resolve(.approved(people: complete.approvals.map(\.person)))
    return true
  }

  func refuse(_ id: Int64, person: String, groups: [String], reason: String) throws {
    let found = try check(id, person: person, groups: groups)
    guard pending.withLockedValue({ $0.removeValue(forKey: id) }) != nil else {
      throw DeskRefusal(message: "approval request \(id) has ended meanwhile")
    }
    _ = try store.recordApprovalStep(
      id: id, decider: Approval.Decider(person: person, reason: reason), status: .refused, now: Clock.seconds())
    found.resolve(.refused(person: person, reason: reason))
  }

  /// Approvers are distinct people of the groups that the rule names, never the requester.
  private func check(_ id: Int64, person: String, groups: [String]) throws(DeskRefusal) -> Pending {
    let found = try find(id)
    guard person != found.request.subject.user else {
      throw DeskRefusal(message: "nobody decides on their own request", hint: "Ask another approver.")
    }
    guard !found.approvals.contains(where: { $0.person == person }) else {
      throw DeskRefusal(message: "\(person) has approved request \(id) before", hint: "Another person has to approve.")
    }
    let clauses = found.request.requirement.clauses
    guard clauses.contains(where: { $0.by.contains(where: groups.contains) }) else {
      let who = Set(clauses.flatMap(\.by)).sorted().joined(separator: ", ")
      throw DeskRefusal(message: "\(person) may not decide on request \(id)", hint: "It is for members of: \(who).")
    }
    return found
  }
}

extension ApprovalDesk.Pending {
  /// Each clause has enough distinct people of its groups.
  var isComplete: Bool {
    request.requirement.clauses.allSatisfy { clause in
      let people = Set(approvals.filter { $0.groups.contains(where: clause.by.contains) }.map(\.person))
      return people.count >= clause.count
    }
  }
}

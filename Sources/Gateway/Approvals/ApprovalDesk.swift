import AccessModel
import Crypto
import Enforcement
import NIOConcurrencyHelpers
import Store

/// Where requests for approval wait and approvers decide. Safe from any thread; blocks on the store, so never called
/// on an event loop.
///
/// Requests are in the store and outlive the process; their exact texts are only here (DECISIONS 15). Times are kept by
/// two clocks, and what is out of time by either of them is.
final class ApprovalDesk: Sendable {
  struct Pending: Sendable {
    var id: Int64
    var row: NewApproval
    /// nil for a grant of access, and for what an earlier process held.
    var request: ApprovalRequest?
    /// µs on the monotonic clock.
    var deadline: Int64
    /// Who approved, in order.
    var approvals: [Approval.Decider] = []
    /// Rows that the backend's planner expects it to touch.
    var estimate: Int64?
    fileprivate var waiter: Waiter?
    var isWaitedFor: Bool { waiter != nil }
  }
  typealias Waiter = @Sendable (ApprovalResolution) -> Void

  /// What an approval led to.
  struct Answer: Sendable {
    var isComplete: Bool
    /// For whoever approved.
    var message: String
  }

  private struct State {
    var pending: [Int64: Pending] = [:]
    /// When approvals that nobody has used yet end, in µs on the monotonic clock.
    var ends: [Int64: Int64] = [:]
    /// Backends that are being asked for estimates.
    var estimates = 0
    var record: @Sendable (AuditEvent) -> Void = { _ in }
    var announce: @Sendable (Pending) -> Void = { _ in }
  }

  let store: any Store
  let clock: DeskClock
  private let limit: Int
  private let key: SymmetricKey
  /// What codes are signed with.
  let codeKey: SymmetricKey
  private let state = NIOLockedValueBox(State())
  /// Requests of one person at a time.
  private static let limitPerUser = 100

  init(store: any Store, limit: Int, clock: DeskClock = DeskClock()) {
    self.store = store
    self.limit = limit
    self.clock = clock
    func derived(_ label: String) -> SymmetricKey {
      SymmetricKey(
        data: HMAC<SHA256>.authenticationCode(for: Array(label.utf8), using: SymmetricKey(data: store.secret)))
    }
    key = derived("sallyport approvals")
    codeKey = derived("sallyport approval codes")
  }

  /// Takes up what an earlier process left: requests whose commands can still be told to be the same, and grants.
  ///
  /// - Parameters:
  ///   - record: puts on record what happens to requests that no session waits for.
  ///   - announce: tells approvers of a new request, and of one that needs more of them; must not block.
  func start(
    record: @escaping @Sendable (AuditEvent) -> Void, announce: @escaping @Sendable (Pending) -> Void
  ) throws {
    state.withLockedValue {
      $0.record = record
      $0.announce = announce
    }
    sweep()
    let now = clock.seconds()
    for row in try store.pendingApprovals() {
      guard row.request.kind == .access || row.request.terms.isTransferable else {
        _ = try store.endApproval(id: row.id, status: .cancelled, now: now)
        note(row.id, row.request, .cancelled, "", "the gateway that held it is gone")
        continue
      }
      let deadline = clock.monotonic() + (row.request.expiresAt - now) * 1_000_000
      state.withLockedValue {
        $0.pending[row.id] = Pending(id: row.id, row: row.request, deadline: deadline, approvals: row.deciders)
      }
    }
  }

  // MARK: Requests

  /// Holds a command: uses up an approval that was given for it before, or asks for one.
  ///
  /// `waiter` is called from any thread, at the end exactly once unless it is taken off before; nil when no session waits.
  func enter(_ request: ApprovalRequest, waiter: Waiter?) throws -> ApprovalEntry {
    guard request.parameters.isWhole else {
      throw DeskRefusal(message: "an approval is bound to values, and not all of them are here")
    }
    let now = clock.seconds()
    if let clearance = try clearance(for: request, now) { return .cleared(clearance) }
    let row = request.stored(key: key, now: now)
    if let id = rejoin(row, request, waiter) { return .asked(id: id) }
    return .asked(id: try insert(row, request, waiter))
  }

  func insert(_ row: NewApproval, _ request: ApprovalRequest?, _ waiter: Waiter?) throws -> Int64 {
    let (count, own) = state.withLockedValue { state in
      (state.pending.count, state.pending.values.count { $0.row.user == row.user })
    }
    guard count < limit, own < ApprovalDesk.limitPerUser else {
      throw DeskRefusal(message: "too many statements wait for approval")
    }
    let deadline = clock.monotonic() + (row.expiresAt - row.createdAt) * 1_000_000
    let id = try store.insertApproval(row)
    let pending = Pending(id: id, row: row, request: request, deadline: deadline, waiter: waiter)
    let announce = state.withLockedValue { state in
      state.pending[id] = pending
      return state.announce
    }
    if waiter == nil { note(id, row, .requested, row.user, row.reason) }
    announce(pending)
    return id
  }

  /// The request that was made for the same command before and that no session waits for: it need not be made again.
  private func rejoin(_ row: NewApproval, _ request: ApprovalRequest, _ waiter: Waiter?) -> Int64? {
    guard request.isTransferable else { return nil }
    return state.withLockedValue { state in
      let found = state.pending.values.first {
        $0.row.textHMAC == row.textHMAC && $0.row.kind == .statement && !$0.isWaitedFor && $0.row.terms == row.terms
          && !isOver($0)
      }
      guard let found else { return nil }
      state.pending[found.id]?.waiter = waiter
      state.pending[found.id]?.request = request
      return found.id
    }
  }

  /// What was approved before and is still good, used up in the store; or a grant that covers the command. An approval
  /// whose command is the same and does something else by now is void.
  private func clearance(for request: ApprovalRequest, _ now: Int64) throws -> Clearance? {
    let (user, connection) = (request.subject.user, request.subject.connection)
    if request.isTransferable {
      let binding = request.binding(key: key)
      for row in try store.approved(.statement, user: user, connection: connection, now: now)
      where row.request.textHMAC == binding && !hasEnded(row.id) {
        guard row.request.terms.fit(request) else {
          _ = try store.endApproval(id: row.id, status: .cancelled, now: now)
          note(row.id, row.request, .cancelled, "", "the rules, or what the statement touches, have changed")
          continue
        }
        // Committed before the permit exists (DECISIONS 14).
        guard try store.consumeApproval(id: row.id, now: now) else { continue }
        state.withLockedValue { $0.ends[row.id] = nil }
        return Clearance(
          request: row.id, people: row.deciders.map(\.person),
          scope: ApprovalScope(rawValue: row.request.terms.scope) ?? .statement, isGrant: false)
      }
    }
    let grant = try store.approved(.access, user: user, connection: connection, now: now)
      .first { $0.request.terms.cover(request) && !hasEnded($0.id) }
    return grant.map {
      Clearance(request: $0.id, people: $0.deciders.map(\.person), scope: .statement, isGrant: true)
    }
  }

  private func hasEnded(_ id: Int64) -> Bool {
    let end = state.withLockedValue { $0.ends[id] }
    return end.map { clock.monotonic() >= $0 } ?? false
  }

  private func isOver(_ pending: Pending) -> Bool {
    clock.monotonic() >= pending.deadline || clock.seconds() >= pending.row.expiresAt
  }

  /// Takes a request off the desk: it expired, or the person gave it up.
  func withdraw(_ id: Int64, _ step: ApprovalRecord.Step) {
    // In this order, so that `sweep` does not find it open and unattended.
    _ = try? store.endApproval(id: id, status: step == .expired ? .expired : .cancelled, now: clock.seconds())
    state.withLockedValue { $0.pending[id] = nil }
  }

  /// The session does not wait any more; the request lives on.
  func leave(_ id: Int64) { state.withLockedValue { $0.pending[id]?.waiter = nil } }

  /// False when as many backends are being asked as may be.
  func beginEstimate() -> Bool {
    state.withLockedValue { state in
      guard state.estimates < 8 else { return false }
      state.estimates += 1
      return true
    }
  }

  func endEstimate(_ id: Int64, rows: Int64?) {
    state.withLockedValue { state in
      state.estimates -= 1
      if let rows { state.pending[id]?.estimate = rows }
    }
  }

  /// Requests that wait, the oldest first.
  func list() -> [Pending] {
    state.withLockedValue { $0.pending.values.filter { !isOver($0) }.sorted { $0.id < $1.id } }
  }

  func find(_ id: Int64) throws(DeskRefusal) -> Pending {
    guard let found = state.withLockedValue({ $0.pending[id] }), !isOver(found) else { throw ApprovalDesk.unknown(id) }
    return found
  }

  static func unknown(_ id: Int64) -> DeskRefusal {
    DeskRefusal(
      message: "approval request \(id) does not wait for anybody",
      hint: "List those that do: sallyport approvals list.")
  }

  /// Ends what is out of time and nobody waits for; a session that waits has a deadline of its own.
  func sweep() {
    let over = state.withLockedValue { state in
      let over = state.pending.values.filter { isOver($0) && !$0.isWaitedFor }
      for pending in over { state.pending[pending.id] = nil }
      let ended = state.ends.filter { clock.monotonic() >= $0.value }.map(\.key)
      for id in ended { state.ends[id] = nil }
      return over.map { ($0.id, NewApproval?.some($0.row)) } + ended.map { ($0, nil) }
    }
    for (id, row) in over where (try? store.endApproval(id: id, status: .expired, now: clock.seconds())) == true {
      guard let row = row ?? (try? store.approval(id))?.request else { continue }
      note(id, row, .expired, "", "")
    }
    for ended in (try? store.expireApprovals(now: clock.seconds())) ?? []
    where state.withLockedValue({ $0.pending[ended.id]?.isWaitedFor != true }) {
      note(ended.id, ended.request, .expired, "", "")
    }
  }

  var isIdle: Bool { state.withLockedValue { $0.pending.isEmpty && $0.ends.isEmpty } }

  // MARK: Decisions

  /// One person's approval.
  func approve(_ id: Int64, person: String, groups: [String], reason: String) throws -> Answer {
    let found = try check(id, person: person, groups: groups)
    let decider = Approval.Decider(person: person, groups: groups, reason: reason)
    let isComplete = state.withLockedValue { state in
      state.pending[id]?.approvals.append(decider)
      return state.pending[id].map { $0.row.terms.areMet(by: $0.approvals) } ?? false
    }
    let now = clock.seconds()
    do {
      _ = try store.recordApprovalStep(
        id: id, decider: decider, status: isComplete ? .approved : .requested,
        validUntil: now + found.row.terms.validFor, now: now)
    } catch {
      // What is not stored does not count.
      state.withLockedValue { $0.pending[id]?.approvals.removeAll { $0.person == person } }
      throw error
    }
    guard isComplete else {
      tell(found, .step(person: person, reason: reason)) { note(id, found.row, .approved, person, reason) }
      let (rest, announce) = state.withLockedValue { ($0.pending[id], $0.announce) }
      if let rest { announce(rest) }
      return Answer(isComplete: false, message: "request \(id) needs more approvals")
    }
    let complete = state.withLockedValue { state in
      let complete = state.pending.removeValue(forKey: id)
      if let complete, !complete.isWaitedFor {
        state.ends[id] = clock.monotonic() + complete.row.terms.validFor * 1_000_000
      }
      return complete
    }
    guard let complete else { throw DeskRefusal(message: "approval request \(id) has ended meanwhile") }
    tell(complete, .step(person: person, reason: reason)) { note(id, found.row, .approved, person, reason) }
    guard let waiter = complete.waiter else { return Answer(isComplete: true, message: usable(complete)) }
    // Used up in the store before the session may send a byte (DECISIONS 14).
    do {
      guard try store.consumeApproval(id: id, now: clock.seconds()) else {
        throw DeskRefusal(message: "approval request \(id) has ended meanwhile")
      }
    } catch {
      waiter(.failed("\(error)"))
      throw error
    }
    waiter(.approved(people: complete.approvals.map(\.person)))
    return Answer(isComplete: true, message: "request \(id) is approved and goes on")
  }

  private func usable(_ pending: Pending) -> String {
    let lifetime = Duration.seconds(pending.row.terms.validFor).shortDescription
    return switch pending.row.kind {
    case .statement:
      "request \(pending.id) is approved; \(pending.row.user) can run the statement within \(lifetime), once"
    case .access: "request \(pending.id) is approved, for \(lifetime)"
    }
  }

  func refuse(_ id: Int64, person: String, groups: [String], reason: String) throws {
    let found = try check(id, person: person, groups: groups)
    guard state.withLockedValue({ $0.pending.removeValue(forKey: id) }) != nil else {
      throw DeskRefusal(message: "approval request \(id) has ended meanwhile")
    }
    let decider = Approval.Decider(person: person, groups: groups, reason: reason)
    _ = try store.recordApprovalStep(
      id: id, decider: decider, status: .refused, validUntil: nil, now: clock.seconds())
    tell(found, .refused(person: person, reason: reason)) { note(id, found.row, .refused, person, reason) }
  }

  /// The session that waits puts the step on record; without one the desk does.
  private func tell(_ pending: Pending, _ resolution: ApprovalResolution, otherwise record: () -> Void) {
    if let waiter = pending.waiter { waiter(resolution) } else { record() }
  }

  /// Approvers are distinct people of the groups that the rule names, never the requester.
  @discardableResult
  func check(_ id: Int64, person: String, groups: [String]) throws(DeskRefusal) -> Pending {
    let found = try find(id)
    guard person != found.row.user else {
      throw DeskRefusal(message: "nobody decides on their own request", hint: "Ask another approver.")
    }
    guard !found.approvals.contains(where: { $0.person == person }) else {
      throw DeskRefusal(message: "\(person) has approved request \(id) before", hint: "Another person has to approve.")
    }
    let clauses = found.row.terms.clauses
    guard clauses.contains(where: { $0.by.contains(where: groups.contains) }) else {
      let who = Set(clauses.flatMap(\.by)).sorted().joined(separator: ", ")
      throw DeskRefusal(message: "\(person) may not decide on request \(id)", hint: "It is for members of: \(who).")
    }
    return found
  }

  func note(_ id: Int64, _ row: NewApproval, _ step: ApprovalRecord.Step, _ person: String, _ reason: String) {
    let record = state.withLockedValue { $0.record }
    record(
      .approval(
        ApprovalRecord(
          request: id, session: row.session, command: CommandID(row.command), step: step, person: person,
          reason: reason)))
  }
}

import AccessModel
import Crypto
import SQLAnalysis
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
  var database = ""
  /// The account on the backend.
  var account = ""
  /// The search_path and role under which it runs; nil while they are not known.
  var path: SearchPath?
  /// OIDs that the client declared for its parameters.
  var declaredTypes: [UInt32] = []
  /// Why, in the requester's words; empty without.
  var reason = ""
  /// The stamp of the catalogue, where it runs code that users can change; else empty.
  var catalogue = ""
  /// Whether text and values say all that it does: an EXECUTE means what the session prepared.
  var isSelfContained = true

  /// Whether a later command, perhaps of another session, can be told to be the same.
  var isTransferable: Bool { path != nil && isSelfContained && parameters.isWhole }

  /// Its text says all that it does, and it runs under nothing that a session could change (SSH).
  mutating func bindsToTextAlone() { path = SearchPath(setting: "", user: account) }

  /// Whether the request goes on living when its session does not wait any more, having waited this long.
  func outlives(wait: Duration) -> Bool { isTransferable && requirement.expires > wait }

  /// A keyed hash of all that an approval is bound to (DECISIONS 14, 15): person, connection, database, account, role,
  /// search_path, exact text, declared types, and formats and values as they were sent.
  func binding(key: SymmetricKey) -> [UInt8] {
    var code = HMAC<SHA256>(key: key)
    func add(_ bytes: some Collection<UInt8>) {
      withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { code.update(data: $0) }
      code.update(data: Array(bytes))
    }
    for part in [
      "sallyport approval", subject.user, subject.connection, database, account, path == nil ? "unknown" : "known",
      path?.user ?? "", path?.setting ?? "", text,
    ] { add(part.utf8) }
    add(declaredTypes.flatMap { type in withUnsafeBytes(of: type.bigEndian) { Array($0) } })
    add(withUnsafeBytes(of: UInt64(parameters.count).bigEndian) { Array($0) })
    add(parameters.encoded)
    return Array(code.finalize())
  }

  /// What of it may be stored.
  func stored(key: SymmetricKey, now: Int64) -> NewApproval {
    let masked = LiteralMask.hiding(text)
    let terms = ApprovalTerms(
      clauses: requirement.clauses, scope: requirement.scope.rawValue,
      validFor: requirement.validFor.components.seconds, effects: effects.description,
      footprint: footprint.description, hiddenValues: masked.hidden + parameters.count, catalogue: catalogue,
      isTransferable: isTransferable)
    return NewApproval(
      session: session, command: command.rawValue, user: subject.user, connection: subject.connection,
      rule: requirement.rules, maskedText: masked.text, textHMAC: binding(key: key), terms: terms, reason: reason,
      createdAt: now, expiresAt: now + requirement.expires.components.seconds)
  }
}

extension ApprovalTerms {
  /// Whether an approval of these terms holds for this command: the rules, what it does and what it touches are the same.
  func fit(_ request: ApprovalRequest) -> Bool {
    clauses == request.requirement.clauses && effects == request.effects.description
      && footprint == request.footprint.description && catalogue == request.catalogue
  }

  /// Whether a grant of these terms spares this command its hold: each rule that holds it was agreed to, and all that it
  /// may do was asked for.
  func cover(_ request: ApprovalRequest) -> Bool {
    !request.effects.isUnknown && Effects(rawValue: granted).isSuperset(of: request.effects)
      && request.requirement.clauses.allSatisfy(clauses.contains)
  }

  /// Who may decide: `1 of dba`.
  var needs: [String] { clauses.map { "\($0.count) of \($0.by.joined(separator: " or "))" } }

  /// Each clause has enough distinct people of its groups.
  func areMet(by approvals: [Approval.Decider]) -> Bool {
    !clauses.isEmpty
      && clauses.allSatisfy { clause in
        let people = approvals.filter { $0.groups?.contains(where: clause.by.contains) ?? false }.map(\.person)
        return Set(people).count >= clause.count
      }
  }
}

/// What becomes of a request, as its session hears of it.
enum ApprovalResolution: Sendable {
  /// One person approved, and more are needed.
  case step(person: String, reason: String)
  /// Enough people approved, and the approval is used up in the store.
  case approved(people: [String])
  case refused(person: String, reason: String)
  /// Enough people approved, and that could not be made safe.
  case failed(String)
}

/// What a desk answers to a session that has a command to hold.
enum ApprovalEntry: Sendable {
  /// People have to decide.
  case asked(id: Int64)
  /// They have, before: the approval is used up in the store, or a grant covers the command.
  case cleared(Clearance)
}

/// Why a command need not wait.
struct Clearance: Sendable {
  var request: Int64
  var people: [String]
  var scope: ApprovalScope
  var isGrant: Bool
}

/// Why a desk did not do what somebody asked. Lower case, without a full stop.
struct DeskRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  var message: String
  var hint: String?
  var description: String { message }
}

/// The clocks of a desk.
struct DeskClock: Sendable {
  /// Seconds since 1970; may be set.
  var seconds: @Sendable () -> Int64 = { Clock.seconds() }
  /// µs since some start; never goes back.
  var monotonic: @Sendable () -> Int64 = { Clock.monotonic() }
}

import AccessModel
import Foundation
import PolicyEngine
import Store
import Testing

@testable import Gateway
@testable import SallyportConfiguration

@Suite("Control verbs")
struct ControlVerbTests {
  private let store: SQLiteStore
  private let verbs: ControlVerbs

  init() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("verbs-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    store = try SQLiteStore(data: folder)
    let text = """
      users:
        ana: { groups: [engineering] }
        dora: { groups: [dba] }
        sam: { groups: [security] }
        root: { groups: [platform] }
        ci: { kind: service, owner: ana, groups: [dba] }
      roles: { admin: [platform], approver: [dba], auditor: [security] }
      connections: { shop: { protocol: postgres, address: "127.0.0.1:5432", credentials: [{ user: app }] } }
      access: [{ groups: [engineering, dba], connections: [shop], allow: { postgres: [read, define] } }]
      rules:
        - { name: pii, when: { users: [sam] }, then: { mask: { columns: [ssn], with: redact } } }
        - { name: review, when: { effect: define }, then: { approve: { by: [dba] } } }
      """
    let configuration = try TranscriptRun.configuration(text, file: "verbs.yaml")
    let policy = Policy(configuration.policy, hash: "")
    verbs = ControlVerbs(
      governing: { configuration }, scoped: { policy.scoped(to: $0) }, store: store,
      desk: ApprovalDesk(store: store, limit: 10), reloading: { _ in nil }, catalog: { _ in nil })
  }

  private func token(_ user: String, lifetime: Int64 = 3600, now: Int64 = Clock.seconds()) throws -> String {
    try store.createToken(
      user: user, name: "t\(UInt64.random(in: 0 ... .max))", lifetime: lifetime, connections: [], now: now
    ).token.text
  }

  /// What comes of a verb for whoever shows this token: `done`, or the start of the refusal.
  private func outcome(
    _ verb: ControlVerb, _ arguments: [String: String], _ token: String?, isOperator: Bool = true
  ) -> String {
    do {
      _ = try verbs.perform(
        try verbs.authorize(
          ControlRequest(verb, arguments, token: token), from: .process(uid: 7, isOperator: isOperator)))
      return "done"
    } catch let denial as ControlDenial {
      return "refused: \(denial.failure.message)"
    } catch let error as GatewayFailure {
      return error.message
    } catch let error as DeskRefusal {
      return error.message
    } catch { return "\(error)" }
  }

  // CVE-2026-6667: each verb against each kind of caller. A new verb is asked of the table like the others.
  @Test("Who may do what: every verb for the account, each role, somebody else, a service and a wrong token")
  func matrix() throws {
    let tokens = try ["ana", "dora", "sam", "root", "ci"].reduce(into: [:]) { $0[$1] = try token($1) }
    let roles: [String: GatewayRole] = ["dora": .approver, "sam": .auditor, "root": .admin]
    for verb in ControlVerb.allCases {
      func isRefused(_ token: String?, isOperator: Bool = true) -> Bool {
        outcome(verb, ["id": "999"], token, isOperator: isOperator).hasPrefix("refused: ")
      }
      let account: Bool
      let entitled: ([GatewayRole])?
      switch verb.entitlement {
      case .anyone: (account, entitled) = (true, nil)
      case .own: (account, entitled) = (false, nil)
      case .ownUnless: (account, entitled) = (true, nil)
      case .operating(let roles): (account, entitled) = (true, roles)
      case .people(let roles): (account, entitled) = (false, roles)
      }
      #expect(isRefused(nil) == !account, "\(verb) for the account")
      #expect(isRefused(nil, isOperator: false) == (verb.entitlement != .anyone), "\(verb) for a stranger")
      for (user, role) in roles {
        #expect(isRefused(tokens[user]) == !(entitled?.contains(role) ?? true), "\(verb) for \(user)")
      }
      #expect(isRefused(tokens["ana"]) == (entitled != nil), "\(verb) for somebody")
      if case .people = verb.entitlement { #expect(isRefused(tokens["ci"]), "\(verb) for a service") }
      #expect(outcome(verb, [:], "spt_wrong") == "refused: the token is not valid", "\(verb)")
    }
  }

  @Test("What changes something, or tells of people, needs a role and is recorded")
  func table() {
    for verb in ControlVerb.allCases where verb.entitlement == .anyone || !verb.isRecorded {
      #expect(verb == .status)
    }
    #expect(outcome(.tokenList, [:], nil) == "done")
    #expect(outcome(.approvalsApprove, ["id": "1"], nil) == "refused: this needs a person")
  }

  @Test("A grant is for what access covers and a rule holds, of known effects, for a while, with a reason")
  func grants() throws {
    func ask(_ changes: [String: String], _ user: String = "ana") throws -> String {
      let base = ["connection": "shop", "effects": "define", "lifetime": "60", "reason": "INC-1"]
      return outcome(.accessRequest, base.merging(changes) { $1 }, try token(user))
    }
    #expect(try ask([:]) == "done")
    for (changes, words) in [
      (["effects": "write"], "access to shop does not cover write"), (["effects": "read"], "no rule holds read"),
      (["effects": "unknown"], "there is no effect"), (["lifetime": "86401"], "a grant lasts"),
      (["reason": ""], "say why"),
      (["connection": "vault"], "no access to connection"),
    ] {
      let found = try ask(changes)
      #expect(found.hasPrefix(words), "\(found)")
    }
    #expect(try ask([:], "sam") == "no access to connection \"shop\"")
  }

  @Test("A token for one connection manages nothing")
  func scopedToken() throws {
    let scoped = try store.createToken(
      user: "root", name: "scoped", lifetime: 60, connections: ["shop"], now: Clock.seconds()
    ).token.text
    #expect(outcome(.tokenList, [:], scoped) == "refused: this token is only for shop")
  }

  @Test("An expired token and one of a person who is no longer configured are nobody's")
  func deadTokens() throws {
    let expired = try token("dora", lifetime: 1, now: Clock.seconds() - 10)
    #expect(outcome(.tokenList, [:], expired) == "refused: the token is not valid")
    let gone = try token("former")
    #expect(outcome(.approvalsList, [:], gone) == "refused: the token is not valid")
    let revoked = try token("root")
    try store.revokeToken(id: try #require(store.listTokens(user: "root").first).id, now: Clock.seconds())
    #expect(outcome(.tokenList, [:], revoked) == "refused: the token is not valid")
  }

  @Test("Arguments are checked: unknown people and connections, lifetimes, endless reasons")
  func arguments() throws {
    #expect(outcome(.tokenCreate, ["user": "nobody", "name": "n"], nil) == "there is no user \"nobody\"")
    #expect(outcome(.tokenCreate, ["user": "ana"], nil) == "name is missing")
    #expect(
      outcome(.tokenCreate, ["user": "ana", "name": "n", "connections": "shop,other"], nil)
        == "there is no connection \"other\"")
    #expect(
      outcome(.tokenCreate, ["user": "ana", "name": "n", "lifetime": "soon"], nil)
        == "the lifetime is no number of seconds")
    #expect(outcome(.approvalsShow, ["id": "x"], nil) == "the id is no number")
    let reason = String(repeating: "r", count: 1_001)
    #expect(
      outcome(.approvalsDeny, ["id": "1", "reason": reason], try token("dora"))
        == "the reason is longer than 1000 characters")
  }

  @Test("Values of a statement are shown to an approver under no mask, and to nobody else")
  func values() throws {
    let request = ApprovalRequest(
      session: "s", command: CommandID(1), subject: Subject(user: "bo", groups: [], connection: "shop"),
      text: "DELETE FROM t WHERE ssn = '123'", parameters: .none, effects: .write, footprint: .nothing,
      requirement: ApprovalRequirement(
        clauses: [.init(rule: "r", by: ["dba"], count: 1)], wait: .seconds(600), waitIsExplicit: true))
    _ = try verbs.desk.enter(request, waiter: { _ in })
    func text(_ token: String?) throws -> String? {
      let request = ControlRequest(.approvalsList, token: token)
      return try verbs.perform(try verbs.authorize(request, from: .process(uid: 7, isOperator: true))).approvals?.first?
        .text
    }
    #expect(try text(nil) == "DELETE FROM t WHERE ssn = ?")
    #expect(try text(try token("dora")) == "DELETE FROM t WHERE ssn = '123'")
    #expect(try text(try token("sam")) == "DELETE FROM t WHERE ssn = ?")
    // Whoever has no role sees only their own.
    #expect(try text(try token("ana")) == nil)
  }
}

import AccessModel
import Foundation
import Store
import Testing

@testable import Gateway

@Suite("Control verbs")
struct ControlVerbTests {
  private let store: SQLiteStore
  private let verbs: ControlVerbs

  init() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("verbs-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    store = try SQLiteStore(data: folder)
    let text = """
      users: { ana: { groups: [engineering] }, dora: { groups: [dba] } }
      roles: { admin: [dba], approver: [dba] }
      connections: { shop: { protocol: postgres, address: "127.0.0.1:5432", credentials: [{ user: app }] } }
      access: [{ groups: [engineering, dba], connections: [shop], allow: { postgres: [read] } }]
      """
    verbs = ControlVerbs(
      configuration: try TranscriptRun.configuration(text, file: "verbs.yaml"), scoping: { $0.user == "ana" },
      store: store, desk: ApprovalDesk(store: store, limit: 10))
  }

  private func token(_ user: String, lifetime: Int64 = 3600, now: Int64 = Clock.seconds()) throws -> String {
    try store.createToken(user: user, name: "t\(now)", lifetime: lifetime, connections: [], now: now).token.text
  }

  /// What comes of a verb for whoever shows this token: `done`, or the start of the refusal.
  private func outcome(_ verb: ControlVerb, _ arguments: [String: String], _ token: String?) -> String {
    let request = ControlRequest(verb, arguments, token: token)
    do {
      _ = try verbs.perform(request, by: try verbs.actor(of: request, uid: 0))
      return "done"
    } catch let error as GatewayFailure {
      return error.message
    } catch let error as DeskRefusal {
      return error.message
    } catch { return "\(error)" }
  }

  // CVE-2026-6667: each verb against each kind of caller.
  @Test("Who may do what: every verb for the owner, an admin, somebody else and a wrong token")
  func matrix() throws {
    let (ana, dora) = (try token("ana"), try token("dora"))
    for verb in ControlVerb.allCases {
      let arguments: [String: String] =
        switch verb {
        case .tokenCreate: ["user": "ana", "name": "n\(UInt32.random(in: 0 ... .max))"]
        case .tokenRevoke, .approvalsShow, .approvalsApprove, .approvalsDeny: ["id": "999"]
        case .status, .tokenList, .approvalsList: [:]
        }
      let owner = outcome(verb, arguments, nil)
      let other = outcome(verb, arguments, ana)
      let admin = outcome(verb, arguments.merging(["name": "a\(verb.rawValue)"]) { _, new in new }, dora)
      switch verb {
      case .status, .approvalsList:
        #expect([owner, other, admin] == ["done", "done", "done"], "\(verb)")
      case .tokenCreate, .tokenList:
        #expect([owner, admin] == ["done", "done"], "\(verb)")
        #expect(other == "ana is not an admin of this gateway", "\(verb)")
      case .tokenRevoke:
        #expect(other == "ana is not an admin of this gateway")
        #expect(owner.contains("999") && admin.contains("999"))
      case .approvalsShow: #expect(owner == "approval request 999 does not wait for anybody")
      case .approvalsApprove, .approvalsDeny:
        #expect(owner == "this needs a person")
        #expect(other == "approval request 999 does not wait for anybody")
      }
      #expect(outcome(verb, arguments, "spt_wrong") == "the token is not valid", "\(verb)")
    }
  }

  @Test("An expired token and one of a person who is no longer configured are nobody's")
  func deadTokens() throws {
    let expired = try token("dora", lifetime: 1, now: Clock.seconds() - 10)
    #expect(outcome(.tokenList, [:], expired) == "the token is not valid")
    let gone = try token("former")
    #expect(outcome(.approvalsList, [:], gone) == "the token is not valid")
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
        clauses: [.init(rule: "r", by: ["dba"], count: 1)], wait: .seconds(1), waitIsExplicit: true))
    _ = try verbs.desk.submit(request) { _ in }
    func text(_ token: String?) throws -> String? {
      let request = ControlRequest(.approvalsList, token: token)
      return try verbs.perform(request, by: try verbs.actor(of: request, uid: 0)).approvals?.first?.text
    }
    #expect(try text(nil) == "DELETE FROM t WHERE ssn = ?")
    #expect(try text(try token("ana")) == "DELETE FROM t WHERE ssn = ?")
    #expect(try text(try token("dora")) == "DELETE FROM t WHERE ssn = '123'")
  }
}

import AccessModel
import Foundation
import NIOConcurrencyHelpers
import Store
import Testing

@testable import Gateway

@Suite("Approval desk")
struct ApprovalDeskTests {
  /// What a session would have heard.
  private final class Heard: Sendable {
    let words = NIOLockedValueBox<[String]>([])
    var all: [String] { words.withLockedValue { $0 } }
    func hear(_ resolution: ApprovalResolution) {
      words.withLockedValue { words in
        switch resolution {
        case .step(let person, _): words.append("step \(person)")
        case .approved(let people): words.append("approved \(people.joined(separator: ","))")
        case .refused(let person, let reason): words.append("refused \(person) \(reason)")
        case .failed(let reason): words.append("failed \(reason)")
        }
      }
    }
  }

  private let store: SQLiteStore
  private let desk: ApprovalDesk
  private let heard = Heard()

  init() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("desk-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    store = try SQLiteStore(data: folder)
    desk = ApprovalDesk(store: store, limit: 2)
  }

  private func submit(_ clauses: [ApprovalRequirement.Clause]) throws -> Int64 {
    let request = ApprovalRequest(
      session: "s", command: CommandID(1), subject: Subject(user: "ana", groups: ["dba"], connection: "shop"),
      text: "DELETE FROM orders WHERE note = 'secret 42'", parameters: .none, effects: .write, footprint: .nothing,
      requirement: ApprovalRequirement(clauses: clauses, wait: .seconds(60), waitIsExplicit: true))
    guard case .asked(let id) = try desk.enter(request, waiter: { [heard] in heard.hear($0) }) else {
      throw TestFailure("it did not wait")
    }
    return id
  }

  private func clause(_ count: Int, _ groups: String...) -> ApprovalRequirement.Clause {
    ApprovalRequirement.Clause(rule: "r", by: groups, count: count)
  }

  @Test("One approval of one is enough, and is used up in the store")
  func single() throws {
    let id = try submit([clause(1, "dba")])
    #expect(try desk.approve(id, person: "dora", groups: ["dba"], reason: "ok").isComplete)
    #expect(heard.all == ["step dora", "approved dora"])
    #expect(try store.approval(id)?.status == .consumed)
    #expect(throws: DeskRefusal.self) { try desk.approve(id, person: "eve", groups: ["dba"], reason: "") }
  }

  @Test("People are counted, not approvals: the same person twice is one")
  func distinct() throws {
    let id = try submit([clause(2, "dba")])
    #expect(try !desk.approve(id, person: "dora", groups: ["dba"], reason: "").isComplete)
    #expect(throws: DeskRefusal.self) { try desk.approve(id, person: "dora", groups: ["dba"], reason: "") }
    #expect(try desk.approve(id, person: "eve", groups: ["dba"], reason: "").isComplete)
    #expect(heard.all.last == "approved dora,eve")
  }

  @Test("The requester never decides, even as a member of the group")
  func requester() throws {
    let id = try submit([clause(1, "dba")])
    #expect(throws: DeskRefusal.self) { try desk.approve(id, person: "ana", groups: ["dba"], reason: "") }
    #expect(throws: DeskRefusal.self) { try desk.refuse(id, person: "ana", groups: ["dba"], reason: "") }
    #expect(heard.all.isEmpty)
  }

  @Test("Only members of the rule's groups decide")
  func groups() throws {
    let id = try submit([clause(1, "dba")])
    #expect(throws: DeskRefusal.self) { try desk.approve(id, person: "bo", groups: ["engineering"], reason: "") }
    #expect(heard.all.isEmpty)
  }

  @Test("Two approve rules must both be met; one person of both groups meets both")
  func clauses() throws {
    let first = try submit([clause(1, "dba"), clause(1, "security")])
    #expect(try !desk.approve(first, person: "dora", groups: ["dba"], reason: "").isComplete)
    #expect(try desk.approve(first, person: "sam", groups: ["security"], reason: "").isComplete)
    let second = try submit([clause(1, "dba"), clause(1, "security")])
    #expect(try desk.approve(second, person: "dora", groups: ["dba", "security"], reason: "").isComplete)
  }

  @Test("A refusal ends the request, and the person who waits learns why")
  func refusal() throws {
    let id = try submit([clause(1, "dba")])
    try desk.refuse(id, person: "dora", groups: ["dba"], reason: "not today")
    #expect(heard.all == ["refused dora not today"])
    #expect(try store.approval(id)?.status == .refused)
    #expect(desk.list().isEmpty)
  }

  @Test("A withdrawn request cannot be approved any more")
  func withdrawn() throws {
    let id = try submit([clause(1, "dba")])
    desk.withdraw(id, .expired)
    #expect(try store.approval(id)?.status == .expired)
    #expect(throws: DeskRefusal.self) { try desk.approve(id, person: "dora", groups: ["dba"], reason: "") }
    #expect(heard.all.isEmpty)
  }

  @Test("The store holds the text without its values, and the desk is bounded")
  func storedTextAndBound() throws {
    let id = try submit([clause(1, "dba")])
    #expect(try store.approval(id)?.request.maskedText == "DELETE FROM orders WHERE note = ?")
    _ = try submit([clause(1, "dba")])
    #expect(throws: DeskRefusal.self) { _ = try submit([clause(1, "dba")]) }
  }
}

@Suite("Literal mask")
struct LiteralMaskTests {
  @Test(arguments: [
    ("SELECT 1", "SELECT ?"),
    ("SELECT 'a''b', x FROM t1 WHERE y = 1.5e3", "SELECT ?, x FROM t1 WHERE y = ?"),
    ("SELECT E'a\\'b' , 2", "SELECT E? , ?"),
    ("SELECT $$se;cret$$, $tag$ x $$ y $tag$, $1", "SELECT ?, ?, $1"),
    ("SELECT \"col'umn\" -- 'secret\n, 3", "SELECT \"col'umn\" \n, ?"),
    ("SELECT /* 's' /* nested */ secret */ a1", "SELECT   a1"),
    ("SELECT 'never closed secret", "SELECT ?"),
    ("SELECT $$never closed secret", "SELECT ?"),
    ("SELECT /* never closed secret", "SELECT  "),
    ("", ""),
  ])
  func masks(_ text: String, _ expected: String) {
    #expect(LiteralMask.masked(text) == expected)
  }
}

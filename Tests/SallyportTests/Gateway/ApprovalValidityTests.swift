import AccessModel
import Crypto
import Enforcement
import Foundation
import NIOConcurrencyHelpers
import SQLAnalysis
import Store
import Testing

@testable import Gateway

/// What an approval is good for, by clocks that a test sets.
@Suite("Approval desk: for later")
struct ApprovalValidityTests {
  private final class Times: Sendable {
    let wall = NIOLockedValueBox<Int64>(1_000_000)
    let steady = NIOLockedValueBox<Int64>(0)
    /// Time passes; `jump` is what somebody does to the clock on the wall besides, in seconds.
    func pass(_ seconds: Int64, jump: Int64 = 0) {
      wall.withLockedValue { $0 += seconds + jump }
      steady.withLockedValue { $0 += seconds * 1_000_000 }
    }
    var clock: DeskClock {
      DeskClock(
        seconds: { [self] in wall.withLockedValue { $0 } }, monotonic: { [self] in steady.withLockedValue { $0 } })
    }
  }
  private let store: SQLiteStore
  private let times = Times()
  private let desk: ApprovalDesk
  private let events = NIOLockedValueBox<[ApprovalRecord.Step]>([])

  init() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("desk-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    store = try SQLiteStore(data: folder)
    desk = ApprovalDesk(store: store, limit: 100, clock: times.clock)
    try desk.start(
      record: { [events] event in
        if case .approval(let record) = event { events.withLockedValue { $0.append(record.step) } }
      }, announce: { _ in })
  }

  /// An UPDATE by ana under a rule that lives for 100 s and makes approvals good for 60.
  private func request(_ change: (inout ApprovalRequest) -> Void = { _ in }) -> ApprovalRequest {
    var request = ApprovalRequest(
      session: "s", command: CommandID(1), subject: Subject(user: "ana", groups: ["dba"], connection: "shop"),
      text: "UPDATE t SET a = $1", parameters: Parameters(count: 1, encoded: [0, 0, 0, 1, 0, 0, 0, 1, 7]),
      effects: .write, footprint: Footprint([ResourceAccess(.relation(schema: "public", "t"), .write)]),
      requirement: requirement(1))
    request.database = "shop"
    request.account = "app"
    request.path = SearchPath(setting: "\"$user\", public", user: "app")
    change(&request)
    return request
  }

  private func requirement(_ count: Int) -> ApprovalRequirement {
    ApprovalRequirement(
      clauses: [.init(rule: "r", by: ["dba"], count: count)], wait: .zero, waitIsExplicit: true,
      expires: .seconds(100), validFor: .seconds(60))
  }

  /// The number of a request that is asked for; nil when the command is cleared.
  private func ask(_ request: ApprovalRequest) throws -> Int64? {
    guard case .asked(let id) = try desk.enter(request, waiter: nil) else { return nil }
    return id
  }

  private func approved() throws -> Int64 {
    let id = try #require(try ask(request()))
    #expect(try desk.approve(id, person: "dora", groups: ["dba"], reason: "").isComplete)
    return id
  }

  @Test("Used once by exactly the same command; whatever is changed asks anew and uses nothing up")
  func binding() throws {
    let id = try approved()
    let changes: [(inout ApprovalRequest) -> Void] = [
      { $0.subject.user = "bo" }, { $0.subject.connection = "crm" }, { $0.database = "reports" },
      { $0.account = "owner" }, { $0.text += " " }, { $0.parameters.encoded[8] = 8 },
      { $0.parameters.encoded = [0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 7] }, { $0.declaredTypes = [23] },
      { $0.path?.setting = "public" }, { $0.path?.user = "admin" }, { $0.path = nil }, { $0.isSelfContained = false },
    ]
    for (index, change) in changes.enumerated() {
      let asked = try ask(request(change))
      #expect(asked != nil && asked != id, "change \(index)")
    }
    #expect(try ask(request()) == nil)
    let again = try ask(request())
    #expect(again != nil && again != id)
    #expect(try store.approval(id)?.status == .consumed)
  }

  @Test("Void when the rules, the effects, the footprint or the catalogue behind changeable code are others by now")
  func void() throws {
    let changes: [(inout ApprovalRequest) -> Void] = [
      { $0.requirement.clauses[0].count = 2 }, { $0.requirement.clauses[0].by = ["security"] },
      { $0.effects = [.write, .egress] }, { $0.footprint = .everything }, { $0.catalogue = "other" },
    ]
    for change in changes {
      let id = try approved()
      #expect(try ask(request(change)) != nil)
      #expect(try store.approval(id)?.status == .cancelled)
      #expect(try ask(request()) != nil)
    }
  }

  @Test("Out of time by either clock, and when the clock was set back before the approval")
  func clocks() throws {
    for (passed, jump, isGood) in [
      (59, 0, true), (60, 0, false), (10, 60, false), (60, -50, false), (10, -11, false), (10, 40, true),
    ] as [(Int64, Int64, Bool)] {
      let id = try approved()
      times.pass(passed, jump: jump)
      #expect((try ask(request()) == nil) == isGood, "\(passed) s, jump of \(jump) s")
      times.pass(0, jump: -jump)
      _ = try? store.endApproval(id: id, status: .cancelled, now: 0)
      for pending in desk.list() { desk.withdraw(pending.id, .cancelled) }
    }
    let id = try #require(try ask(request()))
    times.pass(99)
    #expect(desk.list().map(\.id) == [id])
    times.pass(1, jump: -90)
    #expect(desk.list().isEmpty)
    #expect(throws: DeskRefusal.self) { try desk.approve(id, person: "dora", groups: ["dba"], reason: "") }
    desk.sweep()
    #expect(try store.approval(id)?.status == .expired)
    #expect(events.withLockedValue { $0.last } == .expired)
  }

  @Test("Two people, distinct, of the groups; what a new process takes up counts on")
  func afterRestart() throws {
    let id = try #require(try ask(request { $0.requirement = requirement(2) }))
    #expect(try !desk.approve(id, person: "dora", groups: ["dba"], reason: "").isComplete)
    let waiting = try desk.enter(request { $0.text = "DELETE" }, waiter: { _ in })
    guard case .asked(let other) = waiting else { return }
    let next = ApprovalDesk(store: store, limit: 100, clock: times.clock)
    try next.start(record: { _ in }, announce: { _ in })
    #expect(next.list().map(\.id) == [id, other] && next.list().allSatisfy { $0.request == nil })
    #expect(throws: DeskRefusal.self) { try next.approve(id, person: "dora", groups: ["dba"], reason: "") }
    #expect(throws: DeskRefusal.self) { try next.approve(id, person: "ana", groups: ["dba"], reason: "") }
    #expect(throws: DeskRefusal.self) { try next.approve(id, person: "eve", groups: ["other"], reason: "") }
    #expect(try next.approve(id, person: "dave", groups: ["dba"], reason: "").isComplete)
    guard case .cleared(let clearance) = try next.enter(request { $0.requirement = requirement(2) }, waiter: nil) else {
      Issue.record("it is asked for again")
      return
    }
    #expect(clearance.people == ["dora", "dave"])
  }

  @Test("One person cannot fill the desk, and a code of another gateway, or of a request that ended, is none")
  func bounds() throws {
    let id = try #require(try ask(request()))
    let pending = try desk.find(id)
    let code = try desk.makeCode(for: pending)
    #expect(try desk.code(code).request == id)
    #expect(throws: DeskRefusal.self) {
      _ = try desk.code(ApprovalCode(request: id, expiresAt: .max, key: .init(size: .bits256)).text)
    }
    for text in ["", "spa_", "spa_zz", code + "A", String(code.dropLast()), code.uppercased()] {
      #expect(throws: DeskRefusal.self) { _ = try desk.code(text) }
    }
    let personal = try desk.makeCode(for: pending, person: "dora@example.org")
    #expect(try desk.code(personal).person == "dora@example.org" && desk.code(code).person.isEmpty)
    #expect(try desk.opened(by: desk.code(personal))?.id == id && desk.opened(by: desk.code(code))?.id == id)
    let again = try desk.makeCode(for: pending)
    #expect(try desk.opened(by: desk.code(code)) == nil, "the one before still works")
    #expect(try desk.opened(by: desk.code(again))?.id == id)
    times.pass(100)
    #expect(throws: DeskRefusal.self) { _ = try desk.code(code) }
    #expect(throws: DeskRefusal.self) { _ = try desk.code(personal) }
    for index in 0..<99 { _ = try ask(request { $0.text = "SELECT \(index)" }) }
    #expect(throws: DeskRefusal.self) { _ = try ask(request { $0.text = "SELECT 'one more'" }) }
  }
}

@Suite("Values and estimates for approvers")
struct ApproverViewTests {
  @Test("Values of a Bind are readable, bounded, and nothing where they are not what they should be")
  func values() {
    func values(_ count: Int, _ bytes: [UInt8]) -> [String]? {
      BindValues.readable(Parameters(count: count, encoded: bytes))
    }
    #expect(values(2, [0, 0, 0, 2, 0, 0, 0, 2, 0x6f, 0x6b, 255, 255, 255, 255]) == ["'ok'", "NULL"])
    #expect(values(1, [0, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1, 255]) == ["\\x01ff"])
    #expect(values(0, []) == [])
    #expect(values(1, [0, 0, 0, 1, 0, 0, 0, 9, 1]) == nil)
    #expect(values(1, [0, 9]) == nil)
    let long = values(1, [0, 0, 0, 1, 0, 0, 1, 44] + [UInt8](repeating: 0x61, count: 300))
    #expect(long?.first?.hasSuffix("… (300 bytes)") == true && (long?.first?.count ?? 999) < 230)
  }

  @Test("Rows of a plan; words that a routine's name could be; no estimate where names can hide")
  func estimate() {
    #expect(EstimateQuery.rows(#"[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 12}}]"#) == 12)
    let change =
      #"[{"Plan": {"Node Type": "ModifyTable", "Plan Rows": 0, "Plans": [{"Plan Rows": 3}, {"Plan Rows": 4}]}}]"#
    #expect(EstimateQuery.rows(change) == 7)
    #expect(EstimateQuery.rows("no plan") == nil)
    let words = RowEstimator.Question.words(#"delete from T where "My fn"(x) and Other_fn ( y )"#) ?? []
    #expect(Set(words).isSuperset(of: ["My fn", "Other_fn", "other_fn", "t", "x"]))
    #expect(RowEstimator.Question.words(#"select U&"\0066oo"(1)"#) == nil)
  }
}

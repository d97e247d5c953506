import AccessModel
import Enforcement
import NIOCore

/// A command that waits for people.
struct HeldCommand {
  var id: CommandID
  /// Names this hold within its session: a command can be held several times.
  var number: UInt64
  var command: Command
  var requirement: ApprovalRequirement
  /// How long the session waits; zero for not at all.
  var wait: Duration
  /// Whether the request goes on living when the session does not wait any more.
  var outlives: Bool
  /// Where it runs code that users can change: the stamp of the catalogue.
  var catalogue: String
  /// The request's number, once the store has it.
  var request: Int64?
  var deadline: Scheduled<Void>?
}

/// Keeps a held command off the session's own memory.
final class Holding {
  let command: HeldCommand
  init(_ command: HeldCommand) { self.command = command }
}

/// A command that was approved and is looked at once more before it goes (DECISIONS 14).
struct ApprovedCommand {
  var held: HeldCommand
  var request: Int64
  var people: [String]
  var scope: ApprovalScope

  /// Whether what was approved is what would run now.
  func fits(_ command: Command, catalogue: String) -> Bool {
    command.text == held.command.text && command.parameters == held.command.parameters
      && command.effects == held.command.effects && command.footprint == held.command.footprint
      && catalogue == held.catalogue
  }
}

/// What an approval covers beyond the statement that was shown: `scope: transaction` and `scope: session`.
struct Allowance {
  var request: Int64
  var people: [String]
  var clauses: [ApprovalRequirement.Clause]
  /// What was approved; nothing else is covered.
  var effects: Effects
  var scope: ApprovalScope

  /// Whether it spares this command its hold: the same rules ask, and it does nothing else than what was approved.
  func covers(_ command: Command, _ requirement: ApprovalRequirement) -> Bool {
    !command.effects.isUnknown && effects.isSuperset(of: command.effects)
      && requirement.clauses.allSatisfy(clauses.contains)
  }
}

extension Command {
  /// Whether a transaction may end with it. In a transaction block a routine cannot end it.
  var mayEndTransaction: Bool {
    let summary = facts.shape.summary
    let ends = [SQLStatement.Kind.commit, .rollback, .other].map { KindSet($0) }
    return summary.misunderstood != nil || ends.contains { !$0.isDisjoint(with: summary.kinds) }
  }

  /// Whether text and values say all that it does: not what a name of the session stands for.
  var isSelfContained: Bool {
    let summary = facts.shape.summary
    let names = [SQLStatement.Kind.execute, .fetch, .close, .deallocate].map { KindSet($0) }
    return summary.misunderstood == nil && names.allSatisfy { $0.isDisjoint(with: summary.kinds) }
  }

  /// Whether it runs code that users can change behind an unchanged footprint.
  var runsChangeableCode: Bool {
    switch footprint {
    case .everything: true
    case .resources(let accesses):
      !effects.isDisjoint(with: [.call, .execute]) || accesses.contains { $0.resource.kind == .routine }
    }
  }
}

extension Duration {
  /// `90 s`, `2 min`, `8 h`: for people.
  var shortDescription: String {
    let seconds = components.seconds
    if seconds >= 7200 && seconds % 3600 == 0 { return "\(seconds / 3600) h" }
    return seconds >= 120 && seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds) s"
  }
}

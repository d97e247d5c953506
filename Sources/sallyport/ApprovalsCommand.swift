import ArgumentParser
import Foundation
import Gateway

/// `sallyport approvals`: statements that wait for people.
struct ApprovalsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approvals", abstract: "List, show, approve and deny waiting statements.",
    discussion: "Approvers show who they are by their own token, in the environment variable SALLYPORT_TOKEN.",
    subcommands: [List.self, Show.self, Approve.self, Deny.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the statements that wait.")
    @OptionGroup var control: ControlOptions

    func run() throws {
      let response = try control.ask(.approvalsList)
      if control.json { return try control.printJSON(response) }
      let waiting = response.approvals ?? []
      if waiting.isEmpty { Output.line("nothing waits for approval") }
      for approval in waiting {
        let text = approval.text.split(whereSeparator: \.isNewline).joined(separator: " ")
        Output.line(
          "\(approval.id)  \(approval.user) on \(approval.connection)  \(approval.rules.joined(separator: ","))  "
            + String(text.prefix(100)))
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show one waiting statement.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The request's number.")
    var id: Int64

    func run() throws {
      let response = try control.ask(.approvalsShow, ["id": String(id)])
      if control.json { return try control.printJSON(response) }
      for approval in response.approvals ?? [] {
        Output.line("request     \(approval.id)")
        Output.line("by          \(approval.user) on \(approval.connection)")
        Output.line("rules       \(approval.rules.joined(separator: ", "))")
        Output.line("needs       \(approval.needs.joined(separator: ", and "))")
        Output.line(
          "approved by \(approval.approvedBy.isEmpty ? "nobody yet" : approval.approvedBy.joined(separator: ", "))")
        Output.line("may do      \(approval.effects)")
        Output.line("touches     \(approval.footprint)")
        Output.line("statement   \(approval.text)")
      }
    }
  }

  struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a waiting statement go on.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The request's number.")
    var id: Int64
    @Option(help: "Why.")
    var reason = ""

    func run() throws { try decide(.approvalsApprove, id, reason, control) }
  }

  struct Deny: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Refuse a waiting statement.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The request's number.")
    var id: Int64
    @Option(help: "Why; the person who waits reads it.")
    var reason = ""

    func run() throws { try decide(.approvalsDeny, id, reason, control) }
  }

  private static func decide(_ verb: ControlVerb, _ id: Int64, _ reason: String, _ control: ControlOptions) throws {
    let response = try control.ask(verb, ["id": String(id), "reason": reason])
    if control.json { return try control.printJSON(response) }
    Output.line(response.message ?? "")
  }
}

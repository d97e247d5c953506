import ArgumentParser
import Foundation
import Gateway

/// `sallyport approvals`: statements that wait for people.
struct ApprovalsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approvals", abstract: "List, show, approve and deny requests for approval.",
    discussion: """
      Approvers show who they are by their own token, in the environment variable SALLYPORT_TOKEN, and need the role \
      approver. Exit code 1 when the gateway refuses.
      """,
    subcommands: [List.self, Show.self, Approve.self, Deny.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the requests that wait for somebody.")
    @OptionGroup var control: ControlOptions

    func run() throws {
      let response = try control.ask(.approvalsList)
      if control.json { return try control.printJSON(response) }
      let waiting = (response.approvals ?? [])
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
    static let configuration = CommandConfiguration(abstract: "Show one request, or what became of it.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The request's number.")
    var id: Int64

    func run() throws {
      let response = try control.ask(.approvalsShow, ["id": String(id)])
      if control.json { return try control.printJSON(response) }
      for approval in response.approvals ?? [] { Output.line(ApprovalText.lines(approval).joined(separator: "\n")) }
    }
  }

  struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Agree to a request.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The request's number.")
    var id: Int64?
    @Option(help: "The code of a message about the request, in place of its number; it works once.")
    var code: String?
    @Option(help: "Why.")
    var reason = ""

    func run() throws {
      guard (id == nil) != (code == nil) else { throw ValidationError("give the request's number, or --code") }
      try decide(.approvalsApprove, id, reason, control, code: code)
    }
  }

  struct Deny: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Refuse a request.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The request's number.")
    var id: Int64
    @Option(help: "Why; the person who waits reads it.")
    var reason = ""

    func run() throws { try decide(.approvalsDeny, id, reason, control) }
  }

  private static func decide(
    _ verb: ControlVerb, _ id: Int64?, _ reason: String, _ control: ControlOptions, code: String? = nil
  ) throws {
    var arguments = ["reason": reason]
    arguments["id"] = id.map { String($0) }
    arguments["code"] = code
    let response = try control.ask(verb, arguments)
    if control.json { return try control.printJSON(response) }
    Output.line(response.message ?? "")
  }
}

/// A request for approval as people read it.
enum ApprovalText {
  static func lines(_ approval: ControlResponse.Approval) -> [String] {
    var lines = [
      "request     \(approval.id), \(approval.status)", "by          \(approval.user) on \(approval.connection)",
      "rules       \(approval.rules.joined(separator: ", "))",
      "needs       \(approval.needs.joined(separator: ", and "))",
      "approved by \(approval.approvedBy.isEmpty ? "nobody yet" : approval.approvedBy.joined(separator: ", "))",
      "reason      \(approval.reason.isEmpty ? "none given" : approval.reason)",
      "may do      \(approval.effects)", "touches     \(approval.footprint)",
      "rows        \(approval.estimatedRows.map { "about \($0)" } ?? "no estimate")",
      "covers      \(covers(approval))",
      "until       \(Date(timeIntervalSince1970: TimeInterval(approval.validUntil ?? approval.expiresAt)).ISO8601Format())",
    ]
    if approval.kind == "access" { return lines.filter { !$0.hasPrefix("rows ") && !$0.hasPrefix("touches ") } }
    lines.append("statement   \(approval.text)")
    for (index, value) in (approval.values ?? []).enumerated() { lines.append("  $\(index + 1) = \(value)") }
    if approval.hiddenValues > 0 { lines.append("  \(approval.hiddenValues) values hidden") }
    return lines
  }

  private static func covers(_ approval: ControlResponse.Approval) -> String {
    let time = "\(approval.validFor) s"
    if approval.kind == "access" { return "what these rules hold and does no more than that, for \(time)" }
    switch approval.scope {
    case "transaction": return "what these rules hold in the transaction and does no more than this"
    case "session": return "what these rules hold in the session and does no more than this"
    default:
      return approval.isWaitedFor ? "this statement; a session waits for it" : "this statement once, within \(time)"
    }
  }
}

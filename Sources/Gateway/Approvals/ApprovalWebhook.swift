import Foundation
import SallyportConfiguration
import Store

/// Tells approvers of a request by a webhook: a body that Slack understands, with the text without its values, and a link
/// where the configuration says what the console's address is.
struct ApprovalWebhook: Sendable {
  let settings: WebhookSettings
  let sender: WebhookSender
  let desk: ApprovalDesk
  let configuration: GatewayConfiguration
  /// Characters of the statement that are sent.
  private static let textLimit = 2_000
  /// Approvers who get a message of their own, at most.
  private static let recipientLimit = 50

  /// Returns at once.
  func announce(_ pending: ApprovalDesk.Pending) {
    switch configuration.approvals.links {
    case .shared: post(pending, to: "")
    case .personal:
      // Each of them has heard of it when the first one approves.
      guard pending.approvals.isEmpty else { return }
      for person in configuration.approvers(of: pending.row).prefix(ApprovalWebhook.recipientLimit) {
        post(pending, to: person)
      }
    }
  }

  private func post(_ pending: ApprovalDesk.Pending, to person: String) {
    sender.post(to: settings) { [desk, gateway = configuration.gateway] in
      let code = try desk.makeCode(for: pending, person: person)
      return try ApprovalWebhook.body(
        pending, to: person, code: code, link: gateway.consoleURL.map { "\($0)\(LinkExchange.path)\(code)" },
        gateway: gateway.name)
    }
  }

  private struct Body: Encodable {
    struct Metadata: Encodable {
      var eventType = "sallyport_approval_requested"
      var eventPayload: Payload
    }
    struct Payload: Encodable {
      var gateway: String
      var request: Int64
      var kind: String
      var user: String
      var connection: String
      var rules: [String]
      var needs: [String]
      var statement: String
      var hiddenValues: Int
      var effects: String
      var reason: String
      var expiresAt: Int64
      var approvedBy: [String]
      /// Whom alone the message is for; nil where that is not one person.
      var recipient: String?
      var code: String
      var link: String?
    }
    var text: String
    /// What a link leads to is for people.
    var unfurlLinks = false
    var metadata: Metadata
  }

  /// - Parameters:
  ///   - person: whom it is for; empty for all approvers.
  ///   - link: where it can be decided; nil without a console.
  static func body(
    _ pending: ApprovalDesk.Pending, to person: String = "", code: String, link: String?, gateway: String
  ) throws -> [UInt8] {
    let row = pending.row
    let statement = String(row.maskedText.prefix(textLimit))
    let hidden = row.terms.hiddenValues == 0 ? "" : " (\(row.terms.hiddenValues) values hidden)"
    let people = pending.approvals.map(\.person)
    let verbs =
      "`sallyport approvals approve --code \(code)` (once), or `sallyport approvals deny \(pending.id)`"
    let lines = [
      "*\(escaped(row.user))* asks for approval \(pending.id) on *\(escaped(row.connection))* (\(escaped(gateway))): "
        + "rule \(escaped(row.rule)), \(escaped(row.terms.needs.joined(separator: ", and ")))",
      "```\(escaped(statement))```\(hidden)",
      "Reason: \(row.reason.isEmpty ? "none given" : escaped(row.reason))",
      people.isEmpty ? "" : "Approved so far by: \(escaped(people.joined(separator: ", ")))",
      link.map { "To decide: <\($0)|open the request> (once\(person.isEmpty ? "" : ", only you")); or \(verbs)" }
        ?? "To decide: `sallyport approvals show \(pending.id)`, then \(verbs)",
    ].filter { !$0.isEmpty }
    let body = Body(
      text: lines.joined(separator: "\n"),
      metadata: Body.Metadata(
        eventPayload: Body.Payload(
          gateway: gateway, request: pending.id, kind: row.kind.rawValue, user: row.user, connection: row.connection,
          rules: row.terms.clauses.map(\.rule), needs: row.terms.needs, statement: statement,
          hiddenValues: row.terms.hiddenValues, effects: row.terms.effects, reason: row.reason,
          expiresAt: row.expiresAt, approvedBy: people, recipient: person.isEmpty ? nil : person, code: code,
          link: link)))
    let encoder = JSONEncoder()
    // event_type and the like are Slack's names.
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(body))
  }

  /// As Slack's markup wants it; and nothing that would end the quotation.
  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("`", with: "'")
  }
}

extension GatewayConfiguration {
  /// People who may decide on a request, by name.
  func approvers(of row: NewApproval) -> [String] {
    let groups = row.terms.clauses.flatMap(\.by)
    return users.values.filter { user in
      user.kind == .person && user.name != row.user && user.name != users[row.user]?.owner
        && user.groups.contains(where: groups.contains) && self.user(user.name, has: .approver)
    }
    .map(\.name).sorted()
  }
}

extension ApprovalDesk {
  /// A code for a request that works once; the one before it does not work any more. Blocks on the store.
  ///
  /// - Parameter person: whom it is for; empty for whoever may decide.
  func makeCode(for pending: Pending, person: String = "") throws -> String {
    let code = ApprovalCode(request: pending.id, person: person, expiresAt: pending.row.expiresAt, key: codeKey)
    try store.setApprovalCode(id: pending.id, person: person, digest: code.digest)
    return code.text
  }

  /// What somebody shows as a code, if this gateway made it and its time is not up; whether it was used only the store
  /// knows.
  func code(_ text: String) throws(DeskRefusal) -> ApprovalCode {
    guard let code = ApprovalCode(text: text, key: codeKey), clock.seconds() < code.expiresAt else {
      throw ApprovalDesk.wrongCode
    }
    return code
  }

  func useCode(_ code: ApprovalCode) throws {
    guard try store.useApprovalCode(id: code.request, digest: code.digest) else { throw ApprovalDesk.wrongCode }
  }

  /// The request that a link leads to, while it can be decided by whomever the link is for; nil for any other link, for
  /// whatever reason.
  func opened(by code: ApprovalCode) -> Pending? {
    guard (try? store.isApprovalCode(id: code.request, digest: code.digest)) == true else { return nil }
    return try? find(code.request)
  }

  static let wrongCode = DeskRefusal(
    message: "the code is not valid, or was used before", hint: "Decide by the request's number instead.")
}

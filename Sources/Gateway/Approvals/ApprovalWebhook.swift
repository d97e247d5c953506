import Foundation
import SallyportConfiguration
import Store

/// Tells approvers of a new request by a webhook: a body that Slack understands, with the text without its values.
struct ApprovalWebhook: Sendable {
  let settings: WebhookSettings
  let sender: WebhookSender
  let desk: ApprovalDesk
  let gateway: String
  /// Characters of the statement that are sent.
  private static let textLimit = 2_000

  /// Returns at once.
  func announce(_ pending: ApprovalDesk.Pending) {
    sender.post(to: settings) { try ApprovalWebhook.body(pending, code: desk.makeCode(for: pending), gateway: gateway) }
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
      var code: String
    }
    var text: String
    var metadata: Metadata
  }

  static func body(_ pending: ApprovalDesk.Pending, code: String, gateway: String) throws -> [UInt8] {
    let row = pending.row
    let statement = String(row.maskedText.prefix(textLimit))
    let hidden = row.terms.hiddenValues == 0 ? "" : " (\(row.terms.hiddenValues) values hidden)"
    let lines = [
      "*\(escaped(row.user))* asks for approval \(pending.id) on *\(escaped(row.connection))* (\(escaped(gateway))): "
        + "rule \(escaped(row.rule)), \(escaped(row.terms.needs.joined(separator: ", and ")))",
      "```\(escaped(statement))```\(hidden)",
      "Reason: \(row.reason.isEmpty ? "none given" : escaped(row.reason))",
      "To decide: `sallyport approvals show \(pending.id)`, then `sallyport approvals approve --code \(code)` (once) or "
        + "`sallyport approvals deny \(pending.id)`",
    ]
    let body = Body(
      text: lines.joined(separator: "\n"),
      metadata: Body.Metadata(
        eventPayload: Body.Payload(
          gateway: gateway, request: pending.id, kind: row.kind.rawValue, user: row.user, connection: row.connection,
          rules: row.terms.clauses.map(\.rule), needs: row.terms.needs, statement: statement,
          hiddenValues: row.terms.hiddenValues, effects: row.terms.effects, reason: row.reason,
          expiresAt: row.expiresAt, code: code)))
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

extension ApprovalDesk {
  /// A code for a request that works once; the one before it does not work any more. Blocks on the store.
  func makeCode(for pending: Pending) throws -> String {
    let code = ApprovalCode(request: pending.id, expiresAt: pending.row.expiresAt, key: codeKey)
    try store.setApprovalCode(id: pending.id, digest: code.digest)
    return code.text
  }

  /// The request that a code is for, if it may still be used; `useCode` uses it up.
  func request(of text: String) throws -> (id: Int64, digest: [UInt8]) {
    guard let code = ApprovalCode(text: text, key: codeKey), clock.seconds() < code.expiresAt else {
      throw ApprovalDesk.wrongCode
    }
    return (code.request, code.digest)
  }

  func useCode(_ id: Int64, _ digest: [UInt8]) throws {
    guard try store.useApprovalCode(id: id, digest: digest) else { throw ApprovalDesk.wrongCode }
  }

  private static let wrongCode = DeskRefusal(
    message: "the code is not valid, or was used before", hint: "Decide by the request's number instead.")
}

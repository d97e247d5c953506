import Crypto
import Foundation
import NIOHTTP1

/// The pages that links to requests for approval lead to: HTML without scripts, and nothing from elsewhere.
struct LinkPage {
  let status: HTTPResponseStatus
  let html: String

  init(_ answer: LinkAnswer) {
    switch answer {
    case .request(let request):
      self.init(.ok, "Approval request \(request.approval.id)", LinkPage.facts(request) + LinkPage.form(request))
    case .decided(let message): self.init(.ok, "Done", LinkPage.paragraph(message + "."))
    case .refused(let request, let reason):
      self.init(
        .forbidden, "Not done",
        LinkPage.paragraph(reason + ".", "warning") + LinkPage.facts(request) + LinkPage.form(request))
    case .invalid:
      self.init(
        .notFound, "Not valid",
        LinkPage.paragraph(
          "This link is not valid, was used, or its request has ended. Those that wait: sallyport approvals list."))
    case .tooMany:
      self.init(
        .tooManyRequests, "Too many attempts",
        LinkPage.paragraph("Wait a minute, or decide with: sallyport approvals approve."))
    case .failed:
      self.init(
        .serviceUnavailable, "Not now", LinkPage.paragraph("The gateway cannot record this, so it is not done."))
    }
  }

  /// The link came over a connection that is not encrypted.
  static let exposed = LinkPage(
    .forbidden, "Not encrypted",
    paragraph("This link came over a connection that is not encrypted, and is void. Use https:// for the next one."))

  /// What was posted does not come from the page's form.
  static let notUnderstood = LinkPage(.badRequest, "Not understood", paragraph("Go back, and use the buttons."))

  /// The code in the address goes nowhere else, and nobody frames the page to have its buttons pressed.
  var headers: HTTPHeaders {
    var headers = LinkPage.safe
    if status == .tooManyRequests { headers.add(name: "retry-after", value: "60") }
    return headers
  }

  private static let safe: HTTPHeaders = [
    "content-security-policy":
      "default-src 'none'; style-src 'sha256-\(styleDigest)'; form-action 'self'; base-uri 'none'; "
      + "frame-ancestors 'none'",
    "referrer-policy": "no-referrer", "x-frame-options": "DENY", "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin", "x-robots-tag": "noindex, nofollow",
  ]

  private init(_ status: HTTPResponseStatus, _ title: String, _ content: String) {
    self.status = status
    html = """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(LinkPage.escaped(title)) · Sallyport</title><style>\(LinkPage.style)</style></head>
      <body><main><h1>\(LinkPage.escaped(title))</h1>
      \(content)</main></body></html>

      """
  }

  private static func facts(_ request: LinkedRequest) -> String {
    let approval = request.approval
    var facts = [
      ("Asked by", approval.user), ("Connection", "\(approval.connection), on \(request.gateway)"),
      ("Rules", approval.rules.joined(separator: ", ")), ("Needs", approval.needs.joined(separator: ", and ")),
      ("Does", approval.effects), ("Touches", approval.footprint),
      ("Reason", approval.reason.isEmpty ? "none given" : approval.reason), ("Covers", scope(of: approval)),
      ("Until", time(approval.expiresAt)),
    ]
    if !approval.approvedBy.isEmpty { facts.append(("Approved by", approval.approvedBy.joined(separator: ", "))) }
    let rows = facts.filter { !$0.1.isEmpty }.map { "<dt>\($0.0)</dt><dd>\(escaped($0.1))</dd>\n" }.joined()
    let hidden =
      approval.hiddenValues == 0
      ? ""
      : paragraph(
        "\(approval.hiddenValues) \(approval.hiddenValues == 1 ? "value is" : "values are") hidden; those who may see "
          + "them: sallyport approvals show \(approval.id).")
    return "<dl>\(rows)</dl>\n<pre>\(escaped(approval.text))</pre>\n\(hidden)"
  }

  private static func form(_ request: LinkedRequest) -> String {
    let proof =
      request.person.isEmpty
      ? """
      <label>Your own token<input type="password" name="token" required autocomplete="current-password" maxlength="200">
      </label>

      """ : paragraph("You decide as \(request.person).")
    return """
      <form method="post" accept-charset="utf-8">
      <label>Reason<textarea name="reason" rows="2" maxlength="\(ControlVerbs.reasonLimit)"></textarea></label>
      \(proof)<p><button name="decision" value="approve">Approve</button>
      <button name="decision" value="deny" class="deny">Deny</button></p></form>

      """
  }

  private static func scope(of approval: ControlResponse.Approval) -> String {
    switch (approval.kind, approval.scope) {
    case ("access", _): "all statements that do this, for \(Duration.seconds(approval.validFor).shortDescription)"
    case (_, "statement"): "this statement, once"
    case (_, let scope): "what the same rules hold in the \(scope)"
    }
  }

  private static func time(_ seconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
  }

  private static func paragraph(_ text: String, _ kind: String = "note") -> String {
    "<p class=\"\(kind)\">\(escaped(text))</p>\n"
  }

  /// As HTML shows it letter by letter; what would not be seen, or would turn the reading around, by its number.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case "\n", "\t": escaped.unicodeScalars.append(scalar)
      case _:
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
          escaped += "⟨U+\(String(scalar.value, radix: 16, uppercase: true))⟩"
        case _: escaped.unicodeScalars.append(scalar)
        }
      }
    }
    return escaped
  }

  private static let styleDigest = Data(SHA256.hash(data: Array(style.utf8))).base64EncodedString()

  private static let style = """
    :root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{margin:0}
    main{max-width:44rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.4rem}
    dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
    pre{padding:.8rem;border:1px solid #8888;border-radius:.4rem;white-space:pre-wrap;overflow-wrap:anywhere}
    label{display:block;margin:.8rem 0}textarea,input{display:block;width:100%;box-sizing:border-box;font:inherit}
    button{font:inherit;padding:.5rem 1.4rem;margin-right:.6rem;border-radius:.4rem;border:1px solid #1a7f37;\
    background:#1a7f37;color:#fff;cursor:pointer}button.deny{border-color:#b42318;background:#b42318}
    .note{opacity:.8}.warning{color:#b42318;font-weight:600}
    """
}

import NIOCore
import NIOHTTP1

/// What somebody decided on the page of a link.
struct LinkDecision: Sendable {
  /// `approvalsApprove` or `approvalsDeny`.
  var verb: ControlVerb
  var reason: String
  /// nil where the link itself is the proof.
  var token: String?
}

/// `/approvals/CODE` on the console's listener: GET shows a request for approval, POST decides on it. Collects one body.
///
/// The code in the path is the secret. GET changes nothing, as previewers and scanners of messages follow links; and as no
/// other page knows the path, none can post to it.
struct LinkExchange {
  static let path = "/approvals/"
  /// Bytes of a form.
  private static let limit = 16 << 10

  let link: String
  /// Where the request comes from: the numeric address.
  let address: String
  /// The link travels where others could read it.
  let isExposed: Bool
  private let isForm: Bool
  private var body = ByteBuffer()

  /// nil for other paths and methods.
  init?(_ head: HTTPRequestHead, address: String, isExposed: Bool) {
    let path = head.uri.prefix { $0 != "?" }
    guard path.hasPrefix(LinkExchange.path), [.GET, .HEAD, .POST].contains(head.method) else { return nil }
    link = String(path.dropFirst(LinkExchange.path.count))
    self.address = address
    self.isExposed = isExposed
    let type = head.headers["content-type"].first?.prefix { $0 != ";" }.lowercased()
    // Sent by browsers: a form of another site is none of ours, whatever it knows.
    let site = head.headers["sec-fetch-site"].first
    isForm =
      head.method == .POST && type == "application/x-www-form-urlencoded" && (site == nil || site == "same-origin")
  }

  /// False when that is more than a form can be.
  mutating func take(_ part: ByteBuffer) -> Bool {
    guard isForm, body.readableBytes + part.readableBytes <= LinkExchange.limit else { return false }
    body.writeImmutableBuffer(part)
    return true
  }

  /// nil for what the page's own form does not send.
  var decision: LinkDecision? {
    guard isForm, let fields = FormFields(body.readableBytesView) else { return nil }
    let verb: ControlVerb
    switch fields["decision"] {
    case "approve": verb = .approvalsApprove
    case "deny": verb = .approvalsDeny
    case _: return nil
    }
    return LinkDecision(verb: verb, reason: fields["reason"] ?? "", token: fields["token"])
  }
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5.1): each name once.
struct FormFields {
  private var fields: [String: String] = [:]

  /// nil for what is not UTF-8, is escaped wrongly, or says something twice.
  init?(_ body: some Collection<UInt8>) {
    for pair in body.split(separator: UInt8(ascii: "&")) {
      let front = pair.prefix { $0 != UInt8(ascii: "=") }
      guard let name = FormFields.decoded(front), let value = FormFields.decoded(pair.dropFirst(front.count + 1)),
        fields.updateValue(value, forKey: name) == nil
      else { return nil }
    }
  }

  subscript(_ name: String) -> String? { fields[name] }

  private static func decoded(_ text: some Collection<UInt8>) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard rest.count >= 2, let digits = String(validating: rest.prefix(2), as: UTF8.self),
          digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16)
        else { return nil }
        bytes.append(value)
        rest = rest.dropFirst(2)
      case _: bytes.append(byte)
      }
    }
    // A form ends its lines with both.
    return String(validating: bytes, as: UTF8.self)?.replacing("\r\n", with: "\n")
  }
}

/// Where to post something, and by which secret it is signed.
public struct WebhookSettings: Sendable, Hashable {
  /// `https:`, or `http:` to this machine.
  public var url: String
  public var host: String
  public var port: UInt16
  public var secret: SecretReference
}

/// How approvers hear of requests.
public struct ApprovalSettings: Sendable, Hashable {
  /// Whom a link in a message serves.
  public enum Links: String, Sendable, Hashable, CaseIterable {
    /// Whoever may approve, and shows their token: one message, which many may read.
    case shared
    /// One approver, whose proof it is: a message for each of them, which nobody else may read.
    case personal
  }
  public var webhook: WebhookSettings?
  public var links = Links.shared
  public init() {}
}

extension ConfigurationReader {
  /// `approvals:`.
  func approvalSettings(_ value: YAMLValue) -> ApprovalSettings? {
    guard var keys = MappingReader(value, "approvals", mistakes, .approvals) else { return nil }
    var settings = ApprovalSettings()
    if let value = keys.take("webhook") { settings.webhook = webhook(value) }
    if let value = keys.take("links") {
      linksPlace = value.place
      let words = ApprovalSettings.Links.allCases.map { ($0.rawValue, $0) }
      settings.links = word(value, "links", among: words) ?? .shared
      if !keys.has("webhook") {
        mistakes.add(value.place, "links go with the messages of a webhook, and there is none", "Add webhook:.")
      }
    }
    keys.finish()
    return settings
  }

  /// Any webhook: `{ url: https://…, secret: { env: … } }`.
  func webhook(_ value: YAMLValue) -> WebhookSettings? {
    guard var keys = MappingReader(value, "webhook", mistakes, .webhook) else { return nil }
    let url = keys.require("url", "Write it like https://hooks.example.org/sallyport.").flatMap { webhookURL($0) }
    let secret = keys.require("secret", "Messages are signed with it: secret: { env: WEBHOOK_SECRET }.").flatMap {
      self.secret($0, "the secret of the webhook")
    }
    keys.finish()
    guard let url, let secret else { return nil }
    return WebhookSettings(url: url.text, host: url.endpoint.host, port: url.endpoint.port, secret: secret)
  }

  /// The address is not repeated in messages: its path may be a secret.
  private func webhookURL(_ value: YAMLValue) -> (text: String, endpoint: Endpoint)? {
    guard let text = text(value, "url") else { return nil }
    guard let address = webAddress(text) else {
      return refuse(value.place, "url is not the address of a webhook", "Write it like https://host/path.")
    }
    if address.isPlain, !Endpoint.isThisMachine(address.endpoint.host) {
      return refuse(
        value.place, "url is not encrypted, and what is posted is not for everybody", "Use https:// instead.")
    }
    return (text, address.endpoint)
  }

  /// `https://host[:port][/…]`, or `http:`; `path` is all behind host and port.
  func webAddress(_ text: String) -> (endpoint: Endpoint, path: Substring, isPlain: Bool)? {
    let parts = text.split(separator: "://", maxSplits: 1)
    let isPlain = parts.first == "http"
    guard parts.count == 2, isPlain || parts[0] == "https", text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { return nil }
    let host = parts[1].prefix { !"/?#".contains($0) }
    guard
      case .success(let endpoint) = Endpoint.parse(String(host), defaultPort: isPlain ? 80 : 443, lowestPort: 1)
    else { return nil }
    return (endpoint, parts[1].dropFirst(host.count), isPlain)
  }

  /// Links lead to the console.
  func checkLinks() {
    guard let linksPlace, gatewayPlace == nil || gateway != nil, gateway?.consoleURL == nil else { return }
    mistakes.add(
      linksPlace, "links lead to the console, and nobody knows its address", "Add gateway.console: { url: https://… }.")
  }
}

extension MappingShape {
  static let approvals = MappingShape(
    "approvals",
    [
      Key("webhook", .mapping(.webhook), "Where a new request for approval is posted."),
      Key(
        "links", .words(ApprovalSettings.Links.allCases.map(\.rawValue)),
        "shared: one message, and who follows its link shows their token; personal: a message for each approver, whose "
          + "proof its link is. Default: shared."),
    ])

  static let webhook = MappingShape(
    "webhook",
    [
      Key("url", .address, "https://…; http:// only to this machine.", required: true),
      Key("secret", .secret, "What messages are signed with, by HMAC-SHA256.", required: true),
    ])
}

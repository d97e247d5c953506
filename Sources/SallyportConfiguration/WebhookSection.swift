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
  public var webhook: WebhookSettings?
  public init() {}
}

extension ConfigurationReader {
  /// `approvals:`.
  func approvalSettings(_ value: YAMLValue) -> ApprovalSettings? {
    guard var keys = MappingReader(value, "approvals", mistakes, .approvals) else { return nil }
    var settings = ApprovalSettings()
    if let value = keys.take("webhook") { settings.webhook = webhook(value) }
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
    let parts = text.split(separator: "://", maxSplits: 1)
    let isPlain = parts.first == "http"
    guard parts.count == 2, isPlain || parts[0] == "https",
      text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
      case .success(let endpoint) = Endpoint.parse(
        String(parts[1].prefix { !"/?#".contains($0) }), defaultPort: isPlain ? 80 : 443, lowestPort: 1)
    else { return refuse(value.place, "url is not the address of a webhook", "Write it like https://host/path.") }
    if isPlain, !Endpoint.isThisMachine(endpoint.host) {
      return refuse(
        value.place, "url is not encrypted, and what is posted is not for everybody", "Use https:// instead.")
    }
    return (text, endpoint)
  }
}

extension MappingShape {
  static let approvals = MappingShape(
    "approvals", [Key("webhook", .mapping(.webhook), "Where a new request for approval is posted.")])

  static let webhook = MappingShape(
    "webhook",
    [
      Key("url", .address, "https://…; http:// only to this machine.", required: true),
      Key("secret", .secret, "What messages are signed with, by HMAC-SHA256.", required: true),
    ])
}

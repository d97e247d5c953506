import Postgres

/// Masks: what tokens stand for.
extension ControlVerbs {
  /// Tokens that one request may ask for.
  private static let revealLimit = 100

  /// What tokens stand for. That it was asked, by whom and why, is in the audit trail before; what they stand for is not.
  func reveal(_ request: AuthorizedRequest) throws -> ControlResponse {
    _ = try request.argument("reason")
    let type = request.arguments["type"] ?? "text"
    guard TokenReveal.types[type] != nil else {
      throw GatewayFailure(
        "there are no tokens of type \"\(type)\"",
        hint: "There are those of \(TokenReveal.types.keys.sorted().joined(separator: ", ")).")
    }
    let tokens = try request.argument("tokens").split(separator: "\n").map(String.init)
    guard tokens.count <= ControlVerbs.revealLimit else {
      throw GatewayFailure("\(tokens.count) tokens at once", hint: "Ask for \(ControlVerbs.revealLimit) at most.")
    }
    let key = try MaskKeyFile.load(data: data)
    var response = ControlResponse()
    response.revealed = try tokens.map { token in
      guard
        let value = TokenReveal.reveal(token, type: type, domain: request.arguments["domain"] ?? "", key: key)
      else {
        throw GatewayFailure(
          "\"\(token)\" is no token of type \(type)",
          hint:
            "What has fewer than 1,000,000 forms, or characters beyond ASCII, was redacted and is not kept anywhere.")
      }
      return value
    }
    return response
  }
}

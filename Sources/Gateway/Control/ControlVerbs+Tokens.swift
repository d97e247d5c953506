import Identity
import SallyportConfiguration
import Store

/// Tokens: what people and programs sign in with.
extension ControlVerbs {
  private static let day: Int64 = 86_400

  func createToken(_ request: AuthorizedRequest) throws -> ControlResponse {
    let user = try request.argument("user")
    guard configuration.users[user] != nil else {
      throw GatewayFailure("there is no user \"\(user)\"", hint: "Users are those of the configuration.")
    }
    let connections = (request.arguments["connections"] ?? "").split(separator: ",").map(String.init)
    for connection in connections where configuration.connections[connection] == nil {
      throw GatewayFailure("there is no connection \"\(connection)\"")
    }
    guard let lifetime = Int64(request.arguments["lifetime"] ?? "\(30 * ControlVerbs.day)") else {
      throw GatewayFailure("the lifetime is no number of seconds")
    }
    let (token, record) = try store.createToken(
      user: user, name: try request.argument("name"), lifetime: lifetime, connections: connections,
      now: Clock.seconds())
    var response = ControlResponse(message: "token \(record.id) for \(user)")
    response.secret = token.text
    response.tokens = [view(of: record)]
    return response
  }

  func listTokens(_ request: AuthorizedRequest) throws -> ControlResponse {
    var response = ControlResponse()
    response.tokens = try store.listTokens(user: request.arguments["user"]).map(view)
    return response
  }

  func revokeToken(_ request: AuthorizedRequest) throws -> ControlResponse {
    let id = try request.number()
    try store.revokeToken(id: id, now: Clock.seconds())
    return ControlResponse(message: "token \(id) is revoked")
  }

  private func view(of record: TokenRecord) -> ControlResponse.Token {
    ControlResponse.Token(
      id: record.id, user: record.user, name: record.name, createdAt: record.createdAt, expiresAt: record.expiresAt,
      revokedAt: record.revokedAt, connections: record.connections)
  }
}

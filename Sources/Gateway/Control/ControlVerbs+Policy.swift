/// The policy, and what it says.
extension ControlVerbs {
  func reload(_ request: AuthorizedRequest) throws -> ControlResponse {
    guard let report = try reloading(request.actor.name) else {
      throw GatewayFailure("the configuration was not read again")
    }
    var response = ControlResponse(
      message: report.isAccepted ? "the configuration is in force" : "the configuration is refused, the old one stays")
    response.reload = report
    return response
  }

  func explain(_ request: AuthorizedRequest) throws -> ControlResponse {
    let connection = try request.argument("connection")
    let trial = PolicyTrial(configuration, live: catalog(connection))
    var response = ControlResponse()
    do throws(PolicyTrial.Unknown) {
      response.explanation = try trial.explain(
        request.arguments["statement"] ?? "", user: request.arguments["user"] ?? "", connection: connection,
        client: request.arguments["client"] ?? "127.0.0.1", rows: request.arguments["rows"].flatMap { Int64($0) })
    } catch { throw GatewayFailure(error.description) }
    return response
  }
}

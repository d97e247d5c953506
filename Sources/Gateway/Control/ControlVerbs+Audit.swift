import AuditTrail

/// The audit trail, as far as the running gateway has to do something for it.
extension ControlVerbs {
  /// Whether the gateway runs, and what does not work.
  func status() -> ControlResponse {
    var response = ControlResponse(message: "running")
    if let troubles = sealing?.troubles, !troubles.isEmpty { response.troubles = troubles }
    return response
  }

  /// Seals the trail now, and keeps the seal wherever it is to be kept.
  func sealAudit() throws -> ControlResponse {
    guard let seal = try sealing?.seal() else { throw GatewayFailure("this gateway keeps no trail") }
    var response = ControlResponse(message: "sealed: seal \(seal.number) of \(seal.time)")
    response.seal = seal.line
    if let troubles = sealing?.troubles, !troubles.isEmpty { response.troubles = troubles }
    return response
  }
}

import AccessModel
import Residency

extension GatewaySettings {
  static func defaults(hostName: String) -> GatewaySettings {
    GatewaySettings(
      name: hostName, region: nil, data: "./data", listenPostgres: Endpoint(host: "127.0.0.1", port: 6432), tls: nil,
      threads: nil)
  }
}

extension ConfigurationReader {
  /// `gateway:`.
  func gatewaySettings(_ value: YAMLValue) -> GatewaySettings? {
    guard var keys = MappingReader(value, "gateway", mistakes) else { return nil }
    var settings = GatewaySettings.defaults(hostName: hostName)
    if let value = keys.take("name"), let text = text(value, "name") {
      settings.name = name(Located(value: text, place: value.place), "a gateway") ?? settings.name
    }
    if let value = keys.take("region") { settings.region = text(value, "region") }
    if let value = keys.take("data"), let text = text(value, "data") { settings.data = text }
    if let value = keys.take("listen") { readListen(value, into: &settings) }
    if let value = keys.take("tls") { settings.tls = listenerTLS(value) }
    if let value = keys.take("threads") { settings.threads = integer(value, "threads", 1...64) }
    if let value = keys.take("limits") {
      settings.limits = sessionLimits(value, sessionsKey: "sessions_per_connection") ?? SessionLimits()
    }
    if let value = keys.take("drain") { settings.drain = duration(value, "drain") ?? settings.drain }
    if let value = keys.take("proxy_protocol") { settings.balancers = balancers(value) }
    if let value = keys.take("audit") { settings.audit = auditSettings(value) ?? AuditSettings() }
    keys.finish(planned: ["state", "recordings"])
    return settings
  }

  /// `proxy_protocol: { from: [10.0.0.0/24] }`.
  private func balancers(_ value: YAMLValue) -> [NetworkRange] {
    guard var keys = MappingReader(value, "proxy_protocol", mistakes) else { return [] }
    let from = keys.require("from", "List the load balancers' networks, like from: [10.0.0.0/24].")
    keys.finish()
    return from.flatMap { networks($0, "from") } ?? []
  }

  private func readListen(_ value: YAMLValue, into settings: inout GatewaySettings) {
    guard var keys = MappingReader(value, "listen", mistakes) else { return }
    if let value = keys.take("postgres"),
      let endpoint = endpoint(value, "postgres", defaultPort: nil, lowestPort: 0)
    {
      settings.listenPostgres = endpoint
    }
    if let value = keys.take("console") {
      settings.listenConsole = endpoint(value, "console", defaultPort: nil, lowestPort: 0)
    }
    keys.finish(planned: ["ssh", "http"])
  }

  private func listenerTLS(_ value: YAMLValue) -> ListenerTLS? {
    guard var keys = MappingReader(value, "tls", mistakes) else { return nil }
    let certificate = keys.require("certificate", "Name the file with the PEM chain.").flatMap {
      text($0, "certificate")
    }
    let key = keys.require("key", "Refer to it like key: { file: gw.key }.").flatMap { secret($0, "the key") }
    keys.finish()
    guard let certificate, let key else { return nil }
    return ListenerTLS(certificate: certificate, key: key)
  }
}

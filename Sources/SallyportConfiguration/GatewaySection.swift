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
    guard var keys = MappingReader(value, "gateway", mistakes, .gateway) else { return nil }
    var settings = GatewaySettings.defaults(hostName: hostName)
    if let value = keys.take("name"), let text = text(value, "name") {
      settings.name = name(Located(value: text, place: value.place), "a gateway") ?? settings.name
    }
    if let value = keys.take("region") { settings.region = text(value, "region") }
    if let value = keys.take("data"), let text = text(value, "data") { settings.data = text }
    if let value = keys.take("listen") { readListen(value, into: &settings) }
    if let value = keys.take("console") { readConsole(value, into: &settings) }
    if let value = keys.take("tls") { settings.tls = listenerTLS(value) }
    if let value = keys.take("threads") { settings.threads = integer(value, "threads") }
    if let value = keys.take("limits") {
      settings.limits = sessionLimits(value, .gatewayLimits, sessionsKey: "sessions_per_connection") ?? SessionLimits()
    }
    if let value = keys.take("drain") { settings.drain = duration(value, "drain") ?? settings.drain }
    if let value = keys.take("proxy_protocol") { settings.balancers = balancers(value) }
    if let value = keys.take("audit") { settings.audit = auditSettings(value) ?? AuditSettings() }
    if let value = keys.take("recording") {
      settings.recording = recordingSettings(value, .gatewayRecording) ?? RecordingSettings()
    }
    keys.finish()
    return settings
  }

  /// `proxy_protocol: { from: [10.0.0.0/24] }`.
  private func balancers(_ value: YAMLValue) -> [NetworkRange] {
    guard var keys = MappingReader(value, "proxy_protocol", mistakes, .proxyProtocol) else { return [] }
    let from = keys.require("from", "List the load balancers' networks, like from: [10.0.0.0/24].")
    keys.finish()
    return from.flatMap { networks($0, "from") } ?? []
  }

  private func readListen(_ value: YAMLValue, into settings: inout GatewaySettings) {
    guard var keys = MappingReader(value, "listen", mistakes, .listen) else { return }
    if let value = keys.take("postgres"),
      let endpoint = endpoint(value, "postgres", defaultPort: nil, lowestPort: 0)
    {
      settings.listenPostgres = endpoint
    }
    if let value = keys.take("ssh") {
      settings.listenSSH = endpoint(value, "ssh", defaultPort: nil, lowestPort: 0)
    }
    if let value = keys.take("console") {
      settings.listenConsole = endpoint(value, "console", defaultPort: nil, lowestPort: 0)
    }
    if let value = keys.take("control") { settings.listenControl = controlSocket(value) }
    keys.finish()
  }

  /// `console: { url: https://gateway.example.org:8443 }`.
  private func readConsole(_ value: YAMLValue, into settings: inout GatewaySettings) {
    guard var keys = MappingReader(value, "console", mistakes, .console) else { return }
    let url = keys.require("url", "Write it like https://gateway.example.org:8443.")
    keys.finish()
    guard let url, let text = text(url, "url") else { return }
    guard let address = webAddress(text), address.path.utf8.allSatisfy(ConfigurationReader.isPathByte) else {
      mistakes.add(
        url.place, "url is not what browsers could reach the console by",
        "Write it like https://gateway.example.org:8443, without a query.")
      return
    }
    if address.isPlain, !Endpoint.isThisMachine(address.endpoint.host) {
      mistakes.add(url.place, "url is not encrypted, and links to it are secrets", "Use https:// instead.")
    }
    if settings.listenConsole == nil {
      mistakes.add(
        url.place, "console has a url, and there is no console", "Say where it listens: gateway.listen.console.")
    }
    settings.consoleURL = text.hasSuffix("/") ? String(text.dropLast()) : text
  }

  /// Letters, digits and what else a path has that means nothing else (RFC 3986 §2.3).
  private static func isPathByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      true
    default: false
    }
  }

  /// A path, or `{ path: …, mode: "0660", group: operators }`.
  private func controlSocket(_ value: YAMLValue) -> ControlSocketSettings? {
    if case .scalar = value.node { return text(value, "control").map { ControlSocketSettings(path: $0) } }
    guard var keys = MappingReader(value, "control", mistakes, .controlSocket) else { return nil }
    let path = keys.require("path", "Write it like path: /run/sallyport/control.sock.").flatMap { text($0, "path") }
    let mode = keys.take("mode").flatMap { fileMode($0) }
    let group = keys.take("group").flatMap { text($0, "group") }
    keys.finish()
    return path.map { ControlSocketSettings(path: $0, mode: mode ?? 0o660, group: group) }
  }

  /// Three octal digits, with a zero before them or without; the owner must be able to connect.
  private func fileMode(_ value: YAMLValue) -> UInt16? {
    guard let text = text(value, "mode") else { return nil }
    let digits = text.hasPrefix("0") ? text.dropFirst() : text[...]
    guard digits.utf8.count == 3, let mode = UInt16(digits, radix: 8), mode & 0o600 == 0o600 else {
      return refuse(
        value.place, "mode must be the mode of a file whose owner may read and write it", "Write it like \"0660\".")
    }
    return mode
  }

  private func listenerTLS(_ value: YAMLValue) -> ListenerTLS? {
    guard var keys = MappingReader(value, "tls", mistakes, .listenerTLS) else { return nil }
    let certificate = keys.require("certificate", "Name the file with the PEM chain.").flatMap {
      text($0, "certificate")
    }
    let key = keys.require("key", "Refer to it like key: { file: gw.key }.").flatMap { secret($0, "the key") }
    keys.finish()
    guard let certificate, let key else { return nil }
    return ListenerTLS(certificate: certificate, key: key)
  }
}

extension MappingShape {
  static let gateway = MappingShape(
    "gateway",
    [
      Key("name", .name, "What audit records call this gateway. Default: the host's name."),
      Key("region", .text, "Where the gateway stands."),
      Key("data", .text, "Folder of state, audit and keys. Default: ./data."),
      Key("listen", .mapping(.listen), "Where clients connect."),
      Key("console", .mapping(.console), "How people's browsers reach it."),
      Key("tls", .mapping(.listenerTLS), "What clients see; without it, a certificate of the gateway's own authority."),
      Key("threads", .integer(1...64), "Event loops. Default: as many as there are cores."),
      Key("limits", .mapping(.gatewayLimits), "Where a connection has none of its own."),
      Key("drain", .duration, "How long sessions have to end at SIGTERM. Default: 10s."),
      Key("proxy_protocol", .mapping(.proxyProtocol), "Load balancers that say where the client is."),
      Key("audit", .mapping(.audit), "What the audit trail keeps."),
      Key("recording", .mapping(.gatewayRecording), "What is kept of results; where a connection does not say."),
    ], planned: ["state", "recordings"])

  static let proxyProtocol = MappingShape(
    "proxy_protocol", [Key("from", .oneOrMore(.text), "Networks like 10.0.0.0/24.", required: true)])

  static let listen = MappingShape(
    "listen",
    [
      Key("postgres", .text, "host:port. Default: 127.0.0.1:6432."),
      Key("console", .text, "host:port of health, metrics and control by token. Default: nowhere."),
      Key(
        "control", .either([.text, .mapping(.controlSocket)]),
        "A control socket for other accounts of this machine. Default: only the one in the data folder."),
      Key("ssh", .text, "host:port of SSH. Default: nowhere."),
    ], planned: ["http"])

  static let console = MappingShape(
    "console",
    [
      Key(
        "url", .text,
        "https://…, by which browsers reach gateway.listen.console; links to requests for approval begin with it.",
        required: true)
    ])

  static let controlSocket = MappingShape(
    "control",
    [
      Key("path", .text, "Where the socket is made.", required: true),
      Key("mode", .text, "Who may connect, by the file's mode. Default: \"0660\"."),
      Key("group", .text, "The group that the file belongs to, by name or number."),
    ])

  static let listenerTLS = MappingShape(
    "tls",
    [
      Key("certificate", .text, "File with the PEM chain.", required: true),
      Key("key", .secret, required: true),
    ])
}

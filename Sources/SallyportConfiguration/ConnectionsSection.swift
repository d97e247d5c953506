import AccessModel

extension ConfigurationReader {
  /// `connections:`, backends by name.
  func readConnections(_ value: YAMLValue) {
    guard let entries = MappingReader.entries(of: value, "connections", mistakes) else {
      hasUnreadConnections = true
      return
    }
    for (key, value) in entries {
      guard let name = connectionName(key), let settings = connection(name, value) else {
        hasUnreadConnections = true
        continue
      }
      if let first = connections[name] {
        mistakes.add(key.place, "connection \"\(name)\" is written twice", firstAt(first.place))
        continue
      }
      connections[name] = Located(value: settings, place: key.place)
    }
  }

  private func connectionName(_ key: Located<String>) -> String? {
    if key.value.contains("*") {
      return refuse(key.place, "patterns as names of connections are not available in this version")
    }
    return name(key, "a connection")
  }

  private func connection(_ name: String, _ value: YAMLValue) -> ConnectionSettings? {
    guard var keys = MappingReader(value, "connection \"\(name)\"", mistakes, .connection) else { return nil }
    let before = mistakes.found.count
    let protocolName = keys.require("protocol", "Add protocol: postgres, or ssh.").flatMap { protocolWord($0) }
    if protocolName == "ssh" { return sshConnection(name, &keys) }
    for key in ["logins", "host_key"] {
      guard let value = keys.take(key) else { continue }
      mistakes.add(value.place, "\(key) is for connections with protocol: ssh")
    }
    let labels = keys.take("labels").flatMap { self.labels($0) } ?? [:]
    let address = keys.require("address", "Add it like address: db.internal:5432.").flatMap {
      endpoint($0, "address", defaultPort: 5432, lowestPort: 1)
    }
    let database = keys.take("database").flatMap { databaseName($0) } ?? name
    let databases = keys.take("databases").flatMap { texts($0, "databases") }?.map(\.value) ?? []
    let region = keys.take("region").flatMap { text($0, "region") }
    let tls = keys.take("tls").flatMap { backendTLS($0) } ?? .prefer
    let authority = keys.take("tls_ca")
    let binding = keys.take("channel_binding")
    let channelBinding = binding.flatMap { self.channelBinding($0) } ?? .prefer
    let credentials = keys.require("credentials", "Add at least { user: …, password: { env: … } }.").flatMap {
      self.credentials($0, of: name, tls: tls)
    }
    let limits =
      keys.take("limits").flatMap { sessionLimits($0, .connectionLimits, sessionsKey: "sessions") } ?? SessionLimits()
    let recording =
      keys.take("recording").flatMap { recordingSettings($0, .connectionRecording) } ?? RecordingSettings()
    keys.finish()
    if let authority, tls != .verifyCA, tls != .verifyFull, mistakes.found.count == before {
      mistakes.add(
        authority.place, "tls_ca has no use with tls: \(tls.rawValue)", "Write tls: verify-full, or verify-ca.")
    }
    if let binding, channelBinding == .require, tls == .disable {
      mistakes.add(
        binding.place, "channel_binding: require cannot be met with tls: disable", "Write tls: verify-full, or require."
      )
    }
    guard let protocolName, let address, let credentials else { return nil }
    return ConnectionSettings(
      name: name, protocolName: protocolName, labels: labels, address: address, database: database,
      databases: databases, region: region, tls: tls, tlsAuthority: authority.flatMap { text($0, "tls_ca") },
      channelBinding: channelBinding, credentials: credentials, limits: limits, recording: recording)
  }

  func protocolWord(_ value: YAMLValue) -> String? {
    word(value, "protocol", among: MappingShape.protocols.map { ($0, $0) }, planned: ["http"])
  }

  private func backendTLS(_ value: YAMLValue) -> BackendTLS? {
    word(value, "tls", among: BackendTLS.allCases.map { ($0.rawValue, $0) })
  }

  private func channelBinding(_ value: YAMLValue) -> BackendChannelBinding? {
    word(value, "channel_binding", among: BackendChannelBinding.allCases.map { ($0.rawValue, $0) })
  }

  /// PostgreSQL cuts longer names off without a word (NAMEDATALEN), which would then be another database.
  private func databaseName(_ value: YAMLValue) -> String? {
    guard let name = text(value, "database") else { return nil }
    guard name.utf8.count <= 63 else { return refuse(value.place, "database is longer than 63 bytes") }
    return name
  }

  func labels(_ value: YAMLValue) -> [String: String]? {
    guard let entries = MappingReader.entries(of: value, "labels", mistakes) else { return nil }
    var labels: [String: String] = [:]
    for (key, value) in entries {
      guard let key = name(key, "a label"), let text = text(value, "label \(key)") else { continue }
      labels[key] = text
    }
    return labels
  }

  private func credentials(_ value: YAMLValue, of connection: String, tls: BackendTLS) -> [BackendCredential]? {
    let what = "credentials of \"\(connection)\""
    guard case .sequence(let sequence) = value.node else {
      return refuse(
        value.place, "\(what) must be a list", "Write it like credentials: [{ user: app, password: { env: APP } }].")
    }
    if sequence.isEmpty { return refuse(value.place, "\(what) is an empty list") }
    var read: [BackendCredential] = []
    var catchAll: Place?
    for node in sequence {
      let entry = YAMLValue(node: node, file: value.file)
      if let catchAll {
        mistakes.add(
          entry.place, "this credential is never used: the one in line \(catchAll.line) is for everybody",
          "Put the one without groups last.")
      }
      guard let credential = credential(entry, tls: tls) else { continue }
      if credential.groups == nil, catchAll == nil { catchAll = entry.place }
      read.append(credential)
    }
    return read.count == sequence.count ? read : nil
  }

  private func credential(_ value: YAMLValue, tls: BackendTLS) -> BackendCredential? {
    guard var keys = MappingReader(value, "the credential", mistakes, .credential) else { return nil }
    let groupsValue = keys.take("groups")
    let groups = groupsValue.flatMap { self.groups($0, "groups") }
    let user = keys.require("user", "Name the account on the backend.").flatMap { text($0, "user") }
    let passwordValue = keys.take("password")
    let password = passwordValue.flatMap { secret($0, "the password") }
    let before = mistakes.found.count
    let certificate = clientCertificate(&keys, tls: tls)
    keys.finish()
    guard let user, mistakes.found.count == before else { return nil }
    if groupsValue != nil, groups == nil { return nil }
    if passwordValue != nil, password == nil { return nil }
    return BackendCredential(groups: groups, user: user, password: password, certificate: certificate)
  }

  /// `certificate` and `key`, which need each other, and TLS.
  private func clientCertificate(_ keys: inout MappingReader, tls: BackendTLS) -> ClientCertificate? {
    let (chain, key) = (keys.take("certificate"), keys.take("key"))
    switch (chain, key) {
    case (nil, nil): return nil
    case (let chain?, nil):
      return refuse(chain.place, "the certificate has no key", "Refer to it like key: { file: app.key }.")
    case (nil, let key?):
      return refuse(
        key.place, "the key has no certificate", "Name the file with the PEM chain, as certificate: app.pem.")
    case (let chain?, let key?):
      let file = text(chain, "certificate")
      let secret = secret(key, "the key")
      if tls == .disable {
        return refuse(
          chain.place, "a certificate has no use with tls: disable", "Write tls: verify-full, or require.")
      }
      guard let file, let secret else { return nil }
      return ClientCertificate(chain: file, key: secret)
    }
  }
}

extension MappingShape {
  static let connection = MappingShape(
    "connection",
    [
      Key("protocol", .words(protocols), required: true),
      Key("labels", .named(.text), "What grants and rules can choose connections by."),
      Key("address", .text, "host:port of the backend; the port is 5432, or 22, when left out.", required: true),
      Key("database", .text, "The database on the backend. Default: the connection's name."),
      Key("databases", .oneOrMore(.text), "Others that clients may name as connection/database."),
      Key("region", .text),
      Key(
        "tls", .words(BackendTLS.allCases.map(\.rawValue)),
        "How the backend is reached, in libpq's words. Default: prefer."),
      Key("tls_ca", .text, "File of certificates that the backend's is checked against."),
      Key("channel_binding", .words(BackendChannelBinding.allCases.map(\.rawValue)), "Default: prefer."),
      Key("credentials", .list(.mapping(.credential)), "The first that fits the person's groups.", required: true),
      Key("limits", .mapping(.connectionLimits), "In place of gateway.limits."),
      Key("recording", .mapping(.connectionRecording), "In place of gateway.recording."),
      Key("logins", .oneOrMore(.text), "SSH: accounts on the backend that people may name, as login%connection."),
      Key(
        "host_key", .oneOrMore(.pattern("^SHA256:[A-Za-z0-9+/]{43}$")),
        "SSH: fingerprints of the backend's host keys, as ssh-keygen -l prints them."),
    ], planned: ["url"])

  static let credential = MappingShape(
    "credential",
    [
      Key("groups", .oneOrMore(.text), "For whom; without it, for everybody else."),
      Key("user", .text, "The account on the backend.", required: true),
      Key("password", .secret),
      Key("certificate", .text, "File with a PEM chain, by which the gateway proves who it is."),
      Key("key", .secret, "The certificate's key; for SSH the private key, in OpenSSH's form or PEM."),
    ], planned: ["header", "value"])
}

import AccessModel

extension ConfigurationReader {
  /// The keys of a connection with `protocol: ssh`.
  func sshConnection(_ name: String, _ keys: inout MappingReader) -> ConnectionSettings? {
    let before = mistakes.found.count
    let own = ["protocol", "labels", "address", "region", "logins", "credentials", "host_key", "limits", "recording"]
    for key in MappingShape.connection.keys.map(\.name) where !own.contains(key) {
      guard let value = keys.take(key) else { continue }
      mistakes.add(value.place, "\(key) has no meaning with protocol: ssh")
    }
    let labels = keys.take("labels").flatMap { self.labels($0) } ?? [:]
    let address = keys.require("address", "Add it like address: web-1.internal:22.").flatMap {
      endpoint($0, "address", defaultPort: 22, lowestPort: 1)
    }
    let region = keys.take("region").flatMap { text($0, "region") }
    let logins = keys.take("logins").flatMap { self.logins($0) } ?? []
    let credentials = keys.require("credentials", "Add at least { user: …, key: { file: … } }.").flatMap {
      sshCredentials($0, of: name)
    }
    let hostKeys = keys.require(
      "host_key", "Add the fingerprint that ssh-keyscan HOST | ssh-keygen -lf - prints: SHA256:…."
    ).flatMap { self.hostKeys($0) }
    let limits =
      keys.take("limits").flatMap { sessionLimits($0, .connectionLimits, sessionsKey: "sessions") } ?? SessionLimits()
    let recording =
      keys.take("recording").flatMap { recordingSettings($0, .connectionRecording) } ?? RecordingSettings()
    keys.finish()
    guard mistakes.found.count == before, let address, let credentials, let hostKeys else { return nil }
    var settings = ConnectionSettings(
      name: name, protocolName: "ssh", labels: labels, address: address, database: "", databases: [], region: region,
      tls: .disable, tlsAuthority: nil, credentials: credentials, limits: limits,
      recording: recording)
    settings.logins = logins
    settings.hostKeys = hostKeys
    return settings
  }

  /// Accounts, as people type them in front of `%` or `@`.
  private func logins(_ value: YAMLValue) -> [String]? {
    guard let texts = texts(value, "logins") else { return nil }
    let logins = texts.compactMap { name($0, "an account") }
    return logins.count == texts.count ? logins : nil
  }

  private func hostKeys(_ value: YAMLValue) -> [String]? {
    guard let texts = texts(value, "host_key") else { return nil }
    let keys = texts.compactMap { text -> String? in
      let digits = text.value.dropFirst("SHA256:".count)
      // 32 bytes in base64 without its padding.
      let isPlain = digits.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
          true
        default: false
        }
      }
      guard text.value.hasPrefix("SHA256:"), digits.utf8.count == 43, isPlain else {
        return refuse(
          text.place, "\"\(text.value.prefix(80))\" is no fingerprint of a host key",
          "ssh-keyscan HOST | ssh-keygen -lf - prints it: SHA256: and 43 characters.")
      }
      return text.value
    }
    return keys.count == texts.count ? keys : nil
  }

  private func sshCredentials(_ value: YAMLValue, of connection: String) -> [BackendCredential]? {
    let what = "credentials of \"\(connection)\""
    guard case .sequence(let sequence) = value.node, !sequence.isEmpty else {
      return refuse(
        value.place, "\(what) must be a list",
        "Write it like credentials: [{ user: deploy, key: { file: deploy.key } }].")
    }
    let read = sequence.compactMap { sshCredential(YAMLValue(node: $0, file: value.file)) }
    return read.count == sequence.count ? read : nil
  }

  private func sshCredential(_ value: YAMLValue) -> BackendCredential? {
    guard var keys = MappingReader(value, "the credential", mistakes, .credential) else { return nil }
    let before = mistakes.found.count
    let groups = keys.take("groups").flatMap { self.groups($0, "groups") }
    let user = keys.require("user", "Name the account on the backend.").flatMap { text($0, "user") }
    let password = keys.take("password").flatMap { secret($0, "the password") }
    let key = keys.take("key").flatMap { secret($0, "the key") }
    if let certificate = keys.take("certificate") {
      mistakes.add(certificate.place, "certificate is not available for SSH in this version")
    }
    keys.finish()
    guard let user, mistakes.found.count == before else { return nil }
    guard (password == nil) != (key == nil) else {
      return refuse(
        value.place, "an SSH account signs in by a key, or by a password",
        "Write one of key: { file: … } and password: { env: … }.")
    }
    return BackendCredential(groups: groups, user: user, password: password, certificate: nil, key: key)
  }
}

/// Where a configuration came from, so that it can be read again.
public struct ConfigurationOrigin: Sendable {
  /// A file or a folder.
  public var path: String
  /// The gateway's name where the configuration has none.
  public var hostName: String
  public var digest: ConfigurationLoader.Digest
  /// The files as they were read for the configuration in force.
  public var files: ConfigurationFiles

  public init(path: String, hostName: String, digest: @escaping ConfigurationLoader.Digest, files: ConfigurationFiles) {
    self.path = path
    self.hostName = hostName
    self.digest = digest
    self.files = files
  }
}

extension GatewayConfiguration {
  /// What of another configuration cannot hold before the next start, as `key` and a sentence; the rest can.
  public func fixedParts(comparedWith other: GatewayConfiguration) -> [String] {
    let (old, new) = (gateway, other.gateway)
    var parts: [String] = []
    func compare(_ key: String, _ isSame: Bool) {
      if !isSame { parts.append("gateway.\(key) holds from the next start on") }
    }
    compare("name", old.name == new.name)
    compare("data", old.data == new.data)
    compare("listen.postgres", old.listenPostgres == new.listenPostgres)
    compare("listen.ssh", old.listenSSH == new.listenSSH)
    compare("listen.console", old.listenConsole == new.listenConsole)
    compare("listen.control", old.listenControl == new.listenControl)
    compare("threads", old.threads == new.threads)
    return parts
  }

  /// This configuration with the parts of another that a running gateway cannot change.
  public func keepingFixedParts(of running: GatewayConfiguration) -> GatewayConfiguration {
    var kept = self
    kept.gateway.name = running.gateway.name
    kept.gateway.data = running.gateway.data
    kept.gateway.listenPostgres = running.gateway.listenPostgres
    kept.gateway.listenSSH = running.gateway.listenSSH
    kept.gateway.listenConsole = running.gateway.listenConsole
    kept.gateway.listenControl = running.gateway.listenControl
    kept.gateway.threads = running.gateway.threads
    return kept
  }
}

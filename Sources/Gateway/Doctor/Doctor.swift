import Foundation
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import SallyportConfiguration

/// Looks at what a gateway needs, before it is started or beside it: backends, credentials, clocks, disk, certificates.
///
/// Reads and connects, changes nothing. Blocks: for a command.
public struct Doctor {
  let configuration: GatewayConfiguration
  let data: String
  /// For a backend to be dialled, and to answer.
  let patience: TimeAmount
  /// Certificates that end sooner are worth a warning, in seconds.
  private static let renewal: TimeInterval = 21 * 86_400
  /// Clocks that differ more are worth a warning, in seconds.
  private static let clockTolerance = 5.0

  public init(_ configuration: GatewayConfiguration, data: String, patience: Duration = .seconds(10)) {
    self.configuration = configuration
    self.data = data
    self.patience = TimeAmount(patience)
  }

  /// Looks at everything; `found` hears of each thing as soon as it is known.
  public func examine(_ found: (Finding) -> Void) throws {
    for finding in examineProcess() + examineFolder() + examineCertificate() { found(finding) }
    for finding in examineOutside() { found(finding) }
    let pool = NIOThreadPool(numberOfThreads: 2)
    pool.start()
    let reactor = try Reactor(name: "doctor")
    defer {
      reactor.stop()
      try? pool.syncShutdownGracefully()
    }
    for connection in configuration.connections.values.sorted(by: { $0.name < $1.name }) {
      if let finding = examineRegion(connection) { found(finding) }
      let accounts = connection.credentials.map { examine(connection, $0, pool, reactor) }
      for finding in accounts { found(finding) }
      if accounts.first?.verdict != .broken { for finding in examineMasks(connection) { found(finding) } }
    }
  }

  // MARK: Backends

  private func examine(
    _ connection: ConnectionSettings, _ credential: BackendCredential, _ pool: NIOThreadPool, _ reactor: Reactor
  ) -> Finding {
    let subject = "connection \(connection.name), account \(credential.user)"
    // What signs in over SSH is looked at by the first session; here only that its secret can be read.
    if connection.protocolName == "ssh" { return examineSecret(credential, subject) }
    let target: BackendTarget
    do {
      target = try BackendTarget.resolve(connection, credential, database: connection.database, in: configuration)
    } catch {
      return Finding(
        .broken, subject, "\(error)", mend: "Check what the credential refers to; the gateway must be able to read it.")
    }
    do {
      let dialler = PinnedDialler(pool: pool, regions: .allowAll, timeout: patience)
      return verdict(
        on: try BackendProbe.ask(target, dialler: dialler, pool: pool, deadline: patience, on: reactor).wait(),
        connection, subject)
    } catch {
      return Finding(
        .broken, subject, "\(connection.address): \(error)",
        mend: "Sessions of this account cannot be opened: check address, tls, user and password, and pg_hba.conf there."
      )
    }
  }

  private func examineSecret(_ credential: BackendCredential, _ subject: String) -> Finding {
    do {
      if case .key(let text) = try SSHSecret.resolve(credential, in: configuration).kind { _ = try SSHPrivateKey(text) }
      return Finding(.good, subject, "its credential can be read; SSH backends are not dialled here")
    } catch {
      return Finding(
        .broken, subject, "\(error)", mend: "Check what the credential refers to; the gateway must be able to read it.")
    }
  }

  private func verdict(
    on answer: BackendProbe.Answer, _ connection: ConnectionSettings, _ subject: String
  ) -> Finding {
    let encryption = answer.isEncrypted ? "TLS" : "no TLS"
    let words = "PostgreSQL \(answer.version) at \(answer.address), \(encryption)"
    let drift = Double(answer.ourClock - answer.clock) / 1e6
    if abs(drift) > Doctor.clockTolerance {
      return Finding(
        .warning, subject, "\(words); its clock is \(Int(abs(drift))) s \(drift > 0 ? "behind" : "ahead of") ours",
        mend: "Let both follow NTP: the audit trail's times are compared with the backend's log.")
    }
    if answer.isSuperuser {
      return Finding(
        .warning, subject, "\(words); the account is a superuser",
        mend: "Give it an account with the rights that people need; a superuser reaches files and other databases.")
    }
    if !answer.isEncrypted, !isLocal(answer.address) {
      return Finding(
        .warning, subject, words, mend: "Set tls: verify-full on the connection: results travel in the clear.")
    }
    let wanted = connection.limits.sessions ?? configuration.gateway.limits.sessions ?? 0
    if wanted > answer.maximumSessions {
      return Finding(
        .warning, subject, "\(words); it takes \(answer.maximumSessions) sessions, the gateway lets \(wanted) in",
        mend: "Lower limits.sessions, or raise max_connections there.")
    }
    return Finding(.good, subject, words)
  }

  private func isLocal(_ address: String) -> Bool { address.hasPrefix("127.") || address.hasPrefix("::1:") }

  private func examineRegion(_ connection: ConnectionSettings) -> Finding? {
    guard let own = configuration.gateway.region, let region = connection.region, own != region else { return nil }
    return Finding(
      .warning, "connection \(connection.name)", "it is in \(region), the gateway in \(own)",
      mend: "Results leave \(region) through this gateway; use one that stands there, if they must not.")
  }

  // MARK: The machine

  private func examineProcess() -> [Finding] {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    // Each session takes two descriptors.
    let sessions = Int(min(limit.rlim_max, 1 << 30)) / 2
    return [
      sessions < 2_000
        ? Finding(
          .warning, "open files", "the hard limit allows some \(sessions) sessions",
          mend: "Raise it, such as by LimitNOFILE= in the unit.")
        : Finding(.good, "open files", "room for \(min(sessions, 1_000_000)) sessions")
    ]
  }

  private func examineFolder() -> [Finding] {
    let subject = "data folder \(data)"
    var status = stat()
    guard stat(data, &status) == 0 else {
      return [Finding(.warning, subject, "it is not there yet", mend: "The first `sallyport serve` makes it.")]
    }
    var findings: [Finding] = []
    if status.st_mode & 0o077 != 0 {
      findings.append(
        Finding(.broken, subject, "others than its owner may look into it", mend: "chmod 700 \(data)"))
    }
    if status.st_uid != geteuid(), geteuid() != 0 {
      findings.append(
        Finding(.broken, subject, "it belongs to another user", mend: "Run the gateway as that user, or chown it."))
    }
    var health = GatewayStatus()
    health.readDisk(data)
    if let free = health.freeBytes {
      // Segments of each lane, recordings, the state's journal.
      let isShort = free < 1 << 30
      findings.append(
        Finding(
          isShort ? .warning : .good, subject, "\(free >> 20) MiB free",
          mend: isShort ? "Make room: a full disk refuses every command." : nil))
    }
    return findings
  }

  private func examineCertificate() -> [Finding] {
    let subject = "certificate for clients"
    guard let tls = configuration.gateway.tls else {
      return [Finding(.good, subject, "from the gateway's own authority (sallyport ca export)")]
    }
    do {
      let path = configuration.path(of: tls.certificate)
      guard let leaf = try NIOSSLCertificate.fromPEMFile(path).first else {
        return [Finding(.broken, subject, "\(path) holds none", mend: "Put the chain there, as PEM.")]
      }
      let key = try NIOSSLPrivateKey(
        bytes: Array(try tls.key.resolve(relativeTo: configuration.directory).utf8), format: .pem)
      // The library checks that they belong together.
      _ = try NIOSSLContext(
        configuration: .makeServerConfiguration(certificateChain: [.certificate(leaf)], privateKey: .privateKey(key)))
      let rest = TimeInterval(leaf.notValidAfter) - Date().timeIntervalSince1970
      let days = Int(rest / 86_400)
      if rest < 0 { return [Finding(.broken, subject, "it has expired", mend: "Renew \(path).")] }
      return [
        Finding(
          rest < Doctor.renewal ? .warning : .good, subject, "good for \(days) more days",
          mend: rest < Doctor.renewal ? "Renew \(path)." : nil)
      ]
    } catch {
      return [
        Finding(
          .broken, subject, "\(tls.certificate): \(error)",
          mend: "Check gateway.tls: a PEM chain, and the key that belongs to it.")
      ]
    }
  }
}

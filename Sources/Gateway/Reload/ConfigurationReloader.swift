import AuditTrail
import Enforcement
import Logging
import NIOCore
import SallyportConfiguration
import Synchronization

/// What asked for the configuration to be read again.
public enum ReloadTrigger: String, Codable, Sendable {
  /// SIGHUP.
  case signal
  /// The control verb.
  case control
  /// The files changed.
  case file
}

/// How a reload ended.
public struct ReloadReport: Codable, Hashable, Sendable {
  public var isAccepted: Bool
  /// Hash of the configuration that was in force.
  public var previous: String
  /// Hash of the one that was read; empty when it could not be.
  public var policy: String
  /// What differs, a line each.
  public var changes: [String]
  /// What holds only from the next start on, or why the configuration was refused.
  public var notes: [String]
  /// Sessions that ended because access was lost.
  public var ended = 0
}

/// Puts another configuration in force, or refuses it whole: then the old one stays (DECISIONS 26).
final class ConfigurationReloader: Sendable {
  private let context: GatewayContext
  private let states: [NIOLoopBound<LoopState>]
  private let lane: NIOLoopBound<AuditLane>
  private let sealing: AuditSealing
  private let webhooks: WebhookSender
  private let sweep: RecordingSweep
  private let data: String
  /// nil when the gateway was not started from files, and once it stops. The lock lets one reload happen at a time.
  private let origin: Mutex<ConfigurationOrigin?>

  init(
    _ context: GatewayContext, _ states: [NIOLoopBound<LoopState>], _ lane: NIOLoopBound<AuditLane>,
    _ sealing: AuditSealing, _ webhooks: WebhookSender, _ sweep: RecordingSweep, data: String,
    origin: ConfigurationOrigin?
  ) {
    self.sealing = sealing
    self.webhooks = webhooks
    self.sweep = sweep
    self.context = context
    self.states = states
    self.lane = lane
    self.data = data
    self.origin = Mutex(origin)
  }

  /// Reads the files again. Blocks on them and on every event loop, and so is never called on one. When it returns, all
  /// sessions are under what is then in force. nil when the files are as they were and nobody asked.
  func reload(_ trigger: ReloadTrigger, by actor: String) throws(GatewayFailure) -> ReloadReport? {
    let result = origin.withLock { origin -> Result<ReloadReport?, GatewayFailure> in
      guard var current = origin else {
        return .failure(GatewayFailure("this gateway has no configuration that it could read again"))
      }
      defer { origin = current }
      do throws(GatewayFailure) {
        return .success(try reload(&current, trigger, actor))
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Waits for a reload that is under way; there is none afterwards.
  func close() { origin.withLock { $0 = nil } }

  private func reload(
    _ origin: inout ConfigurationOrigin, _ trigger: ReloadTrigger, _ actor: String
  ) throws(GatewayFailure) -> ReloadReport? {
    let previous = context.current
    let files: ConfigurationFiles
    switch ConfigurationLoader.read(path: origin.path) {
    case .failure(let list):
      return try refused(list, ReloadReport(previous.configuration.policyHash), trigger, actor)
    case .success(let found): files = found
    }
    if trigger == .file, files == origin.files { return nil }
    var report = ReloadReport(previous.configuration.policyHash)
    report.policy = ConfigurationLoader.hash(of: files, digest: origin.digest)
    report.changes = ConfigurationOutline(origin.files).changes(to: ConfigurationOutline(files))
    if let list = files.incompleteness(after: origin.files, isAsked: trigger != .file) {
      return try refused(list, report, trigger, actor)
    }
    let read = ConfigurationLoader.parse(files, hostName: origin.hostName, digest: origin.digest)
    guard case .success(let configuration) = read else {
      guard case .failure(let list) = read else { return nil }
      return try refused(list, report, trigger, actor)
    }
    report.notes = previous.configuration.fixedParts(comparedWith: configuration)
    let kept = configuration.keepingFixedParts(of: previous.configuration)
    let next: Governing
    do {
      next = Governing(kept, clientTLS: try clientTLS(kept, previous))
    } catch {
      report.notes = ["gateway.tls: \(error)"]
      return try refused(report, trigger, actor)
    }
    report.isAccepted = true
    // The record comes first: what cannot be recorded does not happen.
    try record(report, trigger, actor)
    context.govern(by: next)
    context.catalogs.invalidateAll()
    for state in states {
      report.ended += (try? state.eventLoop.submit { state.value.govern(by: next) }.wait()) ?? 0
    }
    keepSealsElsewhere(kept, previous.configuration)
    if kept.gateway.recording.keepSeconds != previous.configuration.gateway.recording.keepSeconds { sweep.look() }
    origin.files = files
    context.logger.notice("configuration reloaded", metadata: ["policy": "\(report.policy.prefix(16))"])
    return report
  }

  /// The newest seal goes to the new places at once.
  private func keepSealsElsewhere(_ configuration: GatewayConfiguration, _ previous: GatewayConfiguration) {
    let (new, old) = (configuration.gateway.audit, previous.gateway.audit)
    if new.checkpointFile == old.checkpointFile, new.checkpointWebhook == old.checkpointWebhook { return }
    sealing.keep(in: OutsideCheckpoint.places(configuration, webhooks))
    context.pool.submit { [sealing] _ in _ = try? sealing.seal() }
  }

  /// A certificate of the gateway's own authority stays; files are read again.
  private func clientTLS(_ configuration: GatewayConfiguration, _ previous: Governing) throws -> ClientTLSContext? {
    if configuration.gateway.tls == nil, previous.configuration.gateway.tls == nil { return previous.clientTLS }
    return try ClientTLSContext.make(configuration, data: data)
  }

  private func refused(
    _ list: DiagnosticList, _ report: ReloadReport, _ trigger: ReloadTrigger, _ actor: String
  ) throws(GatewayFailure) -> ReloadReport {
    var report = report
    report.notes = list.diagnostics.map { "\($0)".replacing("\n ", with: ";") }
    return try refused(report, trigger, actor)
  }

  private func refused(
    _ report: ReloadReport, _ trigger: ReloadTrigger, _ actor: String
  ) throws(GatewayFailure) -> ReloadReport {
    context.logger.error(
      "configuration refused, the one in force stays", metadata: ["reason": "\(report.notes.first ?? "")"])
    try record(report, trigger, actor)
    return report
  }

  private func record(_ report: ReloadReport, _ trigger: ReloadTrigger, _ actor: String) throws(GatewayFailure) {
    let event = AuditEvent.configurationReloaded(
      ConfigurationReload(
        trigger: trigger.rawValue, actor: actor, isAccepted: report.isAccepted, previous: report.previous,
        policy: report.policy, changes: report.changes, notes: report.notes))
    do {
      try lane.eventLoop.submit { [lane] in try lane.value.append(event) }.wait()
    } catch { throw GatewayFailure("the audit trail cannot be written, so the configuration stays as it is") }
  }
}

extension ReloadReport {
  fileprivate init(_ previous: String) {
    self.init(isAccepted: false, previous: previous, policy: "", changes: [], notes: [])
  }
}

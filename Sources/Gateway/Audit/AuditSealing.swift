import AuditTrail
import Enforcement
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Store

/// Seals the audit trail once a minute and keeps the seal in the store and outside (DECISIONS 24). Blocks: never called
/// on an event loop.
///
/// What fails here loses no record: it is logged, shown by `sallyport status`, tried again, and an audit record when it
/// begins and when it is over.
final class AuditSealing: Sendable {
  private let log: SealLog
  private let lanes: [NIOLoopBound<AuditLane>]
  /// Lanes of an earlier process, which nobody writes to any more.
  private let others: [LaneStanding]
  private let store: any Store
  private let outside: [OutsideCheckpoint]
  private let logger: Logger
  private let now: @Sendable () -> Int64
  /// What does not work now, by what it is.
  private let failing = NIOLockedValueBox<[String: String]>([:])

  /// - Parameters:
  ///   - lanes: all that this process writes; its own doings are recorded in the first.
  ///   - others: see `AuditDirectory.standings`.
  ///   - now: µs since 1970.
  init(
    _ log: SealLog, lanes: [NIOLoopBound<AuditLane>], others: [LaneStanding], store: any Store,
    outside: [OutsideCheckpoint], logger: Logger, now: @escaping @Sendable () -> Int64 = Clock.now
  ) {
    self.log = log
    self.lanes = lanes
    self.others = others
    self.store = store
    self.outside = outside
    self.logger = logger
    self.now = now
  }

  /// What does not work now, as sentences; empty when all does.
  var troubles: [String] { failing.withLockedValue { $0.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } } }

  /// Seals what there is, and keeps the seal wherever it is to be kept. Throws when it could not be sealed.
  @discardableResult
  func seal() throws -> Seal? {
    let before = log.newest
    let seal: Seal?
    do {
      let standings = try lanes.map { lane in try lane.eventLoop.submit { lane.value.standing }.wait() }
      seal = try log.seal(standings + others, now: now())
      report("audit seal", nil)
    } catch {
      report("audit seal", (error as? AuditFailure)?.message ?? "\(error)")
      throw error
    }
    if let seal { keep(seal, isNew: seal.number != before?.number) }
    return seal
  }

  private func keep(_ seal: Seal, isNew: Bool) {
    let isBehind = failing.withLockedValue { $0["audit checkpoint in the store"] != nil }
    if isNew || isBehind {
      do {
        try store.saveCheckpoint(number: Int64(clamping: seal.number), seal: seal.line, now: now() / 1_000_000)
        report("audit checkpoint in the store", nil)
      } catch { report("audit checkpoint in the store", error.message) }
    }
    for place in outside { place.offer(seal) { [self] in report("audit checkpoint to \(place.name)", $0) } }
  }

  /// Compares the trail with what the store has of it: a folder that was moved away or exchanged shows by that.
  func compareWithStore() {
    guard let newest = log.newest, let line = try? store.latestCheckpoint(), let kept = Seal(line: line) else { return }
    if kept.number < newest.number || kept.line == newest.line { return }
    let words = "the store has seal \(kept.number) of \(kept.time); this trail ends at seal \(newest.number)"
    logger.error("the audit trail is not the one that was sealed last", metadata: ["reason": "\(words)"])
    record("audit.mismatch", words)
  }

  /// Takes note of how something went; nil: well. Only a change is worth a line and a record.
  private func report(_ what: String, _ failure: String?) {
    let before = failing.withLockedValue { failing in
      defer { failing[what] = failure }
      return failing[what]
    }
    if let failure, before == nil {
      logger.error("audit checkpoint failed", metadata: ["what": "\(what)", "reason": "\(failure)"])
      record("audit.checkpoint.failed", "\(what): \(failure)")
    } else if failure == nil, let before {
      logger.notice("audit checkpoint works again", metadata: ["what": "\(what)"])
      record("audit.checkpoint.restored", "\(what), which failed: \(before)")
    }
  }

  private func record(_ verb: String, _ subject: String) {
    guard let lane = lanes.first else { return }
    lane.eventLoop.execute { [logger] in
      do {
        try lane.value.append(.administration(actor: "gateway", verb: verb, subject: subject))
      } catch { logger.error("audit record failed", metadata: ["reason": "\(error)"]) }
    }
  }
}

extension AuditSealing {
  /// Makes or reads the key, opens the seals and compares them with the lanes, to which nothing was added yet. Blocks.
  static func prepare(
    _ audit: AuditDirectory, lanes: [NIOLoopBound<AuditLane>], data: String, _ context: GatewayContext
  ) throws -> AuditSealing {
    let settings = context.configuration.gateway
    do {
      let key = try SealKey(data: data)
      let log = try SealLog(audit, key: key, gateway: settings.name, now: Clock.now())
      let standings = try lanes.map { lane in try lane.eventLoop.submit { lane.value.standing }.wait() }
      let others = try audit.standings(except: Set(standings.map(\.lane)))
      try log.check(standings + others)
      try key.publish(data: data)
      let file = settings.audit.checkpointFile.map { OutsideCheckpoint.file(context.configuration.path(of: $0)) }
      return AuditSealing(
        log, lanes: lanes, others: others, store: context.store, outside: [file].compactMap { $0 },
        logger: context.logger)
    } catch let error as AuditFailure {
      throw GatewayFailure(error.message, hint: "The trail has to be looked at before the gateway goes on with it.")
    }
  }
}

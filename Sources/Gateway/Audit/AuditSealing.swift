import AuditTrail
import Enforcement
import Glibc
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
  private let outside: NIOLockedValueBox<[OutsideCheckpoint]>
  private let logger: Logger
  private let now: @Sendable () -> Int64
  /// What does not work now, by what it is.
  private let failing = NIOLockedValueBox<[String: String]>([:])
  private let standing = NIOLockedValueBox(Standing())

  /// How far the trail is sealed, in numbers.
  struct Standing: Sendable, Equatable {
    /// The newest seal; 0 without any.
    var seal: UInt64 = 0
    /// When the trail was last found sealed, and when each kind of place last took a seal, in seconds since 1970; nil
    /// where that has not happened since the start.
    var sealedAt: Int64?
    var keptAt: [OutsideCheckpoint.Kind: Int64] = [:]
    /// How many things do not work now.
    var troubles = 0
  }

  /// - Parameters:
  ///   - lanes: all that this process writes; its own doings are recorded in the first.
  ///   - others: see `AuditDirectory.standings`.
  ///   - now: µs since 1970.
  init(
    _ log: SealLog, lanes: [NIOLoopBound<AuditLane>], others: [LaneStanding], store: any Store,
    outside: [OutsideCheckpoint] = [], logger: Logger, now: @escaping @Sendable () -> Int64 = Clock.now
  ) {
    self.log = log
    self.lanes = lanes
    self.others = others
    self.store = store
    self.outside = NIOLockedValueBox(outside)
    self.logger = logger
    self.now = now
  }

  /// What does not work now, as sentences; empty when all does.
  var troubles: [String] { failing.withLockedValue { $0.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } } }

  var numbers: Standing {
    var numbers = standing.withLockedValue { $0 }
    numbers.troubles = failing.withLockedValue { $0.count }
    return numbers
  }

  /// Seals are kept in these places from now on. What did not work with the others is no trouble any more.
  func keep(in places: [OutsideCheckpoint]) {
    let names = Set(places.map(AuditSealing.title))
    failing.withLockedValue { failing in
      for title in outside.withLockedValue({ $0 }).map(AuditSealing.title) where !names.contains(title) {
        failing[title] = nil
      }
    }
    outside.withLockedValue { $0 = places }
  }

  /// Waits until every place outside has what it was told, or will not have it, or time is up. Blocks.
  func awaitOutside(seconds: Double) {
    let end = Clock.monotonic() + Int64(seconds * 1_000_000)
    while Clock.monotonic() < end, outside.withLockedValue({ $0.contains(where: \.isBusy) }) { usleep(5_000) }
  }

  private static func title(_ place: OutsideCheckpoint) -> String { "audit checkpoint to \(place.name)" }

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
    if let seal {
      standing.withLockedValue { ($0.seal, $0.sealedAt) = (seal.number, now() / 1_000_000) }
      keep(seal, isNew: seal.number != before?.number)
    }
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
    for place in outside.withLockedValue({ $0 }) {
      place.offer(seal) { [self] failure in
        // It may have been taken out of the configuration meanwhile.
        guard outside.withLockedValue({ $0.contains { $0 === place } }) else { return }
        if failure == nil { standing.withLockedValue { $0.keptAt[place.kind] = now() / 1_000_000 } }
        report(AuditSealing.title(place), failure)
      }
    }
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
    _ audit: AuditDirectory, lanes: [NIOLoopBound<AuditLane>], data: String, _ context: GatewayContext,
    _ sender: WebhookSender
  ) throws -> AuditSealing {
    let settings = context.configuration.gateway
    do {
      let key = try SealKey(data: data)
      let log = try SealLog(audit, key: key, gateway: settings.name, now: Clock.now())
      let standings = try lanes.map { lane in try lane.eventLoop.submit { lane.value.standing }.wait() }
      let others = try audit.standings(except: Set(standings.map(\.lane)))
      try log.check(standings + others)
      try key.publish(data: data)
      return AuditSealing(
        log, lanes: lanes, others: others, store: context.store,
        outside: OutsideCheckpoint.places(context.configuration, sender), logger: context.logger)
    } catch let error as AuditFailure {
      throw GatewayFailure(error.message, hint: "The trail has to be looked at before the gateway goes on with it.")
    }
  }
}

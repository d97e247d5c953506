import AccessModel
import AuditTrail
import Enforcement
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import PolicyEngine
import Postgres
import Residency
import SQLAnalysis
import SallyportConfiguration
import Store

/// A running gateway: listeners, event loops, state; started once, stopped once.
public final class GatewayServer: Sendable {
  public static let version = "0.1.0"

  /// What can be set besides the configuration: for tests and tuning.
  public struct Options: Sendable {
    public var deadlines = Deadlines()
    public var capacity = Capacity()
    public var limits = Limits.standard
    public var auditSegmentSize = 16 << 20
    /// How `durability: sync` waits for the disk; blocks.
    public var auditSync: @Sendable (SyncPoint) throws -> Void = { try $0.synchronize() }
    /// Between two seals of the audit trail (DECISIONS 24).
    public var auditSealInterval = TimeAmount.seconds(60)
    /// Whether names are resolved by the backend's catalogue; off only where a script stands in for the backend.
    var followsNames = true
    /// Where the configuration came from; without it, it cannot be read again.
    public var origin: ConfigurationOrigin?
    /// How long the files must have been left alone before they are read again, in seconds.
    var quiet = 0.5
    public init() {}
  }

  private let context: GatewayContext
  private let reactors: [Reactor]
  private let states: [NIOLoopBound<LoopState>]
  private let listener: NIOLoopBound<StreamListener>
  private let controlGroup: MultiThreadedEventLoopGroup
  private let controlLane: NIOLoopBound<AuditLane>
  private let control: [any Channel]
  private let sealing: AuditSealing
  private let sessions: SessionIndexing?
  private let reloader: ConfigurationReloader
  /// nil when the configuration has no files, or the kernel gives no watch.
  private let watch: FileWatch?
  private let webhooks: WebhookSender
  /// nil when the configuration names no console.
  private let health: (any Channel)?
  /// nil when the configuration names no address for SSH.
  private let sshListener: NIOLoopBound<StreamListener>?
  /// Where SSH clients connect; nil when nowhere.
  public let sshAddress: SocketAddress?
  /// Where PostgreSQL clients connect, with the port that the system chose for 0.
  public let address: SocketAddress

  /// Starts a gateway; blocks until it listens, or throws what is wrong and how to mend it.
  ///
  /// - Parameter data: the folder of state, audit and keys; made with mode 0700 when missing.
  public init(_ configuration: GatewayConfiguration, data: String, logger: Logger, options: Options = Options()) throws
  {
    let audit: AuditDirectory
    do {
      audit = try AuditDirectory(data: data)
      try RecordingSweep.makeFolder(data: data)
      let store = try SQLiteStore(data: data)
      let pool = NIOThreadPool(numberOfThreads: 4)
      pool.start()
      context = GatewayContext(
        governing: Governing(configuration, clientTLS: try ClientTLSContext.make(configuration, data: data)),
        data: data, store: store, pool: pool, analyzer: LargeStackAnalyzer(),
        desk: ApprovalDesk(store: store, limit: options.capacity.held),
        maskKey: try MaskKeyFile.load(data: data), deadlines: options.deadlines,
        capacity: options.capacity, limits: options.limits,
        bindings: try ColumnBindings(store, pool: pool, logger: logger), followsNames: options.followsNames,
        logger: logger)
    } catch let error as AuditFailure {
      throw GatewayFailure(error.message, hint: "Stop the other gateway, or give this one a data folder of its own.")
    } catch let error as StoreError {
      throw GatewayFailure(error.message, hint: error.hint)
    }
    let functions = context.current.functions
    let context = context
    let segments = DeferredWork(context.pool)
    controlGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let controlLane = try GatewayServer.openLane(
      AuditDirectory.controlLane, on: controlGroup.next(), segments, audit, options)
    self.controlLane = controlLane
    let threads = configuration.gateway.threads ?? System.coreCount
    let hostKey = configuration.gateway.listenSSH == nil ? nil : try SSHHostKey.load(data: data)
    let names =
      (0..<threads).map { "loop-\($0)" }
      + (0..<(hostKey == nil ? 0 : min(threads, SSHListener.reactorLimit))).map { "ssh-\($0)" }
    reactors = try names.map { try Reactor(name: $0) }
    states = try zip(names, reactors).map { name, reactor in
      let lane = try GatewayServer.openLane(name, on: reactor, segments, audit, options)
      return try reactor.submit {
        let state = NIOLoopBound(
          LoopState(loop: reactor, lane: lane.value, functions: functions) {
            GroupCommit($0.lane, on: $0.loop, pool: context.pool, sync: options.auditSync)
          }, eventLoop: reactor)
        state.value.keep(configuration.gateway.audit.durability)
        state.value.lane.detectors = configuration.auditDetectors
        let pause = options.deadlines.sweep
        reactor.scheduleRepeatedTask(initialDelay: pause, delay: pause) { _ in state.value.sweep() }
        return state
      }.wait()
    }
    webhooks = WebhookSender(
      loop: controlGroup.next(), regions: context.dialler.regions, directory: configuration.directory, logger: logger)
    let sealing = try AuditSealing.prepare(
      audit,
      lanes: [controlLane] + states.map { state in try state.eventLoop.submit { state.value.boundLane }.wait() },
      data: data, context, webhooks)
    self.sealing = sealing
    try controlLane.eventLoop.submit {
      try controlLane.value.append(.gatewayStarted(version: GatewayServer.version, policy: context.policy.hash))
    }.wait()
    sealing.compareWithStore()
    let sweep = RecordingSweep(context: context, lane: controlLane)
    sweep.start()
    sessions = SessionIndexing(data: data, logger: logger)
    try GatewayServer.startDesk(context, controlLane, webhooks, every: options.deadlines.sweep)
    (listener, address) = try GatewayServer.listen(context, reactors, Array(states.prefix(threads)))
    let sshStates = Array(states.dropFirst(threads))
    let ssh = try hostKey.flatMap { try SSHListener.listen(context, $0, sshStates) }
    sshListener = ssh?.0
    sshAddress = ssh?.1
    let reloader = ConfigurationReloader(
      context, states, controlLane, sealing, webhooks, sweep, data: data, origin: options.origin)
    self.reloader = reloader
    let service = GatewayServer.controlService(context, controlLane, sealing, sessions, reloader)
    control = try GatewayServer.listenControl(context, controlGroup, service)
    controlGroup.next().scheduleRepeatedTask(
      initialDelay: options.auditSealInterval, delay: options.auditSealInterval
    ) { _ in context.pool.submit { _ in _ = try? sealing.seal() } }
    let probe = StatusProbe(
      context: context, states: states, sealing: sealing, data: data, startedAt: Clock.seconds())
    health = try HealthServer.listen(on: configuration.gateway.listenConsole, probe, service, controlGroup)
    watch = options.origin.flatMap { [logger] origin in
      FileWatch(path: origin.path, quiet: options.quiet) {
        do throws(GatewayFailure) { _ = try reloader.reload(.file, by: "gateway") } catch {
          logger.error("configuration not reloaded", metadata: ["reason": "\(error.message)"])
        }
      }
    }
    controlGroup.next().scheduleRepeatedTask(
      initialDelay: options.deadlines.sweep, delay: options.deadlines.sweep
    ) { _ in controlLane.value.sweepFloods() }
    controlGroup.next().scheduleRepeatedTask(initialDelay: .zero, delay: SessionIndexing.pause) { [sessions] _ in
      context.pool.submit { _ in sessions?.bringUpToDate() }
    }
    // What waits for the disk comes when the gateway listens.
    context.pool.submit { _ in _ = try? sealing.seal() }
    segments.start()
  }

  /// How long sessions have to end when the gateway drains.
  public var patience: Duration { context.configuration.gateway.drain }

  /// Reads the configuration again, because of a signal. What comes of it stands in the log and in the audit trail.
  public func reload() {
    do throws(GatewayFailure) { _ = try reloader.reload(.signal, by: "uid \(geteuid())") } catch {
      context.logger.error("configuration not reloaded", metadata: ["reason": "\(error.message)"])
    }
  }

  /// Where health and metrics are asked for; nil when the configuration names no console.
  public var consoleAddress: SocketAddress? { health?.localAddress }

  /// Takes no new sessions, and ends those that are there as soon as nothing is under way in them. Statements that wait
  /// for an approval end with 57P01.
  public func startDraining() {
    context.startDraining()
    closeListeners()
    for state in states {
      state.eventLoop.execute {
        for connection in Array(state.value.connections.values) { connection.drain() }
        for connection in Array(state.value.ssh.values) { connection.drain() }
      }
    }
  }

  /// How many connections are left. Blocks until every event loop has answered.
  public var connectionCount: Int {
    states.reduce(0) { sum, state in
      sum
        + ((try? state.eventLoop.submit { state.value.connections.count + state.value.ssh.count }.wait()) ?? 0)
    }
  }

  /// Stops: no new sessions, waiting statements end with 57P01, sessions are told, the trail is closed.
  public func stop(reason: String) {
    watch?.stop()
    sessions?.stop()
    reloader.close()
    closeListeners()
    try? health?.close().wait()
    for channel in control { try? channel.close().wait() }
    for state in states {
      try? state.eventLoop.submit {
        for connection in Array(state.value.connections.values) { connection.shutDown() }
        for connection in Array(state.value.ssh.values) { connection.shutDown() }
      }.wait()
    }
    waitForRecordings()
    try? controlLane.eventLoop.submit { [controlLane] in
      try controlLane.value.append(.gatewayStopped(reason: reason))
      controlLane.value.close()
    }.wait()
    for state in states { try? state.eventLoop.submit { state.value.lane.close() }.wait() }
    _ = try? sealing.seal()
    sealing.awaitOutside(seconds: 3)
    webhooks.stop()
    for reactor in reactors { reactor.stop() }
    try? controlGroup.syncShutdownGracefully()
    context.analyzer.stop()
    try? context.pool.syncShutdownGracefully()
  }

  private func closeListeners() {
    for listener in [listener, sshListener].compactMap({ $0 }) {
      try? listener.eventLoop.submit { listener.value.close() }.wait()
    }
  }

  /// What sessions got is written before the gateway ends, unless that takes too long.
  private func waitForRecordings() {
    let end = Clock.monotonic() + 5_000_000
    for state in states {
      while Clock.monotonic() < end,
        let count = try? state.eventLoop.submit({ state.value.recordersWriting }).wait(), count > 0
      { usleep(2_000) }
    }
  }

  // MARK: Parts

  private static func openLane(
    _ name: String, on loop: any EventLoop, _ segments: DeferredWork, _ audit: AuditDirectory, _ options: Options
  ) throws -> NIOLoopBound<AuditLane> {
    do {
      return try loop.submit {
        let lane = try AuditLane(
          directory: audit, name: name, segmentSize: options.auditSegmentSize,
          background: segments.submit, now: Clock.now)
        return NIOLoopBound(lane, eventLoop: loop)
      }.wait()
    } catch let error as AuditFailure {
      throw GatewayFailure(error.message, hint: "Check free space, and the trail with `sallyport audit verify`.")
    }
  }

  /// What happens to requests for approval that no session waits for is recorded in the lane of the control socket.
  private static func startDesk(
    _ context: GatewayContext, _ lane: NIOLoopBound<AuditLane>, _ sender: WebhookSender, every pause: TimeAmount
  ) throws {
    let (desk, pool, logger) = (context.desk, context.pool, context.logger)
    try desk.start(
      record: { event in
        lane.eventLoop.execute {
          do { try lane.value.append(event) } catch {
            logger.error("audit record failed", metadata: ["error": "\(error)"])
          }
        }
      },
      announce: { pending in
        // The one in force: it may have changed since.
        let configuration = context.configuration
        guard let settings = configuration.approvals.webhook else { return }
        ApprovalWebhook(settings: settings, sender: sender, desk: desk, configuration: configuration).announce(pending)
      })
    lane.eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { _ in
      if !desk.isIdle { pool.submit { _ in desk.sweep() } }
    }
  }

  /// The first reactor accepts, and all of them serve in turn.
  private static func listen(
    _ context: GatewayContext, _ reactors: [Reactor], _ states: [NIOLoopBound<LoopState>]
  ) throws -> (NIOLoopBound<StreamListener>, SocketAddress) {
    let endpoint = context.configuration.gateway.listenPostgres
    let hint = "Choose another address under gateway.listen.postgres."
    do {
      let (descriptor, address) = try SocketCalls.listen(
        on: try SocketAddress.makeAddressResolvingHost(endpoint.host, port: Int(endpoint.port)))
      let listener = try reactors[0].submit {
        var turn = 0
        let listener = StreamListener(descriptor, on: reactors[0]) { descriptor, peer in
          turn = (turn + 1) % states.count
          serve(descriptor, peer, context, states[turn])
        }
        guard let listener else { throw GatewayFailure("could not listen on \(address)") }
        return NIOLoopBound(listener, eventLoop: reactors[0])
      }.wait()
      return (listener, address)
    } catch let failure as GatewayFailure {
      throw failure
    } catch {
      throw GatewayFailure("could not listen on \(endpoint): \(error)", hint: hint)
    }
  }

  private static func serve(
    _ descriptor: Int32, _ peer: SocketAddress?, _ context: GatewayContext, _ state: NIOLoopBound<LoopState>
  ) {
    guard context.beginLogin() else {
      _ = Glibc.close(descriptor)
      return
    }
    state.eventLoop.execute {
      guard let stream = StreamSocket(descriptor, peer: peer, on: state.value.loop) else { return context.endLogin() }
      if let peer = peer?.ipAddress.flatMap(NetworkAddress.init), context.isBalancer(peer) {
        ProxyPreamble(context: context, state: state.value, stream: stream).start()
      } else {
        PostgresConnection(context: context, state: state.value, client: stream, from: peer).start()
      }
    }
  }

  /// What carries out control verbs, for each connection that asks for one.
  private static func controlService(
    _ context: GatewayContext, _ lane: NIOLoopBound<AuditLane>, _ sealing: AuditSealing,
    _ sessions: SessionIndexing?, _ reloader: ConfigurationReloader
  ) -> @Sendable () -> ControlService {
    let verbs = ControlVerbs(
      governing: { context.configuration }, scoped: { context.policy.scoped(to: $0) }, store: context.store,
      desk: context.desk, reloading: { (actor) throws(GatewayFailure) in try reloader.reload(.control, by: actor) },
      catalog: { context.catalogs.newest(of: $0) }, sealing: sealing, live: context.live,
      sessions: sessions, data: context.data)
    return { ControlService(verbs: verbs, lane: lane.value, pool: context.pool) }
  }

  /// The socket in the data folder, which is for the gateway's own account, and the one for others.
  private static func listenControl(
    _ context: GatewayContext, _ group: MultiThreadedEventLoopGroup, _ service: @escaping @Sendable () -> ControlService
  ) throws -> [any Channel] {
    let configuration = context.configuration
    // The trail's lock says that no other gateway lives here: a socket that is still there is a dead one's.
    let own = ControlClient.socketPath(data: context.data)
    unlink(own)
    var channels = [try ControlServer.listen(own, group, service: service)]
    if let shared = configuration.gateway.listenControl {
      channels.append(
        try ControlServer.listen(
          configuration.path(of: shared.path), mode: shared.mode, group: shared.group, group, service: service))
    }
    return channels
  }
}

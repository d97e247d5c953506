import AccessModel
import AuditTrail
import Configuration
import Enforcement
import Foundation
import Logging
import NIOCore
import NIOPosix
import PolicyEngine
import Postgres
import SQLAnalysis
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
    public init() {}
  }

  private let context: GatewayContext
  private let group: MultiThreadedEventLoopGroup
  private let controlGroup: MultiThreadedEventLoopGroup
  private let audit: AuditDirectory
  private let states: [NIOLoopBound<LoopState>]
  private let controlState: NIOLoopBound<LoopState>
  private let listeners: [any Channel]
  /// Where PostgreSQL clients connect, with the port that the system chose for 0.
  public let address: SocketAddress

  /// Starts a gateway; blocks until it listens, or throws what is wrong and how to mend it.
  ///
  /// - Parameter data: the folder of state, audit and keys; made with mode 0700 when missing.
  public init(_ configuration: GatewayConfiguration, data: String, logger: Logger, options: Options = Options()) throws
  {
    do {
      audit = try AuditDirectory(data: data)
      let store = try SQLiteStore(data: data)
      _ = try store.expireOrphans(now: Clock.seconds())
      let pool = NIOThreadPool(numberOfThreads: 4)
      pool.start()
      let policy = Policy(configuration.policy, hash: configuration.policyHash)
      context = GatewayContext(
        configuration: configuration, policy: policy, store: store, pool: pool, analyzer: LargeStackAnalyzer(),
        clientTLS: try ClientTLSContext.make(configuration, data: data),
        desk: ApprovalDesk(store: store, limit: options.capacity.held), deadlines: options.deadlines,
        capacity: options.capacity, limits: options.limits, logger: logger)
    } catch let error as AuditFailure {
      throw GatewayFailure(error.message, hint: "Stop the other gateway, or give this one a data folder of its own.")
    } catch let error as StoreError {
      throw GatewayFailure(error.message, hint: error.hint)
    }
    group = MultiThreadedEventLoopGroup(
      numberOfThreads: configuration.gateway.threads ?? System.coreCount)
    controlGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let functions = FunctionCatalog(
      configuration.functions.map { FunctionCatalog.Entry(name: $0.name, effects: $0.effects) })
    let (context, audit) = (context, audit)
    let controlState = try GatewayServer.makeState(
      "control", on: controlGroup.next(), context, audit, functions, options)
    self.controlState = controlState
    states = try group.makeIterator().enumerated().map { index, loop in
      try GatewayServer.makeState("loop-\(index)", on: loop, context, audit, functions, options)
    }
    try controlState.eventLoop.submit {
      try controlState.value.lane.append(
        .gatewayStarted(version: GatewayServer.version, policy: context.policy.hash))
    }.wait()
    let postgres = try GatewayServer.listen(context, group, states)
    let control = try GatewayServer.listenControl(
      ControlClient.socketPath(data: data), context, controlGroup, controlState)
    listeners = [postgres, control]
    guard let address = postgres.localAddress else { throw GatewayFailure("the listener has no address") }
    self.address = address
  }

  /// Stops: no new sessions, waiting statements end with 57P01, sessions are told, the trail is closed.
  public func stop(reason: String) {
    for listener in listeners { try? listener.close().wait() }
    for state in states {
      try? state.eventLoop.submit { for connection in Array(state.value.connections.values) { connection.shutDown() } }
        .wait()
    }
    try? controlState.eventLoop.submit { [controlState] in
      try controlState.value.lane.append(.gatewayStopped(reason: reason))
    }.wait()
    for state in states + [controlState] { try? state.eventLoop.submit { state.value.lane.close() }.wait() }
    try? group.syncShutdownGracefully()
    try? controlGroup.syncShutdownGracefully()
    context.analyzer.stop()
    try? context.pool.syncShutdownGracefully()
  }

  // MARK: Parts

  private static func makeState(
    _ lane: String, on loop: any EventLoop, _ context: GatewayContext, _ audit: AuditDirectory,
    _ functions: FunctionCatalog, _ options: Options
  ) throws -> NIOLoopBound<LoopState> {
    let pool = context.pool
    do {
      return try loop.submit {
        let lane = try AuditLane(
          directory: audit, name: lane, segmentSize: options.auditSegmentSize,
          background: { work in pool.submit { _ in work() } }, now: Clock.now)
        let state = NIOLoopBound(LoopState(loop: loop, lane: lane, functions: functions), eventLoop: loop)
        let pause = options.deadlines.sweep
        loop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { _ in state.value.sweep() }
        return state
      }.wait()
    } catch let error as AuditFailure {
      throw GatewayFailure(error.message, hint: "Check free space, and the trail with `sallyport audit verify`.")
    }
  }

  private static func listen(
    _ context: GatewayContext, _ group: MultiThreadedEventLoopGroup, _ states: [NIOLoopBound<LoopState>]
  ) throws -> any Channel {
    let endpoint = context.configuration.gateway.listenPostgres
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      // Exactly one read and one write per turn: see BENCHMARKS.md.
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ReadBuffer.size))
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let state = states.first(where: { $0.eventLoop === channel.eventLoop }), context.beginLogin() else {
            throw GatewayFailure("too many connections that have not signed in")
          }
          let connection = PostgresConnection(
            context: context, state: state.value, clientAddress: channel.remoteAddress)
          try channel.pipeline.syncOperations.addHandler(ClientHandler(connection))
        }
      }
    do {
      return try bootstrap.bind(host: endpoint.host, port: Int(endpoint.port)).wait()
    } catch {
      throw GatewayFailure(
        "could not listen on \(endpoint): \(error)", hint: "Choose another address under gateway.listen.postgres.")
    }
  }

  private static func listenControl(
    _ path: String, _ context: GatewayContext, _ group: MultiThreadedEventLoopGroup, _ state: NIOLoopBound<LoopState>
  ) throws -> any Channel {
    let verbs = ControlVerbs(
      configuration: context.configuration, scoping: { [policy = context.policy] in policy.mayMask($0) },
      store: context.store, desk: context.desk)
    let pool = context.pool
    // The trail's lock says that no other gateway lives here: a socket that is still there is a dead one's.
    try? FileManager.default.removeItem(atPath: path)
    do {
      let channel = try ServerBootstrap(group: group)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(
              ControlHandler(verbs: verbs, state: state.value, pool: pool))
          }
        }
        .bind(unixDomainSocketPath: path).wait()
      chmod(path, 0o600)
      return channel
    } catch {
      throw GatewayFailure("could not open the control socket \(path): \(error)")
    }
  }
}

import AuditTrail
import NIOCore
import Postgres
import SQLAnalysis
import SallyportConfiguration

/// What the sessions of one event loop share without a lock: the audit lane and the analyses of statements seen before.
final class LoopState: StatementAnalyses {
  let loop: Reactor
  let lane: AuditLane
  var boundLane: NIOLoopBound<AuditLane> { NIOLoopBound(lane, eventLoop: loop) }
  /// nil where the end of the process is all that records must outlive.
  private(set) var commit: GroupCommit?
  private let makeCommit: (LoopState) -> GroupCommit
  private var cache: AnalysisCache
  private(set) var functions: FunctionCatalog
  private var contexts = NamedContexts()
  /// Sessions of this loop, for the end of the process.
  var connections: [ObjectIdentifier: PostgresConnection] = [:]
  /// SSH connections of this loop, those inside others included.
  var ssh: [ObjectIdentifier: SSHConnection] = [:]
  /// What SSH connections are accepted with; nil on loops without any.
  var gate: SSHGate?
  var counters = LoopCounters()
  /// Backends that are being asked how many rows a statement would touch.
  var estimating = 0
  /// Recordings that are being written to.
  var recordersWriting = 0
  /// Those that have limits of time, for `sweep`.
  var watched: [ObjectIdentifier: PostgresConnection] = [:]

  /// `makeCommit` gives what waits for the disk, where `durability: sync` asks for it.
  init(
    loop: Reactor, lane: AuditLane, functions: FunctionCatalog, makeCommit: @escaping (LoopState) -> GroupCommit
  ) {
    self.makeCommit = makeCommit
    self.loop = loop
    self.lane = lane
    self.functions = functions
    cache = AnalysisCache()
  }

  /// What records must outlive from now on. Sessions that wait for the disk are still woken by what they wait for.
  func keep(_ durability: AuditSettings.Durability) {
    switch durability {
    case .process: commit = nil
    case .sync: if commit == nil { commit = makeCommit(self) }
    }
  }

  var openSessions: Int {
    connections.values.count { $0.phase == .relaying } + ssh.values.count { $0.session != nil }
  }

  /// What was analysed by others is forgotten.
  func replaceFunctions(_ functions: FunctionCatalog) {
    self.functions = functions
    cache = AnalysisCache()
    contexts = NamedContexts()
  }

  /// Short texts are analysed at once; long ones need a larger stack than an event loop has.
  func analysis(of text: UnsafeRawBufferPointer) -> Analysis? {
    if let known = cache.find(text) { return known }
    guard text.count <= SQLAnalyzer.inlineLimit else { return nil }
    let analysis = SQLAnalyzer.analyze(bytes: text, functions: functions)
    cache.insert(analysis, epoch: cache.epoch)
    return analysis
  }

  /// The analyses in which names mean what they do in this catalogue and this state of a session.
  func named(_ snapshot: CatalogSnapshot, _ scope: NameContext.Scope) -> NamedAnalyses {
    contexts.find(snapshot, scope)
  }
}

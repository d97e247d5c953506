import AccessModel
import NIOCore
import SQLAnalysis

/// Where a session finds what an SQL text may do. Confined to one event loop.
public protocol StatementAnalyses: AnyObject {
  /// The analysis of a text, or nil when it is too long to be worked out here: the session then asks for it.
  func analysis(of text: UnsafeRawBufferPointer) -> Analysis?

  /// The same with names resolved; nil also when the catalogue must be read first.
  func analysis(of text: UnsafeRawBufferPointer, in scope: SessionScope) -> Analysis?

  /// Whether names would still be resolved as they were for this analysis.
  func isCurrent(_ analysis: Analysis, in scope: SessionScope) -> Bool

  /// Names the reading of the catalogue that results are masked by; nil when there is none that is fresh enough.
  var columnsVersion: UInt64? { get }
}

/// Of those who resolve no names.
extension StatementAnalyses {
  public func analysis(of text: UnsafeRawBufferPointer, in scope: SessionScope) -> Analysis? { analysis(of: text) }
  public func isCurrent(_ analysis: Analysis, in scope: SessionScope) -> Bool { true }
  public var columnsVersion: UInt64? { nil }
}

/// Names of a relation and of its columns by attribute number, as the catalogue has them.
public struct RelationNames: Hashable, Sendable {
  public var schema: String
  public var name: String
  public var columns: [Int16: String]
  /// What is behind columns of views, partitions and parents; empty where each is its own.
  public var sources: [Int16: ValueSource]

  public init(schema: String, name: String, columns: [Int16: String], sources: [Int16: ValueSource] = [:]) {
    self.schema = schema
    self.name = name
    self.columns = columns
    self.sources = sources
  }
}

/// Both sides of one PostgreSQL connection from the first ReadyForQuery on: frames become commands and results.
///
/// Sans-IO. The client's frames are looked at in order; one that is a command waits for its verdict, and nothing behind
/// it is looked at before. The backend's frames are matched to the replies that are owed.
public struct PostgresSession: ~Copyable, ProtocolSession {
  public typealias Input = ByteBuffer
  public typealias Output = ByteBuffer

  /// Why the client's frames are not looked at for now.
  enum ClientStall {
    case none
    case verdict(PendingCommand)
    /// Until the values of a command are here whole, which is then decided anew.
    indirect case values(PendingCommand, Command)
    indirect case analysis(PendingText)
    /// Until no reply is outstanding.
    case replies
  }

  /// What the client's frames up to the next Sync meet.
  enum Skipping {
    case no
    /// An error went to the client; the backend knows of it and waits for the Sync too.
    case untilSync
    /// The same, and the backend has seen nothing of the segment: the Sync is answered here.
    case untilSyncHere
  }

  /// Why the backend's frames are not looked at for now.
  enum BackendStall {
    case none
    indirect case relations(PendingColumns)
    indirect case plan(PendingColumns)
  }

  /// A command that waits for its verdict; its frame is the next of the client's stream.
  struct PendingCommand {
    enum Kind {
      case query(Analysis), functionCall, replication
      case parse(statement: String, Analysis, types: [UInt32])
      case bind(portal: String, Analysis?)
      case execute(portal: String)
      /// Too long to be held; only a refusal can answer it.
      case oversized(isSimple: Bool)
    }
    var id: CommandID
    var kind: Kind
    var header: FrameHeader
  }

  /// A text whose analysis is asked for.
  struct PendingText {
    var header: FrameHeader
    var text: String
  }

  /// Columns that wait for names or for a plan.
  struct PendingColumns {
    enum Use { case query, portal(String), injected(String), copy(CopyTerms) }
    var id: CommandID
    var description: RowDescription
    var use: Use
    var header: FrameHeader
    var missing: Set<UInt32> = []
    /// The reading of the catalogue in which the plan will hold for the next result like this; nil for this one only.
    var version: UInt64?
  }

  /// What is known of the result that is being sent.
  struct Progress {
    var id: CommandID
    var rows = 0
    var bytes = 0
    var tag = ""
    var errorCode = ""
    var masked: [String] = []
    var wouldMask: [String] = []

    /// Rules in shadow found something in what went.
    mutating func note(shadow names: [String]) {
      for name in names where !wouldMask.contains(name) { wouldMask.append(name) }
    }

    /// Rows went under a mask, and detectors found something in some columns.
    mutating func note(_ mask: RowMask, _ found: RowMask.Found) {
      if masked.isEmpty { masked = mask.names }
      guard !found.isEmpty else { return }
      for name in mask.names(of: found) where !masked.contains(name) { masked.append(name) }
    }
  }

  let limits: Limits
  /// What a session of replication was asked to be; nil for an ordinary one.
  let replication: ReplicationMode?
  var analyses: any StatementAnalyses
  /// Whether names are resolved, so that it must be known what the session makes of them.
  var followsNames: Bool
  /// Whether what is pipelined behind unknown code waits until that has run.
  var waitsForUnknownCode: Bool
  /// Whether commands may be approved, and so are to be known by the search_path and role under which they run.
  var bindsToPath: Bool
  /// What the person says their work is for: `sallyport.reason`, as start-up or the last SET has it; empty without.
  public internal(set) var reason: String
  /// That of the start-up packet.
  let initialReason: String
  /// Whether any mask may apply: then columns are looked at, else rows pass unseen.
  var maskable: Bool
  /// What detectors look for in values, whatever their column; nil for nothing.
  var contents: ContentMasks?
  /// The COPY that is under way sends the binary format.
  var copyOutIsBinary = false
  let maskKey: MaskKey
  /// Of another policy, until no reply is outstanding.
  var newTerms: SessionTerms?
  var client = FrameStream(from: .client)
  var backend = FrameStream(from: .backend)
  var events: [SessionEvent] = []
  var eventHead = 0
  var lastCommand: UInt64 = 0

  var clientStall = ClientStall.none
  var backendStall = BackendStall.none
  var skipping = Skipping.no
  var isPaused = false
  public internal(set) var status: TransactionStatus
  /// Why texts cannot be trusted to mean what the analysis says; nil when they can.
  var unsafeText: String?

  var replies = ReplyQueue()
  var statements = StatementRegistry()
  var names = SessionNames()
  /// Messages that end our own questions inside a pipeline and have not come; nil where a ReadyForQuery ends them.
  var answersInSegment: Int?
  /// PREPAREs and DECLAREs in SQL text that were sent and not answered yet.
  var preparing: [Preparing] = []
  /// What cursors that SQL text declared stand for, as the backend confirmed it; one that is not here may stand for
  /// anything.
  var cursors: [String: Analysis] = [:]
  /// Counts Syncs; a segment is what lies between two.
  var segment = 0
  /// Whether anything was sent to the backend since the last Sync.
  var isSegmentOpen = false
  /// What the session knows of a portal.
  struct Portal {
    /// Its Bind.
    var id: CommandID
    /// nil when its statement was not known.
    var analysis: Analysis?
    /// What its permit leaves of its rows; nil for all.
    var allowance: RowAllowance?
  }
  /// Portals by name. One that is not here may exist all the same: SQL text makes some.
  var portals = NameMap<Portal>()
  var describedPortals = NameMap<Void>()
  var isCopyingIn = false
  /// The backend streams its log, and the client reports how far it is.
  var isCopyingBoth = false
  var suppliedAnalysis: Analysis?

  var progress: Progress?
  /// The command whose rows are counted, the last that was sent.
  var limited: LimitedCommand?
  var cursorLimits = CursorLimits()
  /// DECLAREs whose answers are still to come, where they matter to limits.
  var declaring: [DeclaringCommand] = []
  /// The last command whose end was told, so that a skipped Execute does not tell it again.
  var lastFinished: CommandID?
  /// Present once the columns of a simple query's result are known; nil inside when nothing of it is masked.
  var queryMask: RowMask??
  /// Present for each portal whose columns are known; nil inside when nothing of it is masked.
  var portalMasks = NameMap<RowMask?>()
  var knownColumns = KnownColumns()
  /// Names of the relations of the result at hand.
  var relations: [UInt32: RelationNames?] = [:]
  /// Who says which errors and notices hide what they say; nil where no mask applies.
  public var concealment: (any ErrorConcealment)?
  /// Commands that may send COPY data, though masks apply, with how they write it; nil where that is not known.
  var copyingOut: [CommandID: CopyTerms?] = [:]
  /// Present while COPY data comes of which something is masked.
  var copyMask: CopyMask?
  /// Why the gateway cancels what runs, of its own accord.
  var explainedCancel: ErrorFields?
  /// Present when somebody records what the client gets.
  var tap: ResultTap?
  /// nil without rules in shadow that detect.
  var shadow: ShadowLook?
  /// Notices that wait for the end of a frame.
  var deferredNotices: [ByteBuffer] = []

  /// - Parameters:
  ///   - ready: what the backend said of itself.
  ///   - maskable: whether any mask may apply to this person on this connection.
  ///   - contents: what is looked for in values besides.
  ///   - shadowed: what is looked for besides that and only noted.
  ///   - maskKey: of hashed values, which are equal for equal values where the key is the same.
  ///   - followsNames: whether `analyses` resolves names, so that the session's search_path is of use.
  ///   - records: how much of each result is told as `.result`; nil for nothing.
  ///   - hidingRecorded: what is looked for in what is told of results, and hidden in it.
  ///   - waitsForUnknownCode: whether what is pipelined behind unknown code is only read once that has run; false where
  ///     no decision depends on what texts say.
  ///   - bindsToPath: whether commands may be approved, which binds them to search_path and role.
  ///   - reason: `sallyport.reason` of the start-up packet.
  ///   - replication: what a session of replication was asked to be.
  public init(
    ready: BackendHandshake.Ready, analyses: any StatementAnalyses, maskable: Bool, contents: ContentMasks? = nil,
    shadowed: ContentMasks? = nil, maskKey: MaskKey = .random(), followsNames: Bool = false,
    waitsForUnknownCode: Bool = true,
    records: ResultBounds? = nil, hidingRecorded: ContentMasks? = nil, bindsToPath: Bool = false, reason: String = "",
    replication: ReplicationMode? = nil, limits: Limits = .standard
  ) {
    tap = records.map { ResultTap($0, hiding: hidingRecorded) }
    shadow = shadowed.map { ShadowLook($0) }
    self.limits = limits
    self.replication = replication
    self.analyses = analyses
    self.maskable = maskable
    self.contents = contents
    self.maskKey = maskKey
    self.followsNames = followsNames
    self.waitsForUnknownCode = waitsForUnknownCode
    self.bindsToPath = bindsToPath
    self.reason = PostgresSession.readable(reason)
    initialReason = self.reason
    status = ready.status
    for (name, value) in ready.settings { noteSetting(name, value) }
  }

  // MARK: Input and output

  public mutating func receive(_ input: ByteBuffer, from side: Side) throws(ProtocolError) {
    switch side {
    case .client:
      client.append(input)
      try advanceClient()
    case .backend:
      backend.append(input)
      try advanceBackend()
    }
  }

  public mutating func nextEvent() -> SessionEvent? {
    // One at a time is what happens nearly always: it is moved out, and not copied.
    if eventHead == 0 { if events.count <= 1 { return events.popLast() } }
    guard eventHead < events.count else {
      if eventHead > 0 {
        events.removeAll(keepingCapacity: true)
        eventHead = 0
      }
      return nil
    }
    defer { eventHead += 1 }
    return events[eventHead]
  }

  /// Bytes for a side: those for the client come from the backend's stream, and the other way round.
  public mutating func takeOutput(for side: Side) -> ByteBuffer? {
    switch side {
    case .client: backend.takeOutput()
    case .backend: client.takeOutput()
    }
  }

  /// Whether more bytes of this side are of use now; false asks the driver to stop reading it.
  public func wantsInput(from side: Side) -> Bool {
    switch side {
    case .client:
      guard !isPaused, replies.count < limits.outstandingReplies else { return false }
      switch clientStall {
      case .none, .values: return true
      case .verdict, .analysis: return false
      case .replies: return client.isMidFrame
      }
    case .backend:
      if case .none = backendStall { return true }
      return false
    }
  }

  /// Nothing is under way: the session can end without anybody missing anything.
  public var isQuiet: Bool {
    guard replies.isEmpty, client.pending == 0, !client.isMidFrame, case .none = clientStall else { return false }
    return status == .idle
  }

  /// Whether this is a session of replication.
  public var isReplicating: Bool { replication != nil }

  /// Whether any mask may apply to what this session reads.
  public var isMaskable: Bool { maskable }

  /// Whether the backend announced that it closes the connection.
  public internal(set) var backendIsLeaving = false

  /// How a command ended whose connection broke: with the rows that had passed until then.
  public func outcome(ofLost id: CommandID) -> Outcome {
    guard let progress, progress.id == id else { return Outcome(ending: .lost) }
    return Outcome(
      ending: .lost, tag: progress.tag, errorCode: progress.errorCode, rows: progress.rows, bytes: progress.bytes,
      masked: progress.masked, wouldMask: progress.wouldMask)
  }

  // MARK: Facts and control

  /// Answers `.needs(.analysis)`.
  public mutating func supply(_ analysis: Analysis) throws(ProtocolError) {
    guard case .analysis(let pending) = clientStall, pending.text == analysis.text else { return }
    suppliedAnalysis = analysis
    clientStall = .none
    try advanceClient()
  }

  /// Answers `.needs(.relation)`; nil when the catalogue does not know it.
  public mutating func supply(relation oid: UInt32, _ names: RelationNames?) throws(ProtocolError) {
    guard case .relations(var pending) = backendStall else { return }
    relations[oid] = .some(names)
    pending.missing.remove(oid)
    backendStall = .relations(pending)
    if pending.missing.isEmpty { askForPlan(pending) }
  }

  /// Holds the client's frames back, while a cancel request is under way (DECISIONS 29).
  public mutating func pause() { isPaused = true }

  public mutating func resume() throws(ProtocolError) {
    isPaused = false
    try advanceClient()
  }

  /// Sends a notice to the client, at the end of the frame that is on its way.
  public mutating func notify(_ fields: ErrorFields) {
    var frame = ByteBuffer()
    fields.encodeNotice(into: &frame)
    if backend.isInsideFrame { deferredNotices.append(frame) } else { backend.inject(frame) }
  }

  /// The last words to the client, a FATAL error; unsaid when a frame is only half sent.
  public mutating func end(with fields: ErrorFields) {
    if !backend.isInsideFrame {
      var frame = ByteBuffer()
      fields.encodeError(into: &frame)
      backend.inject(frame)
    }
    events.append(.ended)
  }

  mutating func nextCommandID() -> CommandID {
    lastCommand += 1
    return CommandID(lastCommand)
  }

  mutating func noteSetting(_ name: String, _ value: String) {
    switch name {
    case "standard_conforming_strings" where value != "on":
      unsafeText = "standard_conforming_strings is off"
    case "client_encoding" where !StartupPolicy.isSafe(encoding: value):
      unsafeText = "client encoding \(value) cannot be scanned safely"
    case _: break
    }
  }
}

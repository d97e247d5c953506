import AccessModel
import Crypto
import Enforcement

/// The bounds of what one record keeps.
enum RecordLimits {
  /// Bytes of a command's text; of a longer one its length and SHA-256 are kept too (DECISIONS 23).
  static let text = 65_536
  /// Resources of a footprint.
  static let resources = 256
  /// Bytes, as written, of a name.
  static let name = 512
  /// Bytes, as written, of a reason or another sentence.
  static let sentence = 4096
  /// Bytes, as written, of a list of names.
  static let list = 16_384
  /// What a `finished` or `sessionClosed` record takes at most; this much is kept free for each (DECISIONS 23).
  static let outcome = 2048
  /// Bytes of one bound value, and of all that one record keeps of them.
  static let value = 1024
  static let values = 8192
  /// What a record may hold for later ones to refer to it: bytes of the text and of the payload, and statements.
  static let remembered = 8192
  static let rememberedStatements = 64
  static let rememberedPolicies = 16
}

extension JSONWriter {
  /// One event as a JSON object whose member `event` says which, with all that belongs to it but the bound values.
  mutating func event(_ event: AuditEvent) {
    members(of: event)
    if case .decided(let record) = event { _ = facts(record.command.facts, policy: record.policy, .full) }
    raw("}")
  }

  /// A decision as a segment keeps it: brief where it is what every statement makes. Returns whether its text speaks of a
  /// secret.
  mutating func record(_ decision: DecisionRecord, _ mention: SegmentMemory.Mention, _ sequence: UInt64) -> Bool {
    let command = decision.command
    if decision.isPlainPermit {
      return permitted(
        decision.id, command, session: decision.session, policy: decision.policy, decision.values, mention, sequence)
    }
    members(of: .decided(decision))
    let isSecret = facts(command.facts, policy: decision.policy, mention)
    raw("}")
    values(command.parameters, decision.values, isSecret: isSecret)
    return isSecret
  }

  /// The same of any other event; false, because a secret is only looked for in what a command says.
  mutating func record(_ event: AuditEvent) -> Bool {
    if case .finished(let session, let id, let outcome, let duration) = event {
      ended(id, outcome, duration: duration, session: session)
    } else {
      members(of: event)
      raw("}")
    }
    return false
  }

  /// An event but for its closing brace and for what a decided command's facts say, which come last.
  mutating func members(of event: AuditEvent) {
    switch event {
    case .gatewayStarted(let version, let policy):
      begin("gateway_started")
      field("version", version, limit: RecordLimits.name)
      field("policy", policy, limit: RecordLimits.name)
    case .gatewayStopped(let reason):
      begin("gateway_stopped")
      field("reason", reason, limit: RecordLimits.name)
    case .authenticated(let authentication): write(authentication)
    case .sessionOpened(let facts): write(facts)
    case .sessionClosed(let session, let reason):
      begin("session_closed")
      field("session", session, limit: RecordLimits.name)
      field("reason", reason, limit: RecordLimits.name)
    case .decided(let record):
      decided(
        record.id, stage: record.command.stage, record.command.parameters, session: record.session,
        action: record.action, values: record.values)
      fieldUnlessEmpty("rule", record.rule, limit: RecordLimits.name)
      fieldUnlessEmpty("reason", record.reason, limit: RecordLimits.sentence)
      if !record.approvers.isEmpty { field("approvers", record.approvers, limit: RecordLimits.list) }
      if !record.shadows.isEmpty { field("shadow", record.shadows, limit: RecordLimits.list) }
    case .finished(let session, let command, let outcome, let duration):
      finished(command, outcome, duration: duration, session: session)
    case .recorded(let result): write(result)
    case .typed(let typed): write(typed)
    case .control(let session, let purpose):
      begin("control")
      field("session", session, limit: RecordLimits.name)
      field("purpose", purpose.rawValue)
    case .approval(let record): write(record)
    case .administration(let actor, let verb, let subject):
      begin("administration")
      field("actor", actor, limit: RecordLimits.name)
      field("verb", verb, limit: RecordLimits.name)
      field("subject", subject, limit: RecordLimits.sentence)
    case .configurationReloaded(let reload): write(reload)
    case .repeated(let refusals): write(refusals)
    }
  }

  @inline(__always)
  private mutating func begin(_ name: StaticString) {
    raw("{\"event\":\"")
    raw(name)
    raw("\"")
  }

  private mutating func write(_ authentication: Authentication) {
    begin("authenticated")
    field("user", authentication.user, limit: RecordLimits.name)
    field("client", authentication.clientAddress, limit: RecordLimits.name)
    field("method", authentication.method, limit: RecordLimits.name)
    field("succeeded", authentication.succeeded)
    fieldUnlessEmpty("reason", authentication.reason, limit: RecordLimits.sentence)
  }

  private mutating func write(_ facts: SessionFacts) {
    begin("session_opened")
    field("session", facts.session, limit: RecordLimits.name)
    field("gateway", facts.gateway, limit: RecordLimits.name)
    field("region", facts.region, limit: RecordLimits.name)
    field("user", facts.subject.user, limit: RecordLimits.name)
    field("groups", facts.subject.groups, limit: RecordLimits.list)
    field("connection", facts.subject.connection, limit: RecordLimits.name)
    labels(facts.subject.labels)
    field("protocol", facts.subject.protocolName, limit: RecordLimits.name)
    field("client", facts.subject.clientAddress, limit: RecordLimits.name)
    field("backend", facts.backendAddress, limit: RecordLimits.name)
    field("backend_user", facts.backendUser, limit: RecordLimits.name)
    field("database", facts.database, limit: RecordLimits.name)
    fieldUnlessEmpty("application", facts.application, limit: RecordLimits.name)
  }

  private mutating func write(_ reload: ConfigurationReload) {
    begin("configuration_reloaded")
    field("trigger", reload.trigger, limit: RecordLimits.name)
    field("actor", reload.actor, limit: RecordLimits.name)
    field("succeeded", reload.isAccepted)
    field("previous", reload.previous, limit: RecordLimits.name)
    field("policy", reload.policy, limit: RecordLimits.name)
    field("changes", reload.changes, limit: RecordLimits.list)
    if !reload.notes.isEmpty { field("notes", reload.notes, limit: RecordLimits.list) }
  }

  private mutating func write(_ refusals: RepeatedRefusals) {
    switch refusals.kind {
    case .commands(let session, let rule, let policy, let first, let last, let inPlace):
      begin("denied_repeatedly")
      field("session", session, limit: RecordLimits.name)
      field("first_command", first.rawValue)
      field("last_command", last.rawValue)
      field("action", DecisionRecord.Action.deny.rawValue)
      field("rule", rule, limit: RecordLimits.name)
      field("policy", policy, limit: RecordLimits.name)
      if inPlace > 0 { field("in_place", inPlace) }
    case .signIns(let client, let users):
      begin("authenticated_repeatedly")
      field("client", client, limit: RecordLimits.name)
      field("users", users, limit: RecordLimits.list)
      field("succeeded", false)
    }
    field("count", refusals.count)
    field("since", AuditFormatter.time(refusals.since))
    field("until", AuditFormatter.time(refusals.until))
    fieldUnlessEmpty("reason", refusals.reason, limit: RecordLimits.sentence)
    field("sha256", refusals.hash)
  }

  private mutating func labels(_ labels: [String: String]) {
    if labels.isEmpty { return }
    key("labels")
    raw("{")
    for (index, label) in labels.sorted(by: { $0.key < $1.key }).prefix(64).enumerated() {
      if index > 0 { raw(",") }
      string(label.key, limit: RecordLimits.name)
      raw(":")
      string(label.value, limit: RecordLimits.name)
    }
    raw("}")
  }

  /// What a `decided` record says of this one command; a permit and the stage `execute` go without saying.
  mutating func decided(
    _ id: CommandID, stage: Command.Stage, _ parameters: Parameters, session: String, action: DecisionRecord.Action,
    values: ValueDisclosure
  ) {
    begin("decided")
    field("session", session, limit: RecordLimits.name)
    field("command", id.rawValue)
    if action != .permit { field("action", action.rawValue) }
    if stage != .execute { field("stage", stage.rawValue) }
    // Where values are recorded they say how many they are.
    if values == .omitted, parameters.count > 0 {
      field("parameters", parameters.count)
      field("parameter_bytes", parameters.byteCount)
    }
  }

  /// A command that was permitted and asked nobody, whose record will have the number `sequence`. Returns whether its
  /// text speaks of a secret.
  @inline(__always)
  mutating func permitted(
    _ id: CommandID, _ command: Command, session: String, policy: String, _ values: ValueDisclosure,
    _ mention: SegmentMemory.Mention, _ sequence: UInt64
  ) -> Bool {
    let isSecret = permit(id, command, session: session, policy: policy, values, mention, sequence)
    self.values(command.parameters, values, isSecret: isSecret)
    return isSecret
  }

  /// The same without the values bound to it.
  @inline(__always)
  private mutating func permit(
    _ id: CommandID, _ command: Command, session: String, policy: String, _ values: ValueDisclosure,
    _ mention: SegmentMemory.Mention, _ sequence: UInt64
  ) -> Bool {
    switch mention {
    case .same(let named, let isSecret):
      let distance = sequence &- named
      if briefly(permitted: id, command, session: session, values, back: distance, nil) { return isSecret }
    case .like(let named):
      let distance = sequence &- named
      let text = KeptText(of: command.facts, detectors)
      if briefly(permitted: id, command, session: session, values, back: distance, text) { return text.isRedacted }
    case .full: break
    }
    decided(id, stage: command.stage, command.parameters, session: session, action: .permit, values: values)
    let isSecret = facts(command.facts, policy: policy, mention)
    raw("}")
    return isSecret
  }

  /// What a command's facts say, as far as no other record of the segment has said it. Returns whether the text speaks
  /// of a secret.
  mutating func facts(_ facts: CommandFacts, policy: String, _ mention: SegmentMemory.Mention) -> Bool {
    switch mention {
    case .same(let sequence, let isSecret):
      field("same", sequence)
      return isSecret
    case .like(let sequence):
      let text = KeptText(of: facts, detectors)
      self.text(text)
      field("like", sequence)
      return text.isRedacted
    case .full:
      let text = KeptText(of: facts, detectors)
      self.text(text)
      shape(facts.shape, policy: policy)
      return text.isRedacted
    }
  }

  /// What every command with these facts has in common, but for the text; `policy` is what decided.
  private mutating func shape(_ shape: CommandShape, policy: String) {
    key("effects")
    write(shape.effects)
    write(shape.footprint)
    write(shape.detail)
    field("policy", policy, limit: RecordLimits.name)
  }

  private mutating func write(_ effects: Effects) {
    raw("[")
    if effects.isUnknown {
      string("unknown")
    } else {
      var first = true
      for (name, effect) in Effects.named where effects.contains(effect) {
        if !first { raw(",") }
        string(name)
        first = false
      }
    }
    raw("]")
  }

  private mutating func write(_ footprint: Footprint) {
    key("footprint")
    switch footprint {
    case .everything: string("everything")
    case .resources(let accesses):
      raw("[")
      for (index, access) in accesses.prefix(RecordLimits.resources).enumerated() {
        if index > 0 { raw(",") }
        raw("{\"kind\":")
        string(access.resource.kind.rawValue)
        key("path")
        path(access.resource.path)
        key("effects")
        write(access.effects)
        raw("}")
      }
      raw("]")
      if accesses.count > RecordLimits.resources { field("footprint_count", accesses.count) }
    }
  }

  /// Names from the outermost inwards; null where the name could not be resolved.
  private mutating func path(_ path: [String?]) {
    raw("[")
    for (index, part) in path.prefix(8).enumerated() {
      if index > 0 { raw(",") }
      if let part { string(part, limit: RecordLimits.name) } else { raw("null") }
    }
    raw("]")
  }

  private mutating func write(_ detail: Detail) {
    switch detail {
    case .sql(let sql):
      key("statements")
      raw("[")
      for (index, statement) in sql.statements.prefix(RecordLimits.resources).enumerated() {
        if index > 0 { raw(",") }
        string(statement.kind.rawValue)
      }
      raw("]")
      if sql.statements.count > RecordLimits.resources { field("statement_count", sql.statements.count) }
      if let misunderstood = sql.misunderstood {
        field("misunderstood", JSONWriter.words(misunderstood), limit: RecordLimits.sentence)
      }
    case .ssh(let ssh):
      key("statements")
      raw("[]")
      field("ssh_request", ssh.request.rawValue)
      field("assurance", ssh.request == .shell ? "observed" : "enforced")
      if !ssh.programs.isEmpty { field("programs", ssh.programs.map(\.name), limit: RecordLimits.list) }
      if let misunderstood = ssh.misunderstood {
        field("misunderstood", misunderstood, limit: RecordLimits.sentence)
      }
    }
  }

  private static func words(_ misunderstanding: SQLMisunderstanding) -> String {
    switch misunderstanding {
    // The parser's message quotes the text next to the error, which may be a password: the position is enough.
    case .syntax(_, let position): "syntax error at character \(position)"
    case .tooDeep: "nested too deeply"
    case .tooLong(let limit): "longer than \(limit) bytes"
    case .notText: "not valid text"
    case .unsafe(let why): why
    case .opaque(let what): what
    }
  }

  /// The text, cut between two characters; of a text that is cut its length and hash are kept too.
  ///
  /// The hash is taken of the text without passwords: a hash of the original would let a password be guessed.
  mutating func text(_ text: KeptText) {
    boundedText(text.content)
    if text.isRedacted { field("redacted", true) }
    if let concealed = text.concealed {
      field("hidden_values", concealed.count)
      field("text_hmac", concealed.proof)
    }
  }

  private mutating func boundedText(_ text: String) {
    guard text.utf8.count > RecordLimits.text else { return field("text", text) }
    let utf8 = text.utf8
    var end = utf8.index(utf8.startIndex, offsetBy: RecordLimits.text)
    while end > utf8.startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
    field("text", String(text[..<end]))
    field("text_bytes", utf8.count)
    var hash = SHA256()
    var copy = text
    copy.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    field("text_sha256", Array(hash.finalize()).hex)
  }

  /// How a command ended, in brief or whole.
  @inline(__always)
  mutating func ended(_ id: CommandID, _ outcome: Outcome, duration: Int64, session: String) {
    if briefly(finished: id, outcome, duration: duration, session: session) { return }
    finished(id, outcome, duration: duration, session: session)
    raw("}")
  }

  /// A `finished` record; completion, no rows and no bytes go without saying.
  mutating func finished(_ id: CommandID, _ outcome: Outcome, duration: Int64, session: String) {
    begin("finished")
    field("session", session, limit: RecordLimits.name)
    field("command", id.rawValue)
    if outcome.ending != .completed { field("ending", outcome.ending.rawValue) }
    fieldUnlessEmpty("tag", outcome.tag, limit: 128)
    fieldUnlessEmpty("error", outcome.errorCode, limit: 32)
    if outcome.rows != 0 { field("rows", outcome.rows) }
    if outcome.bytes != 0 { field("bytes", outcome.bytes) }
    if !outcome.masked.isEmpty {
      field("masked", outcome.masked, limit: 768)
      field("masked_count", outcome.masked.count)
    }
    if !outcome.wouldMask.isEmpty { field("would_mask", outcome.wouldMask, limit: 256) }
    field("duration_us", duration)
  }

  private mutating func write(_ result: RecordedResult) {
    begin("recorded")
    field("session", result.session, limit: RecordLimits.name)
    field("command", result.command.rawValue)
    field("offset", result.offset)
    field("bytes", result.bytes)
    field("rows", result.rows)
    if result.isCut { field("cut", true) }
    field("sha256", result.hash, limit: RecordLimits.name)
  }

  private mutating func write(_ typed: TypedCommand) {
    begin("typed")
    field("session", typed.session, limit: RecordLimits.name)
    field("command", typed.command.rawValue)
    if !typed.rules.isEmpty {
      field("action", typed.isEnd ? "end" : "alert")
      field("rule", typed.rules.joined(separator: ","), limit: RecordLimits.name)
    }
    self.text(KeptText(of: typed.facts, detectors))
    field("assurance", "observed")
  }

  private mutating func write(_ record: ApprovalRecord) {
    begin("approval")
    field("request", record.request)
    field("session", record.session, limit: RecordLimits.name)
    field("command", record.command.rawValue)
    field("step", record.step.rawValue)
    field("person", record.person, limit: RecordLimits.name)
    fieldUnlessEmpty("reason", record.reason, limit: RecordLimits.sentence)
  }
}

extension DecisionRecord {
  /// Whether nobody and no rule had a part in it.
  fileprivate var isPlainPermit: Bool {
    action == .permit && rule.isEmpty && reason.isEmpty && approvers.isEmpty && shadows.isEmpty
  }
}

import AccessModel
import Enforcement
import PolicyEngine
import Postgres
import SQLAnalysis
import SSH
import SallyportConfiguration

/// Asks a policy about statements that nobody runs: for `policy test` and `policy explain`.
///
/// The same analysis, policy and enforcement point answer as for a session that has just begun; only the catalogue is
/// what it is told, and without one names without a schema stay open, and may stand for anything of that name.
public struct PolicyTrial: Sendable {
  /// Why somebody cannot be asked about, as a sentence's beginning.
  public struct Unknown: Error, Sendable, CustomStringConvertible {
    public var description: String
  }

  let configuration: GatewayConfiguration
  private let functions: FunctionCatalog
  private let names: NameContext?
  /// Columns by relation, where that is known.
  private let columns: [String: [String]]

  /// - Parameter catalog: nil where nothing is known of the database.
  public init(_ configuration: GatewayConfiguration, catalog: TrialCatalog?) {
    self.configuration = configuration
    functions = FunctionCatalog(
      configuration.functions.map { FunctionCatalog.Entry(name: $0.name, effects: $0.effects, reads: $0.reads) })
    names = catalog.map { NameContext($0.snapshot, $0.scope) }
    columns = catalog?.relations ?? [:]
  }

  /// What a running gateway knows of the database takes the place of a file.
  init(_ configuration: GatewayConfiguration, live catalog: Catalog?) {
    self.configuration = configuration
    functions = FunctionCatalog(
      configuration.functions.map { FunctionCatalog.Entry(name: $0.name, effects: $0.effects, reads: $0.reads) })
    names = catalog.map { NameContext($0.snapshot, NameContext.Scope()) }
    columns =
      (catalog?.relations.values).map { relations in
        Dictionary(relations.map { ("\($0.schema).\($0.name)", Array($0.columns.values)) }) { first, _ in first }
      } ?? [:]
  }

  /// What the policy says, and why.
  ///
  /// - Parameters:
  ///   - time: seconds since 1970; nil: now.
  ///   - rows: how many rows the backend would expect it to touch; nil: there is no estimate.
  public func explain(
    _ statement: String, user: String, connection: String, client: String = "127.0.0.1", time: Int64? = nil,
    rows: Int64? = nil
  ) throws(Unknown) -> PolicyExplanation {
    guard configuration.connections[connection] != nil else {
      throw Unknown(description: "there is no connection \"\(connection)\"")
    }
    guard let subject = configuration.subject(user: user, connection: connection, clientAddress: client) else {
      throw Unknown(description: "there is no user \"\(user)\"")
    }
    let policy = Policy(configuration.policy, hash: configuration.policyHash) { zone in
      time.map { ZoneClock.time(at: $0, in: zone) } ?? ZoneClock.now(in: zone)
    }
    let scoped = policy.scoped(to: subject)
    var command =
      subject.protocolName == "ssh"
      ? ExecCommand.command(statement)
      : PolicyTrial.replicationCommand(statement)
        ?? SQLAnalyzer.analyze(statement, functions: functions, names: names).command()
    var explanation = PolicyExplanation(subject, command, policy.hash, isResolved: names != nil)
    let enforcer = Enforcer(session: "trial", policy: scoped, audit: NoAudit())
    if scoped.needsEstimate(of: command) {
      command.estimate = rows.map { .rows($0) } ?? .none
      explanation.estimate = rows.map { "\($0) rows" } ?? "none, so it counts as more than any number"
    }
    explanation.take(enforcer.admit(CommandID(1), command))
    explanation.rules = policy.findings(on: command, by: subject).map(PolicyExplanation.Rule.init)
    explanation.masked = masked(command, scoped)
    explanation.detected = scoped.contents?.masks.map(PolicyExplanation.Detected.init) ?? []
    explanation.columns = PolicyTrial.columns(command, scoped)
    return explanation
  }

  /// What is no SQL but a command of replication; SHOW is both, and counts as SQL.
  private static func replicationCommand(_ statement: String) -> Command? {
    guard let found = ReplicationCommand(statement), found.word != .show else { return nil }
    return found.command
  }

  /// The columns of each result, with their lineage and masks.
  private static func columns(_ command: Command, _ policy: ScopedPolicy) -> [PolicyExplanation.Column] {
    guard policy.mayMask, case .sql(let detail) = command.detail else { return [] }
    var columns: [PolicyExplanation.Column] = []
    for (index, statement) in detail.statements.enumerated() {
      for (place, source) in (statement.lineage.outputs ?? []).enumerated() {
        let result = ResultColumn(name: "", origin: .computed, source: source)
        var mask: Mask?
        if case .columns(let plan) = policy.maskPlan(for: [result], touching: statement.footprint) { mask = plan[0] }
        columns.append(
          PolicyExplanation.Column(
            statement: index + 1, column: place + 1, from: source.columns.names, copied: source.isCopy,
            mask: mask?.name,
            rules: mask == nil ? [] : policy.maskRules(for: [result], touching: statement.footprint)))
      }
    }
    return columns
  }

  /// The masked columns of all relations that the command may touch; those of relations without known columns by the
  /// patterns that may mean them.
  private func masked(_ command: Command, _ policy: ScopedPolicy) -> [PolicyExplanation.Masked] {
    guard policy.mayMask else { return [] }
    var masked: [PolicyExplanation.Masked] = []
    for relation in relations(command.footprint) {
      let path = relation.split(separator: ".").map(String.init)
      for column in (columns[relation] ?? []).sorted() {
        let result = ResultColumn(name: column, origin: .column(path + [column]))
        guard case .columns(let plan) = policy.maskPlan(for: [result]), let mask = plan.first ?? nil else { continue }
        masked.append(
          PolicyExplanation.Masked(
            column: "\(relation).\(column)", mask: mask.name, rules: policy.maskRules(for: [result])))
      }
    }
    return masked
  }

  private func relations(_ footprint: Footprint) -> [String] {
    switch footprint {
    case .everything: return columns.keys.sorted()
    case .resources(let accesses):
      let known = columns.keys.sorted()
      return known.filter { name in
        let path = name.split(separator: ".").map { Optional(String($0)) }
        return accesses.contains { access in
          guard access.resource.kind == .relation, let last = access.resource.path.last ?? nil else {
            return true
          }
          let schema = access.resource.path.count > 1 ? access.resource.path[access.resource.path.count - 2] : nil
          return last == path.last && (schema == nil || schema == path.first ?? nil)
        }
      }
    }
  }
}

/// Nothing is recorded of what nobody runs.
private final class NoAudit: AuditSink {
  func append(_ event: AuditEvent) {}
}

extension TrialCatalog {
  fileprivate var scope: NameContext.Scope {
    let path = searchPath.map { "\"\($0.replacing("\"", with: "\"\""))\"" }.joined(separator: ", ")
    return NameContext.Scope(path: SearchPath(setting: path, user: "trial"))
  }

  fileprivate var snapshot: CatalogSnapshot {
    var contents = CatalogSnapshot.Contents()
    contents.user = "trial"
    var oids: [String: UInt32] = [:]
    for name in Set(relations.keys).union(views.keys).sorted() {
      let parts = name.split(separator: ".").map(String.init)
      let oid = UInt32(16_384 + oids.count)
      oids[name] = oid
      contents.usableSchemas.insert(parts[0])
      contents.relations.append(CatalogSnapshot.Relation(oid: oid, schema: parts[0], name: parts[1]))
      contents.columns[oid] = relations[name]?.enumerated().map { index, column in
        CatalogSnapshot.Column(Int16(clamping: index + 1), column)
      }
    }
    for (view, reads) in views {
      for name in reads {
        guard let from = oids[view], let to = oids[name] else { continue }
        contents.links.append(CatalogSnapshot.Link(.view, from: from, to: to))
      }
    }
    return CatalogSnapshot(contents)
  }
}

import Foundation
import Logging
import MaskProof
import PolicyEngine
import SallyportConfiguration

/// `mask prove`: plants canaries in a schema of its own, tries to get at them as a person under a mask, and looks for them
/// in every byte that comes back. Blocks: for a command.
public struct MaskProofRun {
  public struct Options: Sendable {
    public var statements = 2_000
    public var seed: UInt64
    /// Who tries; nil: the first with access.
    public var user: String?
    /// The account that plants; nil: the first of the connection's that may.
    public var account: String?
    /// Statements with leaks after which it is enough.
    public var leakLimit = 20
    /// Whether predicates over the canaries are let through: `deny`, `allow`, as rules say it.
    public var predicates = "deny"
    /// Whether the canaries are masked; only tests leave them open, to see that they would be found.
    var hides = true

    public init(seed: UInt64) { self.seed = seed }
  }
  /// How far it is: statements done, and leaks found.
  /// Returns whether to go on.
  public typealias Progress = (_ done: Int, _ leaks: Int) -> Bool

  private let configuration: GatewayConfiguration
  private let connection: String
  private let options: Options

  public init(_ configuration: GatewayConfiguration, connection: String, options: Options) {
    self.configuration = configuration
    self.connection = connection
    self.options = options
  }

  /// Runs it. The schema is gone afterwards. Throws `GatewayFailure` when it cannot be done.
  public func run(_ progress: Progress = { _, _ in true }) throws -> MaskProofReport {
    guard let settings = configuration.connections[connection] else {
      throw GatewayFailure("there is no connection \"\(connection)\"")
    }
    guard ProofGateways.predicates[options.predicates] != nil else {
      let known = ProofGateways.predicates.keys.sorted().joined(separator: ", ")
      throw GatewayFailure("predicates are \(known), not \"\(options.predicates)\"")
    }
    let person = try person()
    let name = "sallyport_prove_" + String(UInt64.random(in: .min ... .max), radix: 16)
    var schema = ScratchSchema(name: name, canaries: Canaries(seed: options.seed))
    var logger = Logger(label: "sallyport")
    logger.logLevel = .critical
    let gateways = try ProofGateways(
      configuration, connection: connection, person: person,
      .init(columns: schema.maskedColumns, predicates: options.predicates, hides: options.hides), logger: logger)
    defer { gateways.stop() }
    let planter = try plant(&schema, gateways, settings)
    defer { _ = try? planter.run(schema.remove, .simple) }
    let trial = MaskTrial(gateways, schema)
    var report = MaskProofReport(
      connection: connection, user: person, account: gateways.account, seed: options.seed)
    let start = Clock.monotonic()
    for number in 1...max(1, options.statements) {
      let statement = Grammar.statement(Choices(seed: options.seed, number: number), schema: trial.schema)
      let outcome = try trial.run(statement)
      report.count(outcome, number, statement, schema)
      if let what = outcome.leak {
        report.leaks.append(try shrunk(statement, what, number, trial))
        if report.leaks.count >= options.leakLimit { break }
      }
      guard progress(number, report.leaks.count) else {
        report.wasStopped = true
        break
      }
    }
    report.seconds = Double(Clock.monotonic() - start) / 1e6
    return report
  }

  private func person() throws -> String {
    let policy = Policy(configuration.policy, hash: configuration.policyHash, clock: ZoneClock.now)
    func mayUse(_ user: String) -> Bool {
      configuration.subject(user: user, connection: connection, clientAddress: "127.0.0.1")
        .map { policy.scoped(to: $0).hasAccess } ?? false
    }
    if let user = options.user {
      guard configuration.users[user] != nil else { throw GatewayFailure("there is no user \"\(user)\"") }
      guard mayUse(user) else { throw GatewayFailure("\(user) has no access to the connection \"\(connection)\"") }
      return user
    }
    guard let first = configuration.users.keys.sorted().first(where: mayUse) else {
      throw GatewayFailure("nobody has access to the connection \"\(connection)\"")
    }
    return first
  }

  /// Plants with the first account that may make a schema.
  private func plant(
    _ schema: inout ScratchSchema, _ gateways: ProofGateways, _ settings: ConnectionSettings
  ) throws -> ProofClient {
    var reasons: [String] = []
    for (planter, credential) in zip(gateways.planters, settings.credentials) {
      if let account = options.account, account != credential.user { continue }
      let session = try gateways.plainSession(planter)
      let first = try session.run(schema.plant[0], .simple)
      if let message = first.message {
        reasons.append("\(credential.user): \(message)")
        continue
      }
      do {
        for sql in schema.plant.dropFirst() {
          let answer = try session.run(sql, .simple)
          if let message = answer.message { throw GatewayFailure("could not plant: \(message) (\(sql.prefix(80)))") }
        }
        try schema.generate(seed: options.seed) { try session.run($0, .simple).code == nil }
        for sql in schema.grant(to: gateways.account) {
          let answer = try session.run(sql, .simple)
          if let message = answer.message { throw GatewayFailure("could not plant: \(message) (\(sql.prefix(80)))") }
        }
      } catch {
        _ = try? session.run("ROLLBACK", .simple)
        _ = try? session.run(schema.remove, .simple)
        throw error
      }
      return session
    }
    if reasons.isEmpty, let account = options.account {
      throw GatewayFailure("the connection \"\(connection)\" has no account \"\(account)\"")
    }
    throw GatewayFailure(
      "no account may make a schema to plant canaries in: \(reasons.joined(separator: "; "))",
      hint: "Grant CREATE on the database to one of the connection's accounts, for a copy of it if need be.")
  }

  private func shrunk(
    _ statement: ProofStatement, _ what: String, _ number: Int, _ trial: MaskTrial
  ) throws -> MaskProofReport.Leak {
    var smallest = statement
    var shown = what
    _ = Shrinking().shrink(statement.choices) { choices in
      let candidate = Grammar.statement(Choices(choices), schema: trial.schema)
      guard let leak = (try? trial.run(candidate))?.leak else { return false }
      // Fewer choices do not always make a shorter text.
      if candidate.text.utf8.count < smallest.text.utf8.count {
        smallest = candidate
        shown = leak
      }
      return true
    }
    return MaskProofReport.Leak(
      statement: smallest.text, definitions: trial.schema.definitions(behind: smallest.text),
      mode: smallest.mode.rawValue, what: shown, original: statement.text, number: number)
  }
}

extension MaskProofReport {
  init(connection: String, user: String, account: String, seed: UInt64) {
    self.connection = connection
    self.user = user
    self.account = account
    self.seed = seed
  }

  fileprivate mutating func count(
    _ outcome: MaskTrial.Outcome, _ number: Int, _ statement: ProofStatement, _ schema: ScratchSchema
  ) {
    statements += 1
    switch outcome.end {
    case .passed: passed += 1
    case .refused: refused += 1
    case .failed(let code):
      failed += 1
      failures[code, default: 0] += 1
    }
    if outcome.isExposing {
      exposing += 1
      if outcome.end == .passed { masked += 1 }
    } else if outcome.end == .passed, !statement.mayBeRefused {
      clean += 1
    }
    if let excess = outcome.excess {
      excesses.append(
        Excess(
          statement: statement.text, definitions: schema.definitions(behind: statement.text),
          mode: statement.mode.rawValue, what: excess, number: number))
    }
  }
}

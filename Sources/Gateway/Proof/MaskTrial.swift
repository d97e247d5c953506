import MaskProof

/// Runs a statement as the person under the mask, and as somebody without one, and compares.
final class MaskTrial {
  enum End: Hashable {
    case passed
    /// By a rule.
    case refused
    /// By the backend, with its SQLSTATE.
    case failed(String)
  }
  struct Outcome {
    var end: End
    /// Whether it brings canaries, or what is made of them, to whoever has no mask.
    var isExposing: Bool
    /// What came out that should not have; nil when nothing did.
    var leak: String?
    /// What was hidden, changed or refused without need; nil when nothing was.
    var excess: String?
  }

  let schema: ScratchSchema
  private let gateways: ProofGateways
  private let finder: CanaryFinder
  private var masked: ProofClient?
  private var plain: ProofClient?

  init(_ gateways: ProofGateways, _ schema: ScratchSchema) {
    self.gateways = gateways
    self.schema = schema
    finder = CanaryFinder(schema.canaries)
  }

  func run(_ statement: ProofStatement) throws -> Outcome {
    let mine = try answers(statement, &masked, gateways.maskedSession)
    let theirs = try answers(statement, &plain) { try self.gateways.plainSession() }
    let end = MaskTrial.end(of: mine)
    var outcome = Outcome(end: end, isExposing: theirs.contains { find($0) != nil })
    outcome.leak = mine.lazy.compactMap(find).first
    for (step, (own, other)) in zip(statement.steps, zip(mine, theirs)) {
      let verdict = compare(step, own, other)
      outcome.leak = outcome.leak ?? verdict.leak
      outcome.excess = outcome.excess ?? verdict.excess
      outcome.isExposing = outcome.isExposing || verdict.isExposing
    }
    if case .refused = end, !statement.mayBeRefused, MaskTrial.end(of: theirs) == .passed {
      outcome.excess = mine.lazy.compactMap(\.reason).first ?? "refused"
    }
    if case .failed(let code) = end, MaskTrial.end(of: theirs) == .passed {
      outcome.excess = "it fails with \(code) under the mask alone: \(mine.lazy.compactMap(\.reason).first ?? "")"
    }
    return outcome
  }

  private static func end(of answers: [ProofAnswer]) -> End {
    guard let failed = answers.first(where: { $0.code != nil }) else { return .passed }
    return failed.isRefused ? .refused : .failed(failed.code ?? "")
  }

  // MARK: Sessions

  private func answers(
    _ statement: ProofStatement, _ session: inout ProofClient?, _ begin: () throws -> ProofClient
  ) throws -> [ProofAnswer] {
    let client = try session ?? opened(begin)
    session = statement.endsSession ? nil : client
    if statement.isRolledBack { _ = try client.run("BEGIN", .simple) }
    var answers: [ProofAnswer] = []
    for step in statement.steps { answers.append(try client.run(step.sql, statement.mode)) }
    if statement.isRolledBack { answers.append(try client.run("ROLLBACK", .simple)) }
    return answers
  }

  private func opened(_ begin: () throws -> ProofClient) throws -> ProofClient {
    let client = try begin()
    for sql in ["SET search_path = \(schema.name)", "SET statement_timeout = '10s'"] {
      if let message = try client.run(sql, .simple).message {
        throw GatewayFailure("the proof's session cannot be set up: \(message)")
      }
    }
    return client
  }

  // MARK: Looking

  private func find(_ answer: ProofAnswer) -> String? {
    for words in answer.words {
      if let form = finder.find(in: words) { return "\(form), in a message" }
    }
    if let form = finder.find(in: answer.copied) { return "\(form), in COPY" }
    for rows in answer.results {
      if let form = finder.find(inRows: rows) { return "\(form), in a result" }
    }
    return nil
  }

  /// Values that stand for nothing, in text and binary: equal on both sides by chance.
  private static func isNeutral(_ value: [UInt8]) -> Bool {
    // An empty array in binary is its dimensions, a flag and the type of its elements.
    value.count < 4 || value.allSatisfy { $0 == 0 || $0 == 0x30 || $0 == 0x2A }
      || value.count == 12 && value.prefix(8).allSatisfy { $0 == 0 }
  }

  private func compare(
    _ step: ProofStatement.Step, _ mine: ProofAnswer, _ theirs: ProofAnswer
  ) -> (leak: String?, excess: String?, isExposing: Bool) {
    var found: (leak: String?, excess: String?, isExposing: Bool) = (nil, nil, false)
    // Of what nothing is said, such as COPY's other forms, not even the rows can be told apart.
    guard step.isClean || step.columns != nil else { return found }
    for (own, other) in zip(mine.results + [mine.copiedRows], theirs.results + [theirs.copiedRows]) {
      if mine.code == nil, theirs.code == nil, own.count != other.count {
        found.excess = "\(own.count) rows instead of \(other.count)"
      }
      for column in 0..<(other.first?.count ?? 0) {
        guard let taint = step.taint(column), taint != .either else { continue }
        let values = (own.compactMap { column < $0.count ? $0[column] : nil }, other.compactMap { $0[column] })
        if taint == .masked {
          let told = Set(values.1.filter { !MaskTrial.isNeutral($0) })
          if !told.isEmpty { found.isExposing = true }
          if values.0.contains(where: told.contains) {
            found.leak = "a value made of a masked one, unmasked, in column \(column + 1)"
          }
        } else if mine.code == nil, theirs.code == nil, MaskTrial.sorted(values.0) != MaskTrial.sorted(values.1) {
          found.excess = "column \(column + 1) is changed"
        }
      }
    }
    return found
  }

  private static func sorted(_ values: [[UInt8]]) -> [[UInt8]] {
    values.sorted { $0.lexicographicallyPrecedes($1) }
  }
}

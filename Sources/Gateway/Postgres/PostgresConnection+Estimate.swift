import AccessModel
import NIOCore
import Postgres
import SQLAnalysis

/// How many rows commands would touch, asked of the backend where a rule depends on it (DECISIONS 4, 16).
extension PostgresConnection {
  /// Backends that one event loop asks at a time. Whoever comes beyond has no estimate, and so counts as touching many.
  private static let estimatesAtOnce = 16

  /// Decides the command by what is known, or asks and has the session come back with it.
  func estimateRows(of id: CommandID, _ command: Command, _ relay: Relay) throws(ProtocolError) {
    let path = relay.session.scope.names.path
    let known = relay.estimates.find(command, path, now: Clock.monotonic())
    let question = known == nil ? question(id, command, path, relay) : nil
    guard let question, state.estimating < PostgresConnection.estimatesAtOnce else {
      var command = command
      command.estimate = known ?? .none
      return try apply(relay.enforcer.admit(id, command), id, command, relay)
    }
    state.estimating += 1
    let bound = bound
    RowEstimator.estimate(question, at: relay.target, context: context, on: state.loop).whenComplete { result in
      let connection = bound.value
      connection.state.estimating -= 1
      let rows = (try? result.get()) ?? nil
      // Read anew: what names mean, or the policy, may have changed meanwhile; and the command may be gone.
      connection.act { relay throws(ProtocolError) in
        relay.estimates.add(command, path, rows.map { .rows($0) } ?? .none, now: Clock.monotonic())
        _ = try relay.session.reconsider(id)
      }
    }
  }

  private func question(
    _ id: CommandID, _ command: Command, _ path: SearchPath?, _ relay: Relay
  ) -> RowEstimator.Question? {
    guard command.isSelfContained else { return nil }
    return RowEstimator.Question(
      command.text, command.parameters, declaredTypes: relay.session.declaredTypes(of: id), effects: command.effects,
      command.footprint, path: path, account: relay.target.account.user)
  }
}

/// What a backend said of the statements that one session sent lately. It is an estimate, and so may be a little old.
struct KnownEstimates {
  private struct Entry {
    var facts: CommandFacts
    var parameters: [UInt8]
    var path: SearchPath?
    var estimate: RowEstimate
    /// µs on the monotonic clock.
    var at: Int64
  }
  private var entries: [Entry] = []
  private static let capacity = 16
  /// µs.
  private static let maxAge: Int64 = 60_000_000

  func find(_ command: Command, _ path: SearchPath?, now: Int64) -> RowEstimate? {
    entries.first {
      $0.facts.text == command.facts.text && $0.parameters == command.parameters.encoded && $0.path == path
        && $0.facts.shape.footprint == command.footprint && now - $0.at < KnownEstimates.maxAge
    }?.estimate
  }

  mutating func add(_ command: Command, _ path: SearchPath?, _ estimate: RowEstimate, now: Int64) {
    entries.removeAll { $0.facts.text == command.facts.text && $0.parameters == command.parameters.encoded }
    if entries.count >= KnownEstimates.capacity { entries.removeFirst() }
    entries.append(
      Entry(
        facts: command.facts, parameters: command.parameters.encoded, path: path, estimate: estimate, at: now))
  }
}

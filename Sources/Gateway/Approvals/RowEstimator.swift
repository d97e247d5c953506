import AccessModel
import Foundation
import NIOCore
import Postgres
import SQLAnalysis
import SallyportConfiguration

/// Asks a backend how many rows a statement would touch, over a connection of its own that can change nothing.
///
/// Planning runs immutable functions, so it is only asked where nothing that the statement names is a user's own code
/// (DECISIONS 16): in a read-only transaction, for a second at most, and without waiting for locks. What cannot be told is
/// told to nobody: there is no estimate then.
final class RowEstimator: StreamOwner {
  /// What is to be estimated.
  struct Question: Sendable {
    var text: String
    var declaredTypes: [UInt32]
    var parameters: Parameters
    var path: SearchPath
    /// Schemas and names.
    var relations: [(schema: String, name: String)]
    /// All words of the text, of which none may be a routine of a user's.
    var words: [String]
  }

  private let opening: BackendOpening
  private let question: Question
  private let promise: EventLoopPromise<Int64?>
  private var buffer = ByteBuffer()
  private var isReady = false
  private var isSafe = false
  private var hasAsked = false
  private var answer: Int64?
  private var deadline: Scheduled<Void>?

  private init(_ opening: BackendOpening, _ question: Question, _ promise: EventLoopPromise<Int64?>) {
    self.opening = opening
    self.question = question
    self.promise = promise
  }

  /// Rows, or nil when nothing can be said. The future fails with `DialFailure` when the backend cannot be asked.
  static func estimate(
    _ question: Question, at target: BackendTarget, context: GatewayContext, on reactor: Reactor
  ) -> EventLoopFuture<Int64?> {
    context.dialler.dial(target.settings.address, region: target.settings.region, on: reactor).flatMap { bound in
      let stream = bound.value
      let promise = reactor.makePromise(of: Int64?.self)
      let parameters: [StartupMessage.Parameter] = [
        .init("user", target.account.user), .init("database", target.database),
        .init("application_name", "sallyport estimate"), .init("search_path", "pg_catalog"),
        .init("client_encoding", "UTF8"), .init("default_transaction_read_only", "on"),
        .init("statement_timeout", "1000"), .init("lock_timeout", "100"),
      ]
      let estimator = RowEstimator(
        BackendOpening(target: target, parameters: parameters, keys: context.backendKeys, pool: context.pool), question,
        promise)
      stream.owner = estimator
      let both = NIOLoopBound((estimator, stream), eventLoop: reactor)
      estimator.deadline = reactor.scheduleTask(in: context.deadlines.catalog) { both.value.0.finish(both.value.1) }
      estimator.opening.start(stream)
      return promise.futureResult
    }
  }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    var bytes = bytes
    guard !isReady else {
      buffer.writeBuffer(&bytes)
      return take(stream)
    }
    opening.receive(bytes, stream) { step in
      switch step {
      case .failed: self.finish(stream)
      case .ready:
        self.isReady = true
        var query = ByteBuffer()
        QueryMessage(text: ByteBuffer(string: EstimateQuery.check(self.question))).encode(into: &query)
        self.ask(query, stream, under: ControlPermit(.estimate))
      }
    }
  }

  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) {}
  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) { finish(stream) }

  private func ask(_ message: ByteBuffer, _ stream: StreamSocket, under permit: consuming ControlPermit) {
    _ = consume permit
    stream.write(message)
    stream.flush()
  }

  private func take(_ stream: StreamSocket) {
    do {
      while let message = try CatalogMessage.take(from: &buffer) {
        switch message {
        case .row(let values):
          if hasAsked { answer = values.first.flatMap(EstimateQuery.rows) } else { isSafe = values.first == "t" }
        case .error: return finish(stream)
        case .other: break
        case .ready:
          guard isSafe, !hasAsked else { return finish(stream) }
          hasAsked = true
          ask(EstimateQuery.explain(question), stream, under: ControlPermit(.estimate))
        }
      }
    } catch { finish(stream) }
  }

  private func finish(_ stream: StreamSocket) {
    deadline?.cancel()
    promise.succeed(answer)
    stream.close()
  }
}

/// What is asked, in words of PostgreSQL's own schema.
enum EstimateQuery {
  /// `t` when planning the statement can run nothing but PostgreSQL's own code: its relations are tables without row
  /// security and without expressions in their indexes, none of its words is the name of a user's routine, and there are
  /// no operators and casts of users'. Sets the statement's search_path for the next question.
  static func check(_ question: RowEstimator.Question) -> String {
    let relations = question.relations.map { "(\(quoted($0.schema)), \(quoted($0.name)))" }.joined(separator: ", ")
    let words = question.words.map(quoted).joined(separator: ", ")
    let touched =
      "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
      + "WHERE (n.nspname, c.relname) IN (\(relations))"
    return """
      SELECT NOT EXISTS (SELECT 1 FROM \(touched) AND (c.relkind NOT IN ('r', 'p', 'S') OR c.relrowsecurity)) \
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) \
      AND i.indrelid >= 16384) \
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.proname IN (\(words))) \
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_operator o WHERE o.oid >= 16384) \
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_cast k WHERE k.oid >= 16384 AND k.castfunc <> 0) \
      AND pg_catalog.set_config('search_path', \(quoted(question.path.setting)), false) IS NOT NULL
      """
  }

  /// Parse, Bind, Execute and Sync of the unnamed statement (PostgreSQL 55.7): the values go as the client sent them.
  static func explain(_ question: RowEstimator.Question) -> ByteBuffer {
    var message = ByteBuffer()
    frame("P", into: &message) { body in
      body.writeString("\0EXPLAIN (FORMAT JSON) \(question.text)\0")
      body.writeInteger(UInt16(truncatingIfNeeded: question.declaredTypes.count))
      for type in question.declaredTypes { body.writeInteger(type) }
    }
    frame("B", into: &message) { body in
      body.writeString("\0\0")
      let values = question.parameters
      body.writeBytes(values.count == 0 ? [0, 0, 0, 0] : values.encoded)
      body.writeInteger(UInt16(0))
    }
    frame("E", into: &message) { body in
      body.writeString("\0")
      body.writeInteger(UInt32(0))
    }
    frame("S", into: &message) { _ in }
    return message
  }

  private static func frame(_ tag: Unicode.Scalar, into message: inout ByteBuffer, _ write: (inout ByteBuffer) -> Void)
  {
    var body = ByteBuffer()
    write(&body)
    message.writeInteger(UInt8(ascii: tag))
    message.writeInteger(UInt32(truncatingIfNeeded: body.readableBytes + 4))
    message.writeBuffer(&body)
  }

  /// The rows of a plan: what a statement reads, or what the plan under a change finds.
  static func rows(_ json: String) -> Int64? {
    guard let plans = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]],
      let top = plans.first?["Plan"] as? [String: Any]
    else { return nil }
    guard top["Node Type"] as? String == "ModifyTable" else { return number(top) }
    let under = (top["Plans"] as? [[String: Any]] ?? []).compactMap(number)
    return under.isEmpty ? nil : under.reduce(0, +)
  }

  private static func number(_ plan: [String: Any]) -> Int64? { (plan["Plan Rows"] as? NSNumber)?.int64Value }

  /// As a literal; `standard_conforming_strings` is on here, so that nothing but the quote counts.
  private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
}

extension RowEstimator.Question {
  private static let textLimit = 16 << 10

  /// nil where it is not safe to ask, or of no use.
  init?(_ request: ApprovalRequest) {
    guard request.isSelfContained else { return nil }
    self.init(
      request.text, request.parameters, declaredTypes: request.declaredTypes, effects: request.effects,
      request.footprint, path: request.path, account: request.account)
  }

  /// The same of a command that says by itself what it does.
  init?(
    _ text: String, _ parameters: Parameters, declaredTypes: [UInt32], effects: Effects, _ footprint: Footprint,
    path: SearchPath?, account: String
  ) {
    guard let path, path.user == account, parameters.isWhole, effects.isSubset(of: [.read, .write]),
      case .resources(let accesses) = footprint, !accesses.isEmpty, accesses.count <= 50,
      text.utf8.count <= Self.textLimit, !text.utf8.contains(0), let words = Self.words(text)
    else { return nil }
    var relations: [(String, String)] = []
    for access in accesses {
      guard access.resource.kind == .relation, access.resource.path.count == 2, let schema = access.resource.path[0],
        let name = access.resource.path[1]
      else { return nil }
      relations.append((schema, name))
    }
    self.init(
      text: text, declaredTypes: declaredTypes, parameters: parameters, path: path, relations: relations, words: words)
  }

  /// Every run of characters that a name can be made of, as it stands and folded; nil when names may be spelled by their
  /// code points (`U&"…"`), or there are too many.
  static func words(_ text: String) -> [String]? {
    guard !text.lowercased().contains("u&") else { return nil }
    var words: Set<String> = []
    for word in text.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "$" || !$0.isASCII) }) {
      words.insert(String(word))
      words.insert(word.lowercased())
    }
    // Quoted names may hold anything.
    for part in text.split(separator: "\"", omittingEmptySubsequences: false).dropFirst() { words.insert(String(part)) }
    return words.count <= 1_000 ? words.sorted() : nil
  }
}

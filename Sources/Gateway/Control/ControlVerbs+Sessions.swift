import AuditTrail
import Foundation
import NIOCore

/// Sessions: those that are open, those that were, what they did, and how one is ended.
extension ControlVerbs {
  /// µs that one look at the trail may take.
  private static let patience: Int64 = 20_000_000
  /// Records of one answer, and bytes after which it ends.
  private static let pageRecords = 5_000
  private static let pageBytes = 4 << 20
  private static let sessionLimit = 1_000

  private var history: SessionHistory {
    let end = Clock.monotonic() + ControlVerbs.patience
    return SessionHistory(directory: AuditDirectory.path(data: data), index: sessions?.index) {
      Clock.monotonic() > end
    }
  }

  /// `user`, `connection`, `since` and `until` (µs since 1970), `limit`.
  func listSessions(_ request: AuthorizedRequest) throws -> ControlResponse {
    func number(_ name: String, _ otherwise: Int64) throws -> Int64 {
      guard let text = request.arguments[name] else { return otherwise }
      guard let number = Int64(text) else { throw GatewayFailure("\(name) is no number") }
      return number
    }
    let filter = SessionHistory.Filter(
      user: request.arguments["user"], connection: request.arguments["connection"],
      since: try number("since", Clock.now() - 86_400_000_000), until: try number("until", .max))
    let limit = Int(clamping: min(max(1, try number("limit", 100)), Int64(ControlVerbs.sessionLimit)))
    let open = live.all.map(view).filter { session in
      (filter.user ?? session.user) == session.user && (filter.connection ?? session.connection) == session.connection
        && session.openedAt <= filter.until
    }
    let names = Set(open.map(\.session))
    let past = try search(history, { history throws(SessionHistory.Failure) in try history.list(filter, limit: limit) })
      .filter { !names.contains($0.session) }
    var response = ControlResponse()
    response.sessions = Array((open + past).prefix(limit))
    return response
  }

  /// A page of what the trail has of a session, as lines of JSON, with the results where the verb asks for them.
  func readSession(_ request: AuthorizedRequest, results: Bool) throws -> ControlResponse {
    let name = try request.argument("session")
    let history = history
    let place: SessionHistory.Place
    var response = ControlResponse()
    if let from = request.arguments["from"] {
      guard let known = SessionHistory.Place(from) else { throw GatewayFailure("the place is not understood") }
      place = known
    } else {
      guard let found = try search(history, { history throws(SessionHistory.Failure) in try history.find(name) })
      else { throw ControlVerbs.unknown(name) }
      place = found.place
    }
    var page = SessionPage(data: data, session: name, results: results)
    let next = try search(history) { history throws(SessionHistory.Failure) in
      try history.read(name, from: place) { record in
        guard page.lines.count < ControlVerbs.pageRecords, page.bytes < ControlVerbs.pageBytes else { return false }
        page.add(record)
        return true
      }
    }
    response.lines = page.lines
    response.next = next.map(\.description)
    return response
  }

  /// `session` and, as a record for everybody, `reason`.
  func killSession(_ request: AuthorizedRequest) throws -> ControlResponse {
    let name = try request.argument("session")
    let reason = request.arguments["reason"] ?? ""
    guard reason.count <= ControlVerbs.reasonLimit else {
      throw GatewayFailure("the reason is longer than \(ControlVerbs.reasonLimit) characters")
    }
    guard let entry = live.find(name) else { throw ControlVerbs.unknown(name) }
    let actor = request.actor.name
    guard try entry.kill(actor, reason) else {
      throw ControlVerbs.unknown(name)
    }
    return ControlResponse(message: "session \(name) of \(entry.facts.subject.user) is ended")
  }

  private static func unknown(_ name: String) -> GatewayFailure {
    GatewayFailure("there is no session \"\(name.prefix(40))\"", hint: "List them: sallyport sessions list.")
  }

  private func search<Answer>(
    _ history: SessionHistory, _ body: (SessionHistory) throws(SessionHistory.Failure) -> Answer
  ) throws -> Answer {
    do {
      return try body(history)
    } catch {
      throw GatewayFailure(error.reason, hint: "Ask for a shorter time, or check it with `sallyport audit verify`.")
    }
  }

  private func view(_ entry: LiveSessions.Entry) -> SessionHistory.Summary {
    let (facts, subject) = (entry.facts, entry.facts.subject)
    var summary = SessionHistory.Summary(
      session: facts.session, user: subject.user, connection: subject.connection, client: subject.clientAddress,
      application: facts.application.isEmpty ? nil : facts.application, database: facts.database,
      backend: facts.backendAddress, openedAt: entry.openedAt)
    summary.isLive = true
    return summary
  }
}

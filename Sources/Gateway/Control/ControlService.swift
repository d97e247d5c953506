import AuditTrail
import Enforcement
import Foundation
import NIOCore
import NIOPosix
import Store

/// Takes one request for a control verb from anywhere: who it is and whether they may, then the record, then the deed.
/// Lives on the event loop of its lane.
final class ControlService {
  /// How it went, beside what is said to whoever asked.
  enum Verdict: Sendable { case done, unknown, denied, failed }

  let verbs: ControlVerbs
  let lane: AuditLane
  let pool: NIOThreadPool

  init(verbs: ControlVerbs, lane: AuditLane, pool: NIOThreadPool) {
    self.verbs = verbs
    self.lane = lane
    self.pool = pool
  }

  /// Never fails: what goes wrong is in the answer.
  func answer(
    _ request: ControlRequest, from caller: ControlCaller, on loop: any EventLoop
  ) -> EventLoopFuture<(ControlResponse, Verdict)> {
    let verbs = verbs
    let bound = NIOLoopBound(self, eventLoop: loop)
    return pool.runIfActive(eventLoop: loop) {
      Result<AuthorizedRequest, ControlDenial> { () throws(ControlDenial) in
        try verbs.authorize(request, from: caller)
      }
    }
    .flatMap { bound.value.carryOut($0, request, caller, loop) }
    .flatMapErrorThrowing { (ControlService.response(to: $0), .failed) }
  }

  /// The record comes first: what cannot be recorded is not done, and what is refused is recorded as that.
  private func carryOut(
    _ authorized: Result<AuthorizedRequest, ControlDenial>, _ request: ControlRequest, _ caller: ControlCaller,
    _ loop: any EventLoop
  ) -> EventLoopFuture<(ControlResponse, Verdict)> {
    switch authorized {
    case .failure(let denial):
      noteRefusal(of: request, denial, caller)
      return loop.makeSucceededFuture(
        (ControlService.response(to: denial.failure), denial.isUnknown ? .unknown : .denied))
    case .success(let authorized):
      guard record(request, caller, by: authorized.actor) else {
        return loop.makeFailedFuture(GatewayFailure("the audit trail cannot be written"))
      }
      let verbs = verbs
      let bound = NIOLoopBound(self, eventLoop: loop)
      return pool.runIfActive(eventLoop: loop) { (try verbs.perform(authorized), .done) }
        .flatMapErrorThrowing { error in
          let failure = ControlService.response(to: error).error ?? ""
          bound.value.record(request, caller, by: authorized.actor, refused: failure)
          throw error
        }
    }
  }

  /// Whoever guesses tokens over the network has failed to sign in, and is counted as such when it comes in floods.
  private func noteRefusal(of request: ControlRequest, _ denial: ControlDenial, _ caller: ControlCaller) {
    guard let address = caller.address, denial.isUnknown else {
      record(request, caller, by: denial.actor, refused: denial.failure.message)
      return
    }
    let event = AuditEvent.authenticated(
      Authentication(
        user: "unknown", clientAddress: address, method: "token", succeeded: false,
        reason: "control verb \(request.verb.rawValue): \(denial.failure.message)"))
    _ = try? lane.append(event)
  }

  /// `refused` is why nothing came of it; nil before it is tried.
  @discardableResult
  private func record(
    _ request: ControlRequest, _ caller: ControlCaller, by actor: Actor, refused: String? = nil
  ) -> Bool {
    guard request.verb.isRecorded || refused != nil else { return true }
    let subject = [AuthorizedRequest.subject(request.arguments), caller.note].filter { !$0.isEmpty }
      .joined(separator: " ")
    let event = AuditEvent.administration(
      actor: actor.name, verb: request.verb.rawValue,
      subject: refused.map { "refused: \($0.prefix(200)); \(subject)" } ?? subject)
    do {
      try lane.append(event)
      return true
    } catch { return false }
  }

  private static func response(to error: any Error) -> ControlResponse {
    switch error {
    case let error as GatewayFailure: .failure(error.message, hint: error.hint)
    case let error as DeskRefusal: .failure(error.message, hint: error.hint)
    case let error as StoreError: .failure(error.message, hint: error.hint)
    case let error: .failure("\(error)")
    }
  }
}

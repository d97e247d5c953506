import Enforcement
import NIOConcurrencyHelpers
import NIOCore

/// A request for approval as the page of its link shows it: without values, whoever looks.
struct LinkedRequest: Sendable {
  var approval: ControlResponse.Approval
  var gateway: String
  /// Whom the link was made for; empty when a token has to be shown.
  var person: String
}

/// What comes of following a link to a request, or of deciding on its page.
enum LinkAnswer: Sendable {
  case request(LinkedRequest)
  /// It was never made, was used, or its request has ended: nobody is told which.
  case invalid
  /// From this address came too many that were.
  case tooMany
  case decided(message: String)
  /// The link is good, and whoever shows it may not do this.
  case refused(LinkedRequest, reason: String)
  /// The trail or the store cannot be written.
  case failed
}

/// Wrong links and tokens on their pages, by address. Safe from any thread.
final class LinkGuesses: Sendable {
  private let failures = NIOLockedValueBox(AddressFailures(limit: 20))

  func areTooMany(from address: String) -> Bool {
    failures.withLockedValue { $0.areTooMany(from: address, now: Clock.monotonic()) }
  }

  func note(_ address: String) { failures.withLockedValue { $0.note(address, now: Clock.monotonic()) } }
}

extension ControlVerbs {
  /// Blocks on the store.
  fileprivate func request(of link: String) -> (code: ApprovalCode, request: LinkedRequest)? {
    guard let code = try? desk.code(link), let pending = desk.opened(by: code) else { return nil }
    if !code.person.isEmpty {
      guard configuration.approvers(of: pending.row).contains(code.person),
        !pending.approvals.contains(where: { $0.person == code.person })
      else { return nil }
    }
    let view = view(of: pending, for: .remote(address: ""))
    return (code, LinkedRequest(approval: view, gateway: configuration.gateway.name, person: code.person))
  }

  /// A link that others could read on its way serves nobody any more.
  fileprivate func spoil(_ link: String) {
    if let code = try? desk.code(link) { try? desk.useCode(code) }
  }
}

/// Requests for approval that are looked at and decided by a link (`LinkExchange`): recorded like all control verbs.
extension ControlService {
  /// What a link leads to. Changes nothing: programs look at links, too.
  func open(_ link: String, from address: String, on loop: any EventLoop) -> EventLoopFuture<LinkAnswer> {
    look(at: link, from: address, on: loop).map { found in
      switch found {
      case .success(let found): .request(found.request)
      case .failure(let refusal): refusal.answer
      }
    }
  }

  /// A decision by whomever the link is for, or by whoever shows the token.
  func decide(
    _ decision: LinkDecision, on link: String, from address: String, on loop: any EventLoop
  ) -> EventLoopFuture<LinkAnswer> {
    let bound = NIOLoopBound(self, eventLoop: loop)
    return look(at: link, from: address, on: loop).flatMap { found in
      let service = bound.value
      let guesses = service.verbs.guesses
      switch found {
      case .failure(let refusal): return loop.makeSucceededFuture(refusal.answer)
      case .success(let found):
        // Tokens are tried here only so often; who has a link of their own has nothing to guess.
        if found.request.person.isEmpty, guesses.areTooMany(from: address) {
          return loop.makeSucceededFuture(.tooMany)
        }
        let arguments = ["id": "\(found.code.request)", "code": link, "reason": decision.reason]
        let request = ControlRequest(decision.verb, arguments, token: decision.token)
        return service.answer(request, from: .link(address: address), on: loop).map { response, verdict in
          if verdict == .unknown { guesses.note(address) }
          if verdict == .done { return .decided(message: response.message ?? "") }
          if response.error == ApprovalDesk.wrongCode.message { return .invalid }
          return .refused(found.request, reason: response.error ?? "this cannot be done")
        }
      }
    }
  }

  /// Somebody showed a link where others could read it.
  func exposed(_ link: String, from address: String, on loop: any EventLoop) {
    let verbs = verbs
    pool.runIfActive(eventLoop: loop) { verbs.spoil(link) }.whenComplete { _ in }
    noteWrongLink(from: address, "the link came over a connection that is not encrypted")
  }

  private struct LinkRefusal: Error { var answer: LinkAnswer }

  /// The record comes first: what cannot be recorded is not shown.
  private func look(
    at link: String, from address: String, on loop: any EventLoop
  ) -> EventLoopFuture<Result<(code: ApprovalCode, request: LinkedRequest), LinkRefusal>> {
    let verbs = verbs
    let bound = NIOLoopBound(self, eventLoop: loop)
    return pool.runIfActive(eventLoop: loop) { verbs.request(of: link) }.map { found in
      let service = bound.value
      guard let found else { return .failure(LinkRefusal(answer: service.refuse(from: address))) }
      let person = found.request.person
      let event = AuditEvent.administration(
        actor: person.isEmpty ? address : person, verb: "approvals.open",
        subject: "id=\(found.code.request) \(ControlCaller.link(address: address).note)")
      guard (try? service.lane.append(event)) != nil else { return .failure(LinkRefusal(answer: .failed)) }
      return .success(found)
    }
    .flatMapErrorThrowing { _ in .failure(LinkRefusal(answer: .failed)) }
  }

  private func refuse(from address: String) -> LinkAnswer {
    guard !verbs.guesses.areTooMany(from: address) else { return .tooMany }
    verbs.guesses.note(address)
    noteWrongLink(from: address, "the link is not valid")
    return .invalid
  }

  private func noteWrongLink(from address: String, _ reason: String) {
    _ = try? lane.append(
      .authenticated(
        Authentication(user: "unknown", clientAddress: address, method: "link", succeeded: false, reason: reason)))
  }
}

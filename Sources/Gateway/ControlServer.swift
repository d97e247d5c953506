import AuditTrail
import Enforcement
import Foundation
import Glibc
import NIOCore
import NIOPosix
import Store

/// What the kernel says of the process at the other end; laid out as `struct ucred` (unix(7), SO_PEERCRED).
private struct PeerCredentials: Sendable {
  var pid: Int32 = 0
  var uid: UInt32 = .max
  var gid: UInt32 = .max
}

/// Answers the control socket: one line of JSON in, one out. Who is at the other end is what the kernel says of the
/// process, and the token that it shows.
final class ControlHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let verbs: ControlVerbs
  private let lane: AuditLane
  private let pool: NIOThreadPool
  private var buffer = ByteBuffer()
  private var uid: UInt32?
  private var isBusy = false

  init(verbs: ControlVerbs, lane: AuditLane, pool: NIOThreadPool) {
    self.verbs = verbs
    self.lane = lane
    self.pool = pool
  }

  func channelActive(context: ChannelHandlerContext) {
    guard let channel = context.channel as? any SocketOptionProvider else { return context.close(promise: nil) }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let credentials: EventLoopFuture<PeerCredentials> = channel.unsafeGetSocketOption(
      level: .socket, name: .init(rawValue: SO_PEERCRED))
    credentials.whenComplete { result in
      let (handler, context) = bound.value
      guard case .success(let peer) = result, peer.uid != .max else { return context.close(promise: nil) }
      handler.uid = peer.uid
      handler.take(context)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    buffer.writeBuffer(&bytes)
    guard buffer.readableBytes <= ControlVerbs.lineLimit else { return context.close(promise: nil) }
    take(context)
  }

  private func take(_ context: ChannelHandlerContext) {
    guard let uid, !isBusy, let newline = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
      let line = buffer.readBytes(length: newline - buffer.readerIndex)
    else { return }
    buffer.moveReaderIndex(forwardBy: 1)
    guard let request = try? JSONDecoder().decode(ControlRequest.self, from: Data(line)) else {
      return answer(
        .failure("the request is not understood", hint: "Client and gateway may differ in version."), context)
    }
    isBusy = true
    let (verbs, isOperator) = (verbs, ControlHandler.isOperator(uid))
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    pool.runIfActive(eventLoop: context.eventLoop) {
      Result<AuthorizedRequest, ControlDenial> { () throws(ControlDenial) in
        try verbs.authorize(request, uid: uid, isOperator: isOperator)
      }
    }
    .flatMap { bound.value.0.carryOut($0, request, bound.value.1) }
    .whenComplete { result in
      let (handler, context) = bound.value
      handler.isBusy = false
      handler.answer(ControlHandler.response(result), context)
      handler.take(context)
    }
  }

  private static func isOperator(_ uid: UInt32) -> Bool { uid == geteuid() || uid == 0 }

  /// The record comes first: what cannot be recorded is not done, and what is refused is recorded as that.
  private func carryOut(
    _ authorized: Result<AuthorizedRequest, ControlDenial>, _ request: ControlRequest, _ context: ChannelHandlerContext
  ) -> EventLoopFuture<ControlResponse> {
    let loop = context.eventLoop
    switch authorized {
    case .failure(let denial):
      record(request, by: denial.actor, refused: denial.failure.message)
      return loop.makeFailedFuture(denial.failure)
    case .success(let authorized):
      guard record(request, by: authorized.actor) else {
        return loop.makeFailedFuture(GatewayFailure("the audit trail cannot be written"))
      }
      let verbs = verbs
      let bound = NIOLoopBound(self, eventLoop: loop)
      return pool.runIfActive(eventLoop: loop) { try verbs.perform(authorized) }
        .flatMapErrorThrowing { error in
          let failure = ControlHandler.response(.failure(error)).error ?? ""
          bound.value.record(request, by: authorized.actor, refused: failure)
          throw error
        }
    }
  }

  /// `refused` is why nothing came of it; nil before it is tried.
  @discardableResult
  private func record(_ request: ControlRequest, by actor: Actor, refused: String? = nil) -> Bool {
    guard request.verb.isRecorded || refused != nil else { return true }
    let subject = AuthorizedRequest.subject(request.arguments)
    let event = AuditEvent.administration(
      actor: actor.name, verb: request.verb.rawValue,
      subject: refused.map { "refused: \($0.prefix(200)); \(subject)" } ?? subject)
    do {
      try lane.append(event)
      return true
    } catch { return false }
  }

  private static func response(_ result: Result<ControlResponse, any Error>) -> ControlResponse {
    switch result {
    case .success(let response): response
    case .failure(let error as GatewayFailure): .failure(error.message, hint: error.hint)
    case .failure(let error as DeskRefusal): .failure(error.message, hint: error.hint)
    case .failure(let error as StoreError): .failure(error.message, hint: error.hint)
    case .failure(let error): .failure("\(error)")
    }
  }

  private func answer(_ response: ControlResponse, _ context: ChannelHandlerContext) {
    guard let data = try? JSONEncoder().encode(response) else { return context.close(promise: nil) }
    var line = ByteBuffer(bytes: data)
    line.writeInteger(UInt8(ascii: "\n"))
    context.writeAndFlush(wrapOutboundOut(line), promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

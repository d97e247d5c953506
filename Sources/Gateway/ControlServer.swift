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

/// Answers the control socket: one line of JSON in, one out, from processes of the gateway's own user or root.
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
      guard case .success(let peer) = result, peer.uid == geteuid() || peer.uid == 0 else {
        return context.close(promise: nil)
      }
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
    let verbs = verbs
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    pool.runIfActive(eventLoop: context.eventLoop) { try verbs.actor(of: request, uid: uid) }
      .flatMap { (actor: ControlVerbs.Actor) -> EventLoopFuture<ControlResponse> in
        let (handler, context) = bound.value
        // The record comes first: what cannot be recorded is not done.
        guard handler.record(request, by: actor) else {
          return context.eventLoop.makeFailedFuture(GatewayFailure("the audit trail cannot be written"))
        }
        return handler.pool.runIfActive(eventLoop: context.eventLoop) { try verbs.perform(request, by: actor) }
      }
      .whenComplete { result in
        let (handler, context) = bound.value
        handler.isBusy = false
        handler.answer(ControlHandler.response(result), context)
        handler.take(context)
      }
  }

  private func record(_ request: ControlRequest, by actor: ControlVerbs.Actor) -> Bool {
    guard request.verb.changes else { return true }
    let subject = request.arguments.sorted { $0.key < $1.key }
      .map { "\($0.key)=\($0.value.prefix(200))" }.joined(separator: " ")
    let event = AuditEvent.administration(actor: actor.name, verb: request.verb.rawValue, subject: subject)
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

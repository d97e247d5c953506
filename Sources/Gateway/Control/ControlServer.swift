import Foundation
import Glibc
import NIOCore
import NIOPosix
import SallyportConfiguration

/// What the kernel says of the process at the other end; laid out as `struct ucred` (unix(7), SO_PEERCRED).
private struct PeerCredentials: Sendable {
  var pid: Int32 = 0
  var uid: UInt32 = .max
  var gid: UInt32 = .max
}

/// Answers a control socket: one line of JSON in, one out. Who is at the other end is what the kernel says of the
/// process, and the token that it shows.
final class ControlHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let service: ControlService
  private var buffer = ByteBuffer()
  private var uid: UInt32?
  private var isBusy = false

  init(service: ControlService) { self.service = service }

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
      return answer(.notUnderstood, context)
    }
    isBusy = true
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    service.answer(
      request, from: .process(uid: uid, isOperator: uid == geteuid() || uid == 0), on: context.eventLoop
    ).whenSuccess { response, _ in
      let (handler, context) = bound.value
      handler.isBusy = false
      handler.answer(response, context)
      handler.take(context)
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

/// The listeners of the above.
enum ControlServer {
  /// Makes a socket and serves it. A socket that is left from a process that is gone is taken away.
  static func listen(
    _ path: String, mode: UInt16 = 0o600, group: String? = nil, _ loop: any EventLoopGroup,
    service: @escaping @Sendable () -> ControlService
  ) throws -> any Channel {
    var status = stat()
    if lstat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFSOCK else {
        throw GatewayFailure("could not open the control socket \(path): there is something else")
      }
      guard !ControlClient.answers(path) else {
        throw GatewayFailure("could not open the control socket \(path): another gateway answers there")
      }
      unlink(path)
    }
    let channel: any Channel
    do {
      channel = try ServerBootstrap(group: loop)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(ControlHandler(service: service()))
          }
        }
        .bind(unixDomainSocketPath: path).wait()
    } catch {
      throw GatewayFailure("could not open the control socket \(path): \(error)")
    }
    do {
      try share(path, mode, group)
      return channel
    } catch {
      try? channel.close().wait()
      throw error
    }
  }

  /// Until then nobody but the gateway's own account can connect, by what umask(2) leaves of a new socket's mode.
  private static func share(_ path: String, _ mode: UInt16, _ group: String?) throws {
    if let group {
      guard let number = PeerAccount.number(ofGroup: group) else {
        throw GatewayFailure("there is no group \"\(group)\"", hint: "Change gateway.listen.control.group.")
      }
      guard chown(path, .max, number) == 0 else {
        throw GatewayFailure(
          "could not give \(path) to group \(group): \(String(cString: strerror(errno)))",
          hint: "The gateway's account must be in that group.")
      }
    }
    guard chmod(path, mode_t(mode)) == 0 else {
      throw GatewayFailure("could not set the mode of \(path): \(String(cString: strerror(errno)))")
    }
  }
}

import NIOCore
import Postgres

/// A connection from a load balancer until its PROXY header is read: who is behind it, then the connection proper.
///
/// Whatever comes from an address of `gateway.proxy_protocol.from` must begin with the header; from anywhere else it is
/// never looked for, so that nobody can claim to be another.
final class ProxyPreamble: StreamOwner {
  private let context: GatewayContext
  private let state: LoopState
  private let stream: StreamSocket
  private var received = ByteBuffer()
  private var deadline: Scheduled<Void>?

  init(context: GatewayContext, state: LoopState, stream: StreamSocket) {
    self.context = context
    self.state = state
    self.stream = stream
  }

  func start() {
    stream.owner = self
    let bound = NIOLoopBound(self, eventLoop: state.loop)
    deadline = state.loop.scheduleTask(in: context.deadlines.login) {
      bound.value.refuse("no PROXY header came in time")
    }
  }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    received.writeImmutableBuffer(bytes)
    switch ProxyHeader.read(received.readableBytesView) {
    case .incomplete: break
    case .malformed(let reason): refuse(reason)
    case .unchanged(let length): handOn(behind: length, from: stream.peer)
    case .client(let address, let length): handOn(behind: length, from: address)
    }
  }

  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) {}

  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    deadline?.cancel()
    context.endLogin()
  }

  /// The connection goes to whoever serves it; `length` bytes were the header's.
  private func handOn(behind length: Int, from address: SocketAddress?) {
    deadline?.cancel()
    received.moveReaderIndex(forwardBy: length)
    let connection = PostgresConnection(context: context, state: state, client: stream, from: address)
    connection.start()
    if received.readableBytes > 0 { connection.streamRead(stream, received) }
  }

  private func refuse(_ reason: String) {
    deadline?.cancel()
    context.logger.warning(
      "connection refused", metadata: ["reason": "\(reason)", "address": "\(stream.peer?.ipAddress ?? "?")"])
    stream.close()
    context.endLogin()
  }
}

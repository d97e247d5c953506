import Glibc
import NIOCore

/// What the SSH connections of one reactor share: the host key that they show, and room to move data through.
final class SSHGate {
  let bind: SSHBind
  /// Bytes are only in here within one call.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 16)

  init(_ hostKey: SSHHostKey) throws { bind = try SSHBind(hostKey) }

  deinit { scratch.deallocate() }
}

/// The listener for SSH and the reactors behind it.
enum SSHListener {
  /// Reactors for SSH beside those for PostgreSQL: a handshake takes some milliseconds, which keystrokes of others on the
  /// same one wait for.
  static let reactorLimit = 2

  /// Listens where the configuration says; the first reactor accepts, and all of them serve in turn.
  static func listen(
    _ context: GatewayContext, _ hostKey: SSHHostKey, _ states: [NIOLoopBound<LoopState>]
  ) throws -> (NIOLoopBound<StreamListener>, SocketAddress)? {
    guard let endpoint = context.configuration.gateway.listenSSH, let first = states.first else { return nil }
    for state in states {
      try state.eventLoop.submit { state.value.gate = try SSHGate(hostKey) }.wait()
    }
    do {
      let (descriptor, address) = try SocketCalls.listen(
        on: try SocketAddress.makeAddressResolvingHost(endpoint.host, port: Int(endpoint.port)))
      let listener = try first.eventLoop.submit {
        var turn = 0
        let listener = StreamListener(descriptor, on: first.value.loop) { descriptor, peer in
          turn = (turn + 1) % states.count
          serve(descriptor, peer, context, states[turn])
        }
        guard let listener else { throw GatewayFailure("could not listen on \(address)") }
        return NIOLoopBound(listener, eventLoop: first.eventLoop)
      }.wait()
      return (listener, address)
    } catch let failure as GatewayFailure {
      throw failure
    } catch {
      throw GatewayFailure(
        "could not listen on \(endpoint): \(error)", hint: "Choose another address under gateway.listen.ssh.")
    }
  }

  private static func serve(
    _ descriptor: Int32, _ peer: SocketAddress?, _ context: GatewayContext, _ state: NIOLoopBound<LoopState>
  ) {
    guard context.beginLogin() else {
      _ = Glibc.close(descriptor)
      return
    }
    state.eventLoop.execute {
      guard let gate = state.value.gate, !context.isDraining else {
        _ = Glibc.close(descriptor)
        return context.endLogin()
      }
      SSHConnection(
        context: context, state: state.value, gate: gate, clientAddress: peer?.ipAddress ?? "local", outer: nil
      ).start(descriptor, gate.bind)
    }
  }
}

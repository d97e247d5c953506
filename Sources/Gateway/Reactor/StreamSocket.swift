import CEpoll
import Glibc
import NIOCore
import NIOSSL

/// Whoever a stream belongs to, as the stream sees it. Called on the reactor's thread.
protocol StreamOwner: AnyObject {
  /// Bytes came, decrypted if there is TLS.
  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer)
  /// The TLS handshake is done; with what ALPN agreed on.
  func streamEncrypted(_ stream: StreamSocket, _ applicationProtocol: String?)
  /// What came at once has all been passed on.
  func streamReadCompleted(_ stream: StreamSocket)
  /// What waited to be written is gone, so that more may be.
  func streamDrained(_ stream: StreamSocket)
  /// The peer closed (nil) or the connection broke; the stream is closed. Not called after `close`.
  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?)
}

extension StreamOwner {
  func streamEncrypted(_ stream: StreamSocket, _ applicationProtocol: String?) {}
}

/// A connected TCP socket on a reactor, perhaps with TLS: bytes in and out, with back-pressure both ways.
final class StreamSocket: Polled, Closable {
  let reactor: Reactor
  let peer: SocketAddress?
  /// Let go of when the stream closes, so that the two do not keep each other.
  var owner: (any StreamOwner)?
  private(set) var tls: TLSLayer?
  private(set) var isOpen = true

  private let descriptor: Int32
  /// What waits to be sent, encrypted if there is TLS.
  private var pending: [ByteBuffer] = []
  private var pendingBytes = 0
  private var interest: UInt32
  private var isReading = true
  /// The other side may not be read until this one has drained.
  private var isFull = false
  /// The output ends once all is sent.
  private var isFinishing = false
  private var isOutputClosed = false

  /// Above the first, `isWritable` turns false; below the second, true again. In bytes.
  private static let highWater = 64 << 10
  private static let lowWater = 32 << 10
  /// Buffers of together at most this many bytes are joined for one system call.
  private static let joinLimit = 16 << 10

  private static let input = EPOLLIN.rawValue
  private static let output = EPOLLOUT.rawValue
  private static let hangUp = EPOLLRDHUP.rawValue

  /// Takes over a connected, non-blocking socket. nil when the reactor cannot watch it: it is closed then.
  init?(_ descriptor: Int32, peer: SocketAddress?, on reactor: Reactor) {
    self.descriptor = descriptor
    self.peer = peer
    self.reactor = reactor
    interest = StreamSocket.input | StreamSocket.hangUp
    SocketCalls.sendAtOnce(descriptor)
    guard reactor.register(descriptor, self, interest) else {
      Glibc.close(descriptor)
      return nil
    }
  }

  // MARK: Reading

  /// Whether more is to be read; what has come already is passed on in any case.
  func setReading(_ isWanted: Bool) {
    guard isReading != isWanted else { return }
    isReading = isWanted
    updateInterest()
  }

  func ready(_ events: UInt32) {
    if events & StreamSocket.output != 0 { send() }
    guard isOpen else { return }
    if isReading {
      if events & ~StreamSocket.output != 0 { _ = readOnce() }
    } else if events & ~StreamSocket.output != 0 {
      // The peer is gone, while nobody wants to read: what it had sent is passed on, then that it is gone.
      while isOpen, readOnce() {}
    }
  }

  /// Returns false when there was nothing to read.
  private func readOnce() -> Bool {
    var count = 0
    var code: Int32 = 0
    reactor.withReadBuffer { buffer in
      count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Reactor.readSize) { bytes in
        let read = recv(descriptor, bytes.baseAddress, Reactor.readSize, 0)
        if read < 0 { code = errno }
        return Swift.max(0, read)
      }
      if count > 0 { received(buffer) }
    }
    if count > 0 { return true }
    switch code {
    case 0: end(nil)
    case EAGAIN, EINTR: break
    case _: end(IOError(errnoCode: code, reason: "read"))
    }
    return false
  }

  private func received(_ bytes: ByteBuffer) {
    guard let tls else {
      owner?.streamRead(self, bytes)
      owner?.streamReadCompleted(self)
      return
    }
    do {
      let isAtEnd = try tls.receive(
        bytes, established: { owner?.streamEncrypted(self, $0) }, plain: { owner?.streamRead(self, $0) })
      // The handshake, or an alert.
      flush()
      owner?.streamReadCompleted(self)
      if isAtEnd, isOpen { end(nil) }
    } catch {
      flush()
      end(error)
    }
  }

  // MARK: Writing

  /// False while so much waits to be sent that whoever feeds this stream should stop.
  var isWritable: Bool { !isFull }

  /// Puts bytes behind what waits; `flush` sends them.
  func write(_ bytes: ByteBuffer) {
    guard isOpen, !isFinishing, bytes.readableBytes > 0 else { return }
    guard let tls else { return enqueue(bytes) }
    do {
      try tls.write(bytes)
    } catch { end(error) }
  }

  /// Sends what the kernel takes now; the rest goes as room comes.
  func flush() {
    guard isOpen else { return }
    if let tls { while let bytes = tls.takeOutput() { enqueue(bytes) } }
    if !pending.isEmpty, interest & StreamSocket.output == 0 { send() }
  }

  private func enqueue(_ bytes: ByteBuffer) {
    pendingBytes += bytes.readableBytes
    if pendingBytes > StreamSocket.highWater { isFull = true }
    pending.append(bytes)
  }

  private func send() {
    join()
    var sent = 0
    var code: Int32 = 0
    while sent < pending.count {
      let wanted = pending[sent].readableBytes
      let count = transmit(pending[sent])
      if count < 0 { code = errno } else { pendingBytes -= count }
      guard count == wanted else {
        if count > 0 { pending[sent].moveReaderIndex(forwardBy: count) }
        if code == 0 || code == EINTR { continue }
        break
      }
      sent += 1
    }
    if sent == pending.count {
      if sent == 1 { pending.removeLast() } else { pending.removeAll(keepingCapacity: sent <= 8) }
    } else {
      pending.removeFirst(sent)
    }
    if code != 0, code != EAGAIN, code != EINTR { return end(IOError(errnoCode: code, reason: "write")) }
    sentSome()
  }

  private func transmit(_ bytes: ByteBuffer) -> Int {
    bytes.withUnsafeReadableBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  private func sentSome() {
    updateInterest()
    if pending.isEmpty, isFinishing { closeOutput() }
    if isFull, pendingBytes < StreamSocket.lowWater {
      isFull = false
      owner?.streamDrained(self)
    }
  }

  /// Several small buffers become one, for one system call and one packet.
  private func join() {
    guard pending.count > 1, pendingBytes <= StreamSocket.joinLimit else { return }
    var joined = ByteBufferAllocator().buffer(capacity: pendingBytes)
    for bytes in pending { joined.writeImmutableBuffer(bytes) }
    pending.removeAll(keepingCapacity: true)
    pending.append(joined)
  }

  private func updateInterest() {
    var wanted = StreamSocket.hangUp
    if isReading { wanted |= StreamSocket.input }
    if !pending.isEmpty { wanted |= StreamSocket.output }
    guard wanted != interest, isOpen else { return }
    interest = wanted
    reactor.modify(descriptor, wanted)
  }

  // MARK: TLS

  /// Everything from here on is encrypted. `early` is what has been read already and belongs to TLS.
  func startTLS(_ side: TLSLayer.Side, early: ByteBuffer = ByteBuffer()) throws {
    tls = try TLSLayer(side, peer: peer)
    flush()
    if early.readableBytes > 0 { received(early) }
  }

  // MARK: Ends

  /// Sends what waits and then says that no more comes; what the peer sends is still read.
  func finish() {
    guard isOpen, !isFinishing else { return }
    flush()
    isFinishing = true
    if let tls {
      tls.close()
      flush()
    }
    if isOpen, pending.isEmpty { closeOutput() }
  }

  private func closeOutput() {
    guard isOpen, !isOutputClosed else { return }
    isOutputClosed = true
    shutdown(descriptor, Int32(SHUT_WR))
  }

  /// Closes at once; what waits is not sent, and the owner is not told.
  func close() {
    guard isOpen else { return }
    isOpen = false
    reactor.forget(descriptor)
    Glibc.close(descriptor)
    pending.removeAll()
    pendingBytes = 0
    tls = nil
    owner = nil
  }

  /// Hands the descriptor over to whoever drives it from now on. nil when something was read into it or waits to be sent.
  func release() -> Int32? {
    guard isOpen, pending.isEmpty, tls == nil else { return nil }
    isOpen = false
    reactor.forget(descriptor)
    owner = nil
    return descriptor
  }

  private func end(_ failure: (any Error)?) {
    guard isOpen else { return }
    let owner = owner
    close()
    owner?.streamEnded(self, failure)
  }
}

import CEpoll
import Glibc
import NIOCore

/// System calls on sockets, with their errors.
enum SocketCalls {
  /// A socket for this kind of address; non-blocking, and not inherited.
  static func make(for address: SocketAddress) throws -> Int32 {
    let family =
      switch address {
      case .v4: AF_INET
      case .v6: AF_INET6
      case .unixDomainSocket: AF_UNIX
      }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
    return descriptor
  }

  /// Small messages are not held back for more (Nagle).
  static func sendAtOnce(_ descriptor: Int32) {
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Listens on a numeric address. Returns the descriptor and the address with the port that the system chose for 0.
  static func listen(on address: SocketAddress) throws -> (Int32, SocketAddress) {
    let descriptor = try make(for: address)
    do {
      var one: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
      let isBound = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0
      guard isBound, Glibc.listen(descriptor, 1024) == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      _ = withUnsafeMutableBytes(of: &storage) {
        getsockname(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
      }
      return (descriptor, socketAddress(storage) ?? address)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// The next connection that waits, non-blocking; nil when none does.
  static func accept(_ listener: Int32) throws -> (Int32, SocketAddress?)? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let descriptor = withUnsafeMutableBytes(of: &storage) {
      Glibc.accept(listener, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
    }
    if descriptor >= 0 {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      return (descriptor, socketAddress(storage))
    }
    switch errno {
    case EAGAIN, EINTR, ECONNABORTED: return nil
    case let code: throw IOError(errnoCode: code, reason: "accept")
    }
  }

  /// Begins to connect. Returns true when it is done already.
  static func connect(_ descriptor: Int32, to address: SocketAddress) throws -> Bool {
    let result = address.withSockAddr { Glibc.connect(descriptor, $0, socklen_t($1)) }
    if result == 0 { return true }
    guard errno == EINPROGRESS else { throw IOError(errnoCode: errno, reason: "connect") }
    return false
  }

  /// What became of a connection that was begun: throws when it failed.
  static func checkConnected(_ descriptor: Int32) throws {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) != 0 { code = errno }
    if code != 0 { throw IOError(errnoCode: code, reason: "connect") }
  }

  private static func socketAddress(_ storage: sockaddr_storage) -> SocketAddress? {
    withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.ss_family) {
      case AF_INET: SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self))
      case AF_INET6: SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
      case _: nil
      }
    }
  }
}

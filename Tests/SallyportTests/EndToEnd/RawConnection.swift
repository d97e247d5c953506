import Foundation
import Glibc

/// A TCP connection to loopback, for bytes that no client library would send. Every wait has a deadline.
final class RawConnection {
  private var descriptor: Int32

  init(port: Int, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TestFailure("no socket: \(String(cString: strerror(errno)))") }
    if var size = receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      let code = errno
      close(descriptor)
      throw TestFailure("no connection to port \(port): \(String(cString: strerror(code)))")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// A port on which nothing listens.
  static func closedPort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
      }
    }
    guard result == 0 else { throw TestFailure("no port is free") }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// Sends all; false when the other side is gone.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Is gone with a reset, as when its machine loses power and comes back.
  func vanish() {
    var now = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    close(descriptor)
    descriptor = -1
  }

  /// Says that no more comes, and goes on reading.
  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// What has come, up to `limit` bytes; empty at the end of the stream. Throws when nothing comes in time.
  func receive(limit: Int = 65_536, within seconds: Double = 10) throws -> [UInt8] {
    var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&ready, 1, Int32(seconds * 1000)) == 1 else { throw TestFailure("nothing came in \(seconds) s") }
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = recv(descriptor, &buffer, limit, 0)
    return count > 0 ? Array(buffer[..<count]) : []
  }

  /// Everything up to the end of the stream, which must come in time.
  func receiveToEnd(within seconds: Double = 10) throws -> [UInt8] {
    let end = monotonicSeconds() + seconds
    var all: [UInt8] = []
    while true {
      let more = try receive(within: max(0.01, end - monotonicSeconds()))
      if more.isEmpty { return all }
      all += more
    }
  }
}

/// Messages of PostgreSQL's protocol, as bytes.
enum ClientFrame {
  static func length(_ value: Int32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

  static func startup(_ parameters: [(String, String)]) -> [UInt8] {
    var body = length(196_608)
    for (name, value) in parameters { body += Array(name.utf8) + [0] + Array(value.utf8) + [0] }
    body.append(0)
    return length(Int32(body.count + 4)) + body
  }

  static func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] {
    [type.asciiValue ?? 0] + length(Int32(body.count + 4)) + body
  }

  static func query(_ text: String) -> [UInt8] { message("Q", Array(text.utf8) + [0]) }
  static func password(_ text: String) -> [UInt8] { message("p", Array(text.utf8) + [0]) }
  static let sslRequest = length(8) + length(80_877_103)
  static func cancel(process: Int32, secret: Int32) -> [UInt8] {
    length(16) + length(80_877_102) + length(process) + length(secret)
  }
}

extension RawConnection {
  /// Signs in a user of `auth: token` and waits for the first ReadyForQuery.
  func signIn(_ user: String, _ token: String, database: String = "shop") throws {
    send(ClientFrame.startup([("user", user), ("database", database)]))
    var seen: [UInt8] = []
    var isSent = false
    let end = monotonicSeconds() + 20
    while monotonicSeconds() < end {
      let more = try receive(within: 20)
      guard !more.isEmpty else { break }
      seen += more
      if !isSent, seen.first == UInt8(ascii: "R") {
        isSent = true
        send(ClientFrame.password(token))
      }
      if seen.suffix(6).starts(with: [UInt8(ascii: "Z"), 0, 0, 0, 5]) { return }
    }
    throw TestFailure("no sign-in: \(String(decoding: seen.suffix(300), as: UTF8.self))")
  }
}

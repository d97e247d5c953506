import AccessModel
import Foundation
import Glibc

/// One TCP connection to or from the gateway, with a deadline on every wait.
final class WireConnection: @unchecked Sendable {
  private let descriptor: Int32
  private var input: [UInt8] = []

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  func finish() { shutdown(descriptor, Int32(SHUT_RDWR)) }

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

  /// Reads more; false at the end of the stream, and when nothing comes in time.
  private func fill() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    guard count > 0 else { return false }
    input += chunk[..<count]
    return true
  }

  func nextFrame() -> WireFrame? {
    while true {
      if let frame = WireFrame(prefixOf: input) {
        input.removeFirst(frame.bytes.count)
        return frame
      }
      guard fill() else { return nil }
    }
  }

  /// Whether something comes in this time; nothing is taken.
  func hasInput(withinMilliseconds limit: Int32) -> Bool {
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return !input.isEmpty || poll(&event, 1, limit) > 0
  }

  /// A packet without a type byte, as connections begin with.
  func nextPacket() -> [UInt8]? {
    while true {
      if input.count >= 4 {
        let length = input[..<4].reduce(0) { $0 << 8 | Int($1) }
        if length >= 8, input.count >= length {
          defer { input.removeFirst(length) }
          return Array(input[..<length])
        }
      }
      guard fill() else { return nil }
    }
  }
}

/// A scripted stand-in for PostgreSQL on loopback: it signs anybody in, answers the catalogue look-up from the
/// transcript, and hands each session's connection over to the test.
final class ScriptedBackend: @unchecked Sendable {
  let port: Int
  private let listener: Int32
  private let relations: [Transcript.Relation]
  private let lock = NSCondition()
  private var sessions: [WireConnection] = []
  private var cancels = 0

  init(relations: [Transcript.Relation]) throws {
    self.relations = relations
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = listener
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0 ? getsockname(descriptor, $0, &length) : -1
      }
    }
    guard result == 0 else { throw TranscriptMistake("the stand-in for the backend cannot listen") }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [self] in
      while true {
        let accepted = accept(descriptor, nil, nil)
        guard accepted >= 0 else { return }
        let connection = WireConnection(accepted)
        Thread.detachNewThread { [self] in greet(connection) }
      }
    }
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  /// The session that the gateway opened for the client.
  func session() throws -> WireConnection {
    lock.lock()
    defer { lock.unlock() }
    let end = Date(timeIntervalSinceNow: 10)
    while sessions.isEmpty {
      guard lock.wait(until: end) else { throw TranscriptMistake("the gateway did not come to the backend") }
    }
    return sessions.removeFirst()
  }

  private func greet(_ connection: WireConnection) {
    guard let packet = connection.nextPacket() else { return }
    // A CancelRequest is answered by closing.
    if packet.count == 16, Array(packet[4..<8]) == WireFrame.integer(Int32(80_877_102)) { return }
    let lines = [
      "Raw R \"\\x00\\x00\\x00\\x00\"", "ParameterStatus \"client_encoding\" \"UTF8\"",
      "ParameterStatus \"standard_conforming_strings\" \"on\"",
      "Raw K \"\\x00\\x00\\x10\\x01\\x00\\x00\\x00\\x07\"", "ReadyForQuery I",
    ]
    connection.send(lines.flatMap { (try? WireFrame($0, from: .backend).bytes) ?? [] })
    guard String(decoding: packet, as: UTF8.self).contains("sallyport catalog") else {
      lock.lock()
      sessions.append(connection)
      lock.broadcast()
      lock.unlock()
      return
    }
    answerCatalog(connection)
  }

  private func answerCatalog(_ connection: WireConnection) {
    guard connection.nextFrame()?.tag == UInt8(ascii: "Q") else { return }
    var lines: [String] = []
    for relation in relations {
      lines.append("DataRow \"R\" \"\(relation.oid)\" \"\(relation.schema)\" \"\(relation.name)\"")
      for (index, column) in relation.columns.enumerated() {
        lines.append("DataRow \"A\" \"\(relation.oid)\" \"\(index + 1)\" \"\(column)\" \"25\" \"-1\" \"0\"")
      }
    }
    lines += ["CommandComplete \"SELECT\"", "ReadyForQuery I"]
    connection.send(lines.flatMap { (try? WireFrame($0, from: .backend).bytes) ?? [] })
    _ = connection.nextFrame()
  }
}

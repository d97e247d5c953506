import Foundation
import Glibc
import MaskProof
import NIOCore
import Postgres

/// What came back for one statement, with nothing left out that a person could read.
struct ProofAnswer {
  /// Rows of each result, in order.
  var results: [[[[UInt8]?]]] = []
  /// Errors, notices, notifications, settings, tags and names of columns, as bytes.
  var words: [[UInt8]] = []
  var copied: [UInt8] = []
  var code: String?
  var message: String?
  /// Why, where it was the gateway that refused it.
  var detail: String?

  /// What was copied as text, read as rows.
  var copiedRows: [[[UInt8]?]] {
    copied.split(separator: UInt8(ascii: "\n")).map { line in
      line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
        .map { Array($0) == Array("\\N".utf8) ? nil : Array($0) }
    }
  }

  /// What failed, in words for a report.
  var reason: String? {
    message.map { message in
      guard isRefused, let detail else { return message }
      return "\(message): \(detail)"
    }
  }

  /// Whether it was the gateway that refused it, by a rule.
  var isRefused: Bool { code == "42501" && (message?.contains("by rule ") ?? false) || code == "54001" }
}

/// A PostgreSQL client of the proof's own: every byte that comes is kept. Blocks; one statement at a time.
final class ProofClient {
  private let descriptor: Int32
  private var buffer = ByteBuffer()
  /// What one statement may bring, and how long each read may take.
  private static let answerLimit = 64 << 20
  private static let timeout = 30

  /// Signs in over loopback with a token. Throws `GatewayFailure`.
  init(_ address: SocketAddress, user: String, token: String, database: String) throws {
    descriptor = try ProofClient.connect(address)
    var body: [UInt8] = [0, 3, 0, 0]
    for text in ["user", user, "database", database, "client_encoding", "UTF8"] { body += Array(text.utf8) + [0] }
    try send(ProofClient.length(body.count + 5) + body + [0])
    while true {
      let (tag, body) = try next()
      switch tag {
      case UInt8(ascii: "R") where body.getInteger(at: body.readerIndex, as: Int32.self) == 3:
        try send(ProofClient.frame("p", Array(token.utf8) + [0]))
      case UInt8(ascii: "E"):
        guard case .errorResponse(let fields) = try BackendMessage.decode(tag: tag, body) else { continue }
        throw GatewayFailure("no session: \(fields[ErrorFields.message] ?? "the gateway gave no reason")")
      case UInt8(ascii: "Z"): return
      case _: continue
      }
    }
  }

  deinit { close(descriptor) }

  /// Sends a statement and reads all that comes of it.
  func run(_ sql: String, _ mode: ProofStatement.Mode) throws -> ProofAnswer {
    var answer = ProofAnswer()
    let text = Array(sql.utf8) + [0]
    guard mode != .simple, mode != .joined else {
      try send(ProofClient.frame("Q", mode == .simple ? text : Array("\(sql); SELECT 1".utf8) + [0]))
      try take(into: &answer)
      return answer
    }
    let format: [UInt8] = mode == .binary ? [0, 1, 0, 1] : [0, 0]
    let execution =
      ProofClient.frame("B", [0, 0, 0, 0, 0, 0] + format)
      + (mode == .portal ? ProofClient.frame("E", [0, 0, 0, 0, 2]) : []) + ProofClient.frame("E", [0, 0, 0, 0, 0])
      + ProofClient.frame("S", [])
    try send(
      ProofClient.frame("P", [0] + text + [0, 0]) + ProofClient.frame("D", [UInt8(ascii: "S"), 0]) + execution)
    try take(into: &answer)
    // Once more, without asking again what comes.
    if answer.code == nil {
      try send(execution)
      try take(into: &answer)
    }
    return answer
  }

  private func take(into answer: inout ProofAnswer) throws {
    var size = 0
    var hasDescription = false
    while true {
      let (tag, body) = try next()
      size += body.readableBytes
      guard size <= ProofClient.answerLimit else { throw GatewayFailure("an answer is longer than 64 MiB") }
      switch tag {
      case UInt8(ascii: "T"):
        answer.results.append([])
        hasDescription = true
        answer.words.append(Array(body.readableBytesView))
      case UInt8(ascii: "D"):
        guard case .dataRow(let row) = try BackendMessage.decode(tag: tag, body) else { continue }
        if !hasDescription {
          answer.results.append([])
          hasDescription = true
        }
        answer.results[answer.results.count - 1].append(row.values.map { $0.map { Array($0.readableBytesView) } })
      case UInt8(ascii: "C"):
        hasDescription = false
        answer.words.append(Array(body.readableBytesView))
      case UInt8(ascii: "d"): answer.copied += Array(body.readableBytesView)
      case UInt8(ascii: "G"): try send(ProofClient.frame("f", Array("none".utf8) + [0]))
      case UInt8(ascii: "E"):
        answer.words.append(Array(body.readableBytesView))
        guard case .errorResponse(let fields) = try BackendMessage.decode(tag: tag, body) else { continue }
        answer.code = answer.code ?? fields[ErrorFields.sqlState]
        if answer.message == nil {
          answer.message = fields[ErrorFields.message]
          answer.detail = fields[ErrorFields.detail]
        }
      case UInt8(ascii: "Z"): return
      case _: answer.words.append(Array(body.readableBytesView))
      }
    }
  }

  // MARK: Bytes

  private func next() throws -> (UInt8, ByteBuffer) {
    while true {
      if buffer.readableBytes >= 5, let tag = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self),
        let length = buffer.getInteger(at: buffer.readerIndex + 1, as: Int32.self)
      {
        guard length >= 4 else { throw GatewayFailure("a message is malformed") }
        if buffer.readableBytes > Int(length) {
          buffer.moveReaderIndex(forwardBy: 5)
          return (tag, buffer.readSlice(length: Int(length) - 4) ?? ByteBuffer())
        }
      }
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      guard count > 0 else {
        throw GatewayFailure(count == 0 ? "the session was ended" : "nothing came in \(ProofClient.timeout) s")
      }
      buffer.discardReadBytes()
      buffer.writeBytes(chunk[..<count])
    }
  }

  private func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { throw GatewayFailure("the session was ended") }
      rest = rest.dropFirst(count)
    }
  }

  private static func connect(_ address: SocketAddress) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw GatewayFailure("could not open a socket") }
    var limit = timeval(tv_sec: timeout, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    SocketCalls.sendAtOnce(descriptor)
    guard address.withSockAddr({ Glibc.connect(descriptor, $0, socklen_t($1)) }) == 0 else {
      let reason = String(cString: strerror(errno))
      close(descriptor)
      throw GatewayFailure("could not connect to \(address): \(reason)")
    }
    return descriptor
  }

  private static func length(_ count: Int) -> [UInt8] {
    withUnsafeBytes(of: Int32(truncatingIfNeeded: count).bigEndian) { Array($0) }
  }

  private static func frame(_ tag: Unicode.Scalar, _ body: [UInt8]) -> [UInt8] {
    [UInt8(ascii: tag)] + length(body.count + 4) + body
  }
}

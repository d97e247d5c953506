import Foundation
import Glibc

/// Asks a running gateway over its control socket. Blocks; for the command line.
public enum ControlClient {
  /// How long an answer may take, in seconds.
  private static let timeout = 30

  /// Where the socket of a data folder is.
  public static func socketPath(data: String) -> String { data + "/control.sock" }

  public static func send(_ request: ControlRequest, socket path: String) throws -> ControlResponse {
    let descriptor = try connect(path)
    defer { close(descriptor) }
    var line = try JSONEncoder().encode(request)
    line.append(UInt8(ascii: "\n"))
    try write(line, to: descriptor)
    return try JSONDecoder().decode(ControlResponse.self, from: try readLine(from: descriptor))
  }

  /// Whether somebody listens there.
  static func answers(_ path: String) -> Bool {
    guard let descriptor = try? connect(path) else { return false }
    close(descriptor)
    return true
  }

  private static func connect(_ path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw GatewayFailure("could not open a socket") }
    var limit = timeval(tv_sec: timeout, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      close(descriptor)
      throw GatewayFailure("the path of the control socket is too long: \(path)")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      let reason = String(cString: strerror(errno))
      close(descriptor)
      throw GatewayFailure(
        "no gateway answers at \(path): \(reason)",
        hint: "Start it with `sallyport serve`, or name its data folder with --data.")
    }
    return descriptor
  }

  private static func write(_ data: Data, to descriptor: Int32) throws {
    var rest = Array(data)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard written > 0 else { throw GatewayFailure("the gateway closed the control socket") }
      rest = rest.dropFirst(written)
    }
  }

  private static func readLine(from descriptor: Int32) throws -> Data {
    var line = Data()
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while line.last != UInt8(ascii: "\n") {
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0, line.count < 64 << 20 else {
        throw GatewayFailure("the gateway gave no answer", hint: "Its log may say why.")
      }
      line.append(contentsOf: chunk[..<count])
    }
    return line
  }
}

import AsyncHTTPClient
import Foundation
import NIOCore
import SallyportConfiguration

/// Heads of an audit trail that somebody keeps behind an address, such as what a checkpoint's webhook was sent.
public enum RemoteHeads {
  /// Bytes that are read at most.
  public static let limit = 16 << 20
  private static let patience = TimeAmount.seconds(10)

  /// What is behind an address. Blocks; for a command. Throws `GatewayFailure`.
  ///
  /// Certificates are checked; what is not encrypted is only taken from this machine. Redirects are not followed.
  public static func fetch(_ address: String) throws -> [UInt8] {
    guard let url = URL(string: address), let host = url.host else {
      throw GatewayFailure("\"\(address)\" is not an address", hint: "Write it like https://host/path.")
    }
    guard url.scheme == "https" || Endpoint.isThisMachine(host) else {
      throw GatewayFailure(
        "what \"\(address)\" says is not encrypted, so anybody on the way can change it", hint: "Use https:// instead.")
    }
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout = .init(connect: patience, read: patience)
    configuration.connectionPool.retryConnectionEstablishment = false
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    defer { try? client.syncShutdown() }
    do {
      let request = try HTTPClient.Request(url: address, headers: ["user-agent": "sallyport"])
      let answer = try client.execute(
        request: request, delegate: ResponseAccumulator(request: request, maxBodySize: limit),
        deadline: .now() + patience
      ).wait()
      guard answer.status == .ok else { throw GatewayFailure("it answered \(answer.status.code)") }
      return answer.body.map { Array($0.readableBytesView) } ?? []
    } catch {
      throw GatewayFailure(
        "could not read \(host): \(error)", hint: "Fetch it yourself, and give it by --head FILE or --head -.")
    }
  }
}

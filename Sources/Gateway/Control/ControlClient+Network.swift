import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
import SallyportConfiguration

extension ControlClient {
  /// The longest answer, in bytes.
  private static let answerLimit = 64 << 20

  /// Asks a gateway over the network, by the token in the request. Blocks; for the command line. Throws `GatewayFailure`.
  ///
  /// - Parameters:
  ///   - gateway: `https://host:port`, the console's address; `http://` only to this machine, so that no token travels in
  ///     the clear.
  ///   - authority: a file of certificates, as `ca export` prints it, that the gateway's must be signed by; nil: the
  ///     system's.
  public static func send(
    _ request: ControlRequest, gateway: String, authority: String?
  ) throws -> ControlResponse {
    guard let token = request.token, !token.isEmpty else {
      throw GatewayFailure(
        "a gateway over the network needs a token",
        hint: "Put your own into the environment variable SALLYPORT_TOKEN.")
    }
    let (address, host) = try endpoint(gateway)
    var request = request
    request.token = nil
    let body = try JSONEncoder().encode(request)
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try configuration(authority))
    defer { try? client.syncShutdown() }
    do {
      let post = try HTTPClient.Request(
        url: address, method: .POST,
        headers: [
          "authorization": "Bearer \(token)", "content-type": "application/json", "user-agent": "sallyport",
        ], body: .bytes(body))
      let answer = try client.execute(
        request: post, delegate: ResponseAccumulator(request: post, maxBodySize: answerLimit),
        deadline: .now() + .seconds(30)
      ).wait()
      guard let bytes = answer.body,
        let response = try? JSONDecoder().decode(ControlResponse.self, from: Data(bytes.readableBytesView))
      else { throw GatewayFailure("it answered \(answer.status.code), as a gateway does not") }
      return response
    } catch let failure as GatewayFailure {
      throw GatewayFailure("\(host): \(failure.message)", hint: "Give the address of gateway.listen.console.")
    } catch {
      throw GatewayFailure(
        "\(host) cannot be reached: \(error)",
        hint: "Check the address; a certificate of the gateway's own authority takes --ca (sallyport ca export).")
    }
  }

  /// Where to post to, and how to call it.
  private static func endpoint(_ gateway: String) throws -> (address: String, host: String) {
    guard let url = URL(string: gateway), let host = url.host, ["https", "http"].contains(url.scheme),
      url.path.isEmpty || url.path == "/", url.query == nil, url.user == nil
    else {
      throw GatewayFailure("\"\(gateway)\" is not the address of a gateway", hint: "Write it like https://host:8443.")
    }
    guard url.scheme == "https" || Endpoint.isThisMachine(host) else {
      throw GatewayFailure("\(host) would get the token in the clear", hint: "Use https:// instead.")
    }
    return ((gateway.hasSuffix("/") ? String(gateway.dropLast()) : gateway) + ControlExchange.path, host)
  }

  private static func configuration(_ authority: String?) throws -> HTTPClient.Configuration {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.httpVersion = .http1Only
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.timeout = .init(connect: .seconds(10))
    guard let authority else { return configuration }
    guard let certificates = try? NIOSSLCertificate.fromPEMFile(authority), !certificates.isEmpty else {
      throw GatewayFailure("\(authority) holds no certificate", hint: "Write it with `sallyport ca export`.")
    }
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .certificates(certificates)
    configuration.tlsConfiguration = tls
    return configuration
  }
}

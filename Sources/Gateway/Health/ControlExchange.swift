import Foundation
import NIOCore
import NIOHTTP1

/// `POST /control` on the console's listener: the same verbs as on the control socket, as JSON, by a token in
/// `Authorization: Bearer`. Collects one body, and says what to answer.
struct ControlExchange {
  static let path = "/control"
  /// Where the request comes from: the numeric address.
  let address: String
  /// The token travels where others could read it.
  let isExposed: Bool
  private let token: String?
  private var body = ByteBuffer()

  init(_ head: HTTPRequestHead, address: String, isExposed: Bool) {
    self.address = address
    self.isExposed = isExposed
    let words = head.headers["authorization"].first?.split(separator: " ", maxSplits: 1) ?? []
    token = words.count == 2 && words[0].lowercased() == "bearer" ? String(words[1]) : nil
  }

  /// False when that is more than a request can be.
  mutating func take(_ part: ByteBuffer) -> Bool {
    guard body.readableBytes + part.readableBytes <= ControlVerbs.lineLimit else { return false }
    body.writeImmutableBuffer(part)
    return true
  }

  /// What it asks for; or why nothing is done, with the status for that.
  func request() -> Result<ControlRequest, Refusal> {
    if isExposed {
      return .failure(
        Refusal(
          status: .forbidden,
          response: .failure(
            "tokens are not taken over a connection that is not encrypted",
            hint: "Use https://, and revoke the token that was just sent: others could read it.")))
    }
    guard var request = try? JSONDecoder().decode(ControlRequest.self, from: Data(body.readableBytesView)) else {
      return .failure(Refusal(status: .badRequest, response: .notUnderstood))
    }
    request.token = token
    return .success(request)
  }

  struct Refusal: Error {
    var status: HTTPResponseStatus
    var response: ControlResponse
  }
}

extension ControlService.Verdict {
  var status: HTTPResponseStatus {
    switch self {
    case .done: .ok
    case .unknown: .unauthorized
    case .denied: .forbidden
    case .failed: .badRequest
    }
  }
}

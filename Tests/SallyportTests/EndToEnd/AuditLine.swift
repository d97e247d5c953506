import Foundation

/// One record, as `audit tail --json` prints it; only what the tests look at.
struct AuditLine: Decodable {
  var lane: String
  var sequence: UInt64
  var event: String
  var session: String?
  var command: UInt64?
  var action: String?
  var rule: String?
  var assurance: String?
  var reason: String?
  var stage: String?
  var effects: [String]?
  var text: String?
  var ending: String?
  var tag: String?
  var error: String?
  var rows: Int?
  var user: String?
  var step: String?
  var person: String?
  var request: Int64?
  var connection: String?
  var succeeded: Bool?
  var verb: String?
  var actor: String?
  var subject: String?
  var approvers: [String]?
  var masked: [String]?
  var shadow: [String]?
  var wouldMask: [String]?
  var purpose: String?
  var policy: String?
  var trigger: String?
  var previous: String?
  var changes: [String]?
  var notes: [String]?
  var count: Int?
  var inPlace: Int?
}

extension GatewayProcess {
  /// All records of the trail; those of one lane are in their order.
  func records() throws -> [AuditLine] {
    let end = try command("audit", "tail", "--json", "-n", "100000", within: 60)
    guard end.status == 0 else { throw TestFailure("audit tail: \(end.errors)") }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try end.output.split(separator: "\n").map { try decoder.decode(AuditLine.self, from: Data($0.utf8)) }
  }
}

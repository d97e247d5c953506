import Crypto
import Enforcement
import Foundation

/// Where one lane stood when it was sealed.
public struct LaneStanding: Hashable, Sendable, Codable {
  public var lane: String
  /// The segment that was being written, or for a closed segment that segment; 0 before the first.
  public var segment: UInt64
  /// Its last record; 0 without one.
  public var sequence: UInt64
  /// Of an open lane the hash of that record, empty without one. Of a closed segment the link that the next continues.
  public var hash: String

  public init(lane: String, segment: UInt64, sequence: UInt64, hash: String) {
    self.lane = lane
    self.segment = segment
    self.sequence = sequence
    self.hash = hash
  }

  public var head: AuditHead { AuditHead(lane: lane, sequence: sequence, hash: hash) }
}

/// One signed statement of how far a trail went: the heads of all its lanes, or the end of a segment that was closed.
///
/// Seals are lines of JSON that form a chain of their own, so that none can be taken out of the middle.
public struct Seal: Hashable, Sendable {
  public enum Content: Hashable, Sendable {
    /// Every lane that there is, joined: a lane that is missing later was taken away.
    case heads([LaneStanding])
    /// One closed segment.
    case segment(LaneStanding)
  }
  /// Counts from 1.
  public var number: UInt64
  /// When it was made, ISO 8601 in UTC.
  public var time: String
  public var gateway: String
  /// SHA-256 of the line before in lower-case hex; zeros for the first.
  public var previous: String
  /// The fingerprint of the key.
  public var key: String
  public var content: Content
  /// The line as it is stored, without its end.
  public var line: String

  static let format = "sallyport-seal-1"
  /// No line is longer, in bytes.
  static let lineLimit = 1 << 16
  static let firstPrevious = String(repeating: "0", count: 64)
  private static let separator = ",\"signature\":\""

  /// SHA-256 of the line, lower-case hex: what the next seal continues.
  public var hash: String { Array(SHA256.hash(data: Array(line.utf8))).hex }

  /// Makes and signs one.
  init(number: UInt64, time: Int64, gateway: String, previous: String, content: Content, key: SealKey) {
    self.number = number
    self.time = AuditFormatter.time(time)
    self.gateway = gateway
    self.previous = previous
    self.key = key.publicKey.fingerprint
    self.content = content
    var writer = JSONWriter()
    writer.raw("{\"format\":")
    writer.string(Seal.format)
    writer.field("number", number)
    writer.field("time", self.time)
    writer.field("gateway", gateway, limit: 256)
    writer.field("previous", previous)
    writer.field("key", self.key)
    switch content {
    case .heads(let heads):
      writer.key("heads")
      writer.raw("[")
      for (index, head) in heads.enumerated() {
        if index > 0 { writer.raw(",") }
        Seal.write(head, to: &writer)
      }
      writer.raw("]")
    case .segment(let segment):
      writer.key("segment")
      Seal.write(segment, to: &writer)
    }
    let statement = writer.bytes
    let signature = Data(key.signature(of: statement + [UInt8(ascii: "}")])).base64EncodedString()
    line = String(decoding: statement, as: UTF8.self) + "\(Seal.separator)\(signature)\"}"
  }

  private static func write(_ standing: LaneStanding, to writer: inout JSONWriter) {
    writer.raw("{\"lane\":")
    writer.string(standing.lane)
    writer.field("segment", standing.segment)
    writer.field("sequence", standing.sequence)
    writer.field("hash", standing.hash)
    writer.raw("}")
  }

  /// Reads a line; nil when it is no seal. Its signature is not looked at: see `isSigned`.
  public init?(line: String) {
    struct Fields: Decodable {
      var format: String
      var number: UInt64
      var time: String
      var gateway: String
      var previous: String
      var key: String
      var heads: [LaneStanding]?
      var segment: LaneStanding?
    }
    guard line.utf8.count <= Seal.lineLimit,
      let fields = try? JSONDecoder().decode(Fields.self, from: Data(line.utf8)), fields.format == Seal.format
    else { return nil }
    switch (fields.heads, fields.segment) {
    case (let heads?, nil): content = .heads(heads)
    case (nil, let segment?): content = .segment(segment)
    case _: return nil
    }
    number = fields.number
    time = fields.time
    gateway = fields.gateway
    previous = fields.previous
    key = fields.key
    self.line = line
  }

  /// Whether the line is what the holder of the key signed.
  ///
  /// What is signed is the object without its member `signature`, which comes last.
  public func isSigned(by publicKey: SealPublicKey) -> Bool {
    guard let place = line.range(of: Seal.separator, options: .backwards), line.hasSuffix("\"}"),
      let end = line.index(line.endIndex, offsetBy: -2, limitedBy: place.upperBound),
      let signature = Data(base64Encoded: String(line[place.upperBound..<end]))
    else { return false }
    return publicKey.hasSigned(Array(line[..<place.lowerBound].utf8) + [UInt8(ascii: "}")], Array(signature))
  }
}

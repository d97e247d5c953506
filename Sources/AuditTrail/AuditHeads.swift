import Enforcement
import Foundation
import Glibc

extension AuditHead {
  /// `LANE:SEQUENCE:HASH`, as it is printed and kept.
  public var text: String { "\(lane):\(sequence):\(hash)" }

  /// Reads that back; nil when it is none.
  public init?(text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, AuditDirectory.isLaneName(parts[0]), let sequence = UInt64(parts[1]),
      parts[2].utf8.count == (sequence == 0 ? 0 : 64), parts[2].allSatisfy(\.isHexDigit)
    else { return nil }
    self.init(lane: parts[0], sequence: sequence, hash: parts[2].lowercased())
  }

  /// The heads of a trail's lanes now; reads the newest segments only.
  ///
  /// - Parameter trail: `<data>/audit`. A gateway may be writing to it.
  public static func read(trail: String) throws -> [AuditHead] {
    try Files.lanes(in: trail).map { lane in
      var numbers = try Files.segments(in: "\(trail)/\(lane)")
      while let number = numbers.popLast() {
        guard
          let reader = try SegmentReader.open(
            lanePath: "\(trail)/\(lane)", lane: lane, number: number, checksUnused: false, expands: false)
        else { continue }
        var last: AuditRecord?
        while let record = try reader.next() { last = record }
        if let last { return AuditHead(lane: lane, sequence: last.sequence, hash: last.hash.hex) }
      }
      return AuditHead(lane: lane, sequence: 0, hash: "")
    }
  }
}

extension Seal {
  /// The last seal of a trail; nil without any. Checked is only that it is one.
  public static func newest(trail: String) throws(AuditFailure) -> Seal? {
    KeptHeads(text: try KeptHeads.end(of: SealLog.path(trail)))?.seal
  }
}

/// Heads that were kept elsewhere: lines `LANE:SEQUENCE:HASH`, or seals, of which the last counts.
public struct KeptHeads: Sendable {
  public private(set) var heads: [AuditHead] = []
  public private(set) var seal: Seal?
  /// Of a file this much is read, from its end.
  private static let limit = 1 << 20

  /// Reads a file of checkpoints. Throws when it is not there or holds nothing of the kind.
  public init(file: String) throws(AuditFailure) {
    guard let kept = KeptHeads(text: try KeptHeads.end(of: file)) else {
      throw AuditFailure("\"\(file)\" holds neither seals nor lines like LANE:SEQUENCE:HASH")
    }
    self = kept
  }

  /// Reads text; nil when nothing of the kind is in it. A line that is not finished at the end is passed over: the
  /// writer may have died in it.
  public init?(text: String) {
    for line in text.split(separator: "\n") {
      if let head = AuditHead(text: line.trimmingCharacters(in: .whitespaces)) {
        heads.append(head)
      } else if line.hasPrefix("{"), let found = Seal(line: String(line)) {
        seal = found
      }
    }
    if seal == nil && heads.isEmpty { return nil }
  }

  static func end(of file: String) throws(AuditFailure) -> String {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT, file.hasSuffix("seals.jsonl") { return "" }
      throw Files.failure("open", file)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Files.failure("read", file) }
    let start = max(0, Int(status.st_size) - limit)
    return String(decoding: try Files.read(descriptor, at: start, count: limit), as: UTF8.self)
  }
}

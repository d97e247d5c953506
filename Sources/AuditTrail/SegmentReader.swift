import Enforcement
import Glibc

/// Where a trail is not what was written, and in what way.
public struct AuditFault: Error, Hashable, Sendable {
  public var lane: String
  /// 0 when the fault is not in one segment.
  public var segment: UInt64
  /// The sequence number of the first record that cannot be relied on, when known.
  public var sequence: UInt64?
  /// Bytes from the start of the segment.
  public var offset: Int?
  /// Lower case, without a full stop.
  public var reason: String

  public init(lane: String, segment: UInt64, sequence: UInt64? = nil, offset: Int? = nil, reason: String) {
    self.lane = lane
    self.segment = segment
    self.sequence = sequence
    self.offset = offset
    self.reason = reason
  }
}

extension AuditFault: CustomStringConvertible {
  public var description: String {
    var place = "lane \(lane)"
    if segment > 0 { place += ", segment \(segment)" }
    if let sequence { place += ", record \(sequence)" }
    if let offset { place += ", offset \(offset)" }
    return "\(place): \(reason)"
  }
}

/// One record as it was read, its hash checked.
public struct AuditRecord: Hashable, Sendable {
  public var lane: String
  public var segment: UInt64
  /// Bytes from the start of the segment.
  public var offset: Int
  /// Counts the records of the lane from 1.
  public var sequence: UInt64
  /// µs since 1970; never less than that of the record before.
  public var time: Int64
  /// One JSON object in UTF-8, with all members: what the stored one leaves out is there.
  public var payload: [UInt8]
  /// Over the link to the record before, sequence number, time and the payload as it is stored; see `ChainHash`.
  public var hash: [UInt8]
}

/// Reads one segment from front to back and checks each record against the chain.
///
/// The segment may be growing: `next` returns nil at what is committed so far and can be called again.
final class SegmentReader {
  let lane: String
  let number: UInt64
  let header: SegmentHeader
  private let descriptor: Int32
  private(set) var offset = SegmentFormat.headerSize
  /// The hash of the last record read, or of the header.
  private(set) var link: [UInt8]
  /// The sequence number of the next record.
  private(set) var sequence: UInt64
  private(set) var time: Int64
  /// nil for segments whose records stand as they are, and for readers that do not look into them.
  private var expansion: PayloadExpansion?
  private var window: [UInt8] = []
  private var windowStart = 0
  private static let windowSize = 256 << 10

  /// Opens a segment; nil when it is prepared and not yet in use.
  static func open(
    lanePath: String, lane: String, number: UInt64, checksUnused: Bool, expands: Bool = true
  ) throws(AuditFault) -> SegmentReader? {
    let path = "\(lanePath)/\(SegmentFormat.fileName(number))"
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      throw AuditFault(lane: lane, segment: number, reason: Files.failure("open", path).message)
    }
    do throws(AuditFault) {
      return try SegmentReader(
        descriptor, lane: lane, number: number, checksUnused: checksUnused, expands: expands)
    } catch {
      close(descriptor)
      throw error
    }
  }

  private init?(
    _ descriptor: Int32, lane: String, number: UInt64, checksUnused: Bool, expands: Bool
  ) throws(AuditFault) {
    func fault(_ reason: String) -> AuditFault {
      AuditFault(lane: lane, segment: number, offset: 0, reason: reason)
    }
    func start() throws(AuditFault) -> (bytes: [UInt8], isUnused: Bool) {
      do throws(AuditFailure) {
        let bytes = try Files.read(descriptor, at: 0, count: SegmentFormat.headerSize)
        return (bytes, bytes.count == SegmentFormat.headerSize && bytes.integer(UInt64.self, at: 0) == 0)
      } catch {
        throw fault(error.message)
      }
    }
    var (bytes, isUnused) = try start()
    if isUnused, checksUnused, !(try Self.isZero(descriptor, from: SegmentFormat.headerSize, fault)) {
      // It may have come into use between the two looks.
      (bytes, isUnused) = try start()
      if isUnused { throw fault("the segment has content and no header") }
    }
    if isUnused {
      close(descriptor)
      return nil
    }
    do throws(SegmentHeader.Damage) {
      header = try SegmentHeader(decoding: bytes)
    } catch {
      throw fault(error.reason)
    }
    guard header.number == number, header.lane == lane else { throw fault("the header names another segment") }
    self.lane = lane
    self.number = number
    self.descriptor = descriptor
    link = Array(bytes.suffix(SegmentFormat.hashSize))
    sequence = header.firstSequence
    time = header.createdAt
    expansion = expands && header.version >= PayloadExpansion.firstVersion ? PayloadExpansion() : nil
  }

  deinit { close(descriptor) }

  /// The next committed record, or nil when there is none yet.
  func next() throws(AuditFault) -> AuditRecord? {
    // What was read before may be old: what looks uncommitted is read again before it is believed.
    if let record = try record() { return record }
    window = []
    return try record()
  }

  private func record() throws(AuditFault) -> AuditRecord? {
    guard let head = try bytes(at: offset, count: 8), window.integer(UInt32.self, at: head.lowerBound + 4) != 0
    else { return nil }
    guard window.integer(UInt32.self, at: head.lowerBound + 4) == SegmentFormat.committed else {
      throw fault("the commit word is damaged")
    }
    // From here on it is a record or a fault, never nil: else a check would wait for the rest of a file cut short.
    let length = Int(window.integer(UInt32.self, at: head.lowerBound))
    let size = SegmentFormat.recordSize(payload: length)
    guard length <= SegmentFormat.payloadLimit, let range = try bytes(at: offset, count: size) else {
      throw fault("the record is longer than its segment")
    }
    let content = range.lowerBound + 8
    let payload = (range.lowerBound + SegmentFormat.recordHeaderSize)..<(range.lowerBound + 24 + length)
    let stored = (range.upperBound - SegmentFormat.hashSize)..<range.upperBound
    let hash = SegmentFormat.link(
      link, sequenceTimeAndPayload: window[content..<payload.upperBound], version: header.version)
    guard hash.elementsEqual(window[stored]) else {
      throw fault("the hash does not fit the record and those before it")
    }
    guard window[payload.upperBound..<stored.lowerBound].allSatisfy({ $0 == 0 }) else {
      throw fault("the filling behind the payload is damaged")
    }
    let sequence = window.integer(UInt64.self, at: content)
    let time = window.integer(Int64.self, at: content + 8)
    guard sequence == self.sequence else { throw fault("the sequence number is \(sequence)") }
    guard time >= self.time else { throw fault("the time is before that of the record before") }
    guard let expanded = expand(Array(window[payload]), of: sequence) else {
      throw fault("it names a record that does not hold what it leaves out")
    }
    defer {
      offset += size
      link = hash
      self.sequence &+= 1
      self.time = time
    }
    return AuditRecord(
      lane: lane, segment: number, offset: offset, sequence: sequence, time: time, payload: expanded, hash: hash)
  }

  /// Hops over the records from here to the end of what is committed and shows each as it is stored, unchecked, with its
  /// time, as long as `visit` returns true. What no longer looks like a record ends it.
  func skim(_ visit: (Int64, RecordFront) -> Bool) throws(AuditFault) {
    while let head = try bytes(at: offset, count: SegmentFormat.recordHeaderSize),
      window.integer(UInt32.self, at: head.lowerBound + 4) == SegmentFormat.committed
    {
      let length = Int(window.integer(UInt32.self, at: head.lowerBound))
      let size = SegmentFormat.recordSize(payload: length)
      let time = window.integer(Int64.self, at: head.lowerBound + 16)
      guard length <= SegmentFormat.payloadLimit, let range = try bytes(at: offset, count: size) else { return }
      let start = range.lowerBound + SegmentFormat.recordHeaderSize
      guard visit(time, RecordFront(bytes: window[start..<(start + length)])) else { return }
      offset += size
    }
  }

  private func expand(_ payload: [UInt8], of sequence: UInt64) -> [UInt8]? {
    guard expansion != nil else { return payload }
    return expansion?.expand(payload, of: sequence, at: offset)
  }

  /// How a segment ends.
  enum End: Equatable {
    /// Nothing follows the last record.
    case clean
    /// One record was begun and not committed.
    case unfinished
    /// Records were committed since `next` returned nil.
    case grown
  }

  /// Checks what follows the last record: nothing, or one unfinished record.
  func checkEnd() throws(AuditFault) -> End {
    // A writer may be at work: a fault is one only if it stays when nothing was committed meanwhile.
    for attempt in 0..<2 {
      window = []
      let head = try bytes(at: offset, count: 8)
      if let head, window.integer(UInt32.self, at: head.lowerBound + 4) != 0 { return .grown }
      let length = head.map { Int(window.integer(UInt32.self, at: $0.lowerBound)) } ?? 0
      let size = length == 0 ? 0 : SegmentFormat.recordSize(payload: length)
      if try Self.isZero(descriptor, from: offset + size, fault) { return length == 0 ? .clean : .unfinished }
      if attempt == 1 { break }
    }
    throw fault("bytes follow a record that was not committed")
  }

  private func fault(_ reason: String) -> AuditFault {
    AuditFault(lane: lane, segment: number, sequence: sequence, offset: offset, reason: reason)
  }

  /// Where in the window these bytes of the file are; nil when the file ends before.
  private func bytes(at offset: Int, count: Int) throws(AuditFault) -> Range<Int>? {
    if offset < windowStart || offset + count > windowStart + window.count {
      do throws(AuditFailure) {
        window = try Files.read(descriptor, at: offset, count: Swift.max(count, Self.windowSize))
        windowStart = offset
      } catch {
        throw fault(error.message)
      }
    }
    let start = offset - windowStart
    return window.count - start >= count ? start..<(start + count) : nil
  }

  private static func isZero(
    _ descriptor: Int32, from start: Int, _ fault: (String) -> AuditFault
  ) throws(AuditFault) -> Bool {
    var offset = start
    while true {
      do throws(AuditFailure) {
        let bytes = try Files.read(descriptor, at: offset, count: windowSize)
        if bytes.isEmpty { return true }
        guard bytes.allSatisfy({ $0 == 0 }) else { return false }
        offset += bytes.count
      } catch {
        throw fault(error.message)
      }
    }
  }
}

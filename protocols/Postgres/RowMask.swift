import AccessModel
import Detection
import NIOCore

/// How to rewrite the rows of one result: which columns, by which mask, in which type and format.
struct RowMask: Hashable, Sendable {
  /// What becomes of the values of one column.
  enum Column: Hashable, Sendable {
    case pass
    /// The same for each: length and bytes as a row has them.
    case constant([UInt8])
    /// The same for each, NULL too.
    case concealed([UInt8])
    case partial(PartialMask)
    case hash(KeyedHash)
    case token(TokenMask)
    case bucket(BucketMask)
    /// What detectors find in it is hidden.
    case content(SpanMask)
    /// The same, where it shows less than the column's own mask, which holds otherwise.
    indirect case guarded(SpanMask, Column)
  }
  var columns: [Column]
  /// Names of the masked columns, for the audit trail.
  var names: [String]
  /// Names of all columns, where detectors look at some.
  private var allNames: [String] = []

  /// Columns in which detectors found something; one bit each, the last for all from there on.
  struct Found {
    private var bits: UInt64 = 0
    var isEmpty: Bool { bits == 0 }
    mutating func insert(_ column: Int) { bits |= 1 << UInt64(min(column, 63)) }
    func contains(_ column: Int) -> Bool { bits >> UInt64(min(column, 63)) & 1 != 0 }
  }

  func names(of found: Found) -> [String] {
    allNames.indices.filter { found.contains($0) }.map { allNames[$0] }
  }
  /// Bytes that a row may grow by, where each column passes, becomes the same value, or keeps its length; nil where others
  /// are among them.
  private var growth: Int? = 0

  /// nil for a plan that changes nothing.
  ///
  /// - Parameter contents: what detectors look for in all columns.
  init?(plan: MaskPlan, description: RowDescription, key: MaskKey, contents: ContentMasks? = nil) {
    columns = []
    names = []
    switch plan {
    case .identity: columns = description.columns.map { _ in .pass }
    case .columns(let masks):
      for (index, column) in description.columns.enumerated() {
        // A plan shorter than the row would leave values open: what it does not name is nulled.
        guard let mask = index < masks.count ? masks[index] : .null else {
          columns.append(.pass)
          continue
        }
        names.append(String(buffer: column.name))
        columns.append(Column(mask, column, key))
      }
    }
    if let contents { look(for: contents, plan, description, key) }
    if columns.allSatisfy({ $0 == .pass }) { return nil }
    for column in columns {
      switch column {
      case .pass, .partial: break
      case .constant(let value), .concealed(let value): growth = growth.map { $0 + value.count }
      case .hash, .token, .bucket, .content, .guarded: growth = nil
      }
    }
  }

  private mutating func look(
    for contents: ContentMasks, _ plan: MaskPlan, _ description: RowDescription, _ key: MaskKey
  ) {
    allNames = description.columns.map { String(buffer: $0.name) }
    for (index, column) in description.columns.enumerated() {
      guard
        let span = SpanMask(
          contents, key: key, type: ValueType(column.type), isBinary: column.format != 0,
          label: Context(label: allNames[index]), maxCharacters: Column.maxCharacters(of: column))
      else { continue }
      if columns[index].isConcealed { continue }
      if columns[index] == .pass {
        columns[index] = .content(span)
      } else if case .columns(let masks) = plan, let mask = index < masks.count ? masks[index] : .null,
        contents.strongest.revelation < mask.revelation
      {
        columns[index] = .guarded(span, columns[index])
      }
    }
  }

  /// Rewrites the body of a DataRow, and appends the whole frame to `output`.
  func rewrite(_ body: ByteBuffer, into output: inout ByteBuffer) throws(ProtocolError) {
    let start = RowMask.open(BackendTag.dataRow, in: &output)
    let end = body.withUnsafeReadableBytes { bytes in
      Result { () throws(ProtocolError) in try rewrite(row: bytes, at: 0, into: &output) }
    }
    guard try end.get() == body.readableBytes else { throw RowMask.malformed(body.readableBytes) }
    RowMask.close(start, in: &output)
  }

  /// Rewrites up to `most` whole frames of DataRow at the front of `bytes`, up to one whose body is longer than `limit`. Returns
  /// how many bytes of it those were, and how many rows.
  func rewriteFrames(
    _ bytes: UnsafeRawBufferPointer, limit: Int, upTo most: Int = .max, into output: inout ByteBuffer,
    found: inout Found
  ) throws(ProtocolError) -> (bytes: Int, rows: Int) {
    var at = 0
    var rows = 0
    while rows < most, bytes.count - at >= FrameHeader.size, bytes[at] == BackendTag.dataRow {
      let length = Int(RowMask.int32(bytes, at + 1))
      // The header was looked at, or will be: what it says is refused there.
      guard length >= 4, length - 4 <= limit, bytes.count - at - 1 >= length else { break }
      let end = at + 1 + length
      let frame = UnsafeRawBufferPointer(rebasing: bytes[at..<end])
      if let growth, rewritePlain(frame, growth, into: &output) {
        at = end
        rows += 1
        continue
      }
      let start = RowMask.open(BackendTag.dataRow, in: &output)
      let last = try rewrite(row: frame, at: FrameHeader.size, into: &output, found: &found)
      guard last == frame.count else { throw RowMask.malformed(frame.count - last) }
      RowMask.close(start, in: &output)
      at = end
      rows += 1
    }
    return (at, rows)
  }

  /// Rewrites a whole frame in one go, without a call for each of its parts. Returns false, with nothing written, where a
  /// value is not as plain as nearly all are, or the frame is not as it should be.
  private func rewritePlain(
    _ frame: UnsafeRawBufferPointer, _ growth: Int, into output: inout ByteBuffer
  ) -> Bool {
    guard let from = frame.baseAddress, frame.count >= FrameHeader.size + 2,
      Int(frame[5]) << 8 | Int(frame[6]) == columns.count
    else { return false }
    return output.writeWithUnsafeMutableBytes(minimumWritableBytes: frame.count + growth) { room in
      guard let to = room.baseAddress else { return 0 }
      // The first run begins with the header.
      var (at, run, written) = (FrameHeader.size + 2, 0, 0)
      for column in columns {
        guard frame.count - at >= 4 else { return 0 }
        let length = Int(RowMask.int32(frame, at))
        guard length >= -1, frame.count - at - 4 >= length else { return 0 }
        let end = at + 4 + max(length, 0)
        if length >= 0 || column.isConcealed {
          switch column {
          case .pass: break
          case .constant(let value), .concealed(let value):
            (to + written).copyMemory(from: from + run, byteCount: at - run)
            written += at - run
            value.withUnsafeBytes { bytes in
              if let first = bytes.baseAddress { (to + written).copyMemory(from: first, byteCount: bytes.count) }
            }
            written += value.count
            run = end
          case .partial(let mask):
            // The length stays.
            (to + written).copyMemory(from: from + run, byteCount: at + 4 - run)
            written += at + 4 - run
            let value = UnsafeRawBufferPointer(start: from + at + 4, count: length)
            guard mask.fill(to + written, with: value) else { return 0 }
            written += length
            run = end
          case .hash, .token, .bucket, .content, .guarded: return 0
          }
        }
        at = end
      }
      guard at == frame.count else { return 0 }
      (to + written).copyMemory(from: from + run, byteCount: at - run)
      written += at - run
      (to + 1).storeBytes(of: Int32(truncatingIfNeeded: written - 1).bigEndian, as: Int32.self)
      return written
    } > 0
  }

  /// Rewrites a row as DataRow and a binary COPY have it: how many values, and each with its length. Values that pass are
  /// copied in runs. Returns where it ended.
  func rewrite(
    row bytes: UnsafeRawBufferPointer, at start: Int, into output: inout ByteBuffer
  ) throws(ProtocolError) -> Int {
    var found = Found()
    return try rewrite(row: bytes, at: start, into: &output, found: &found)
  }

  func rewrite(
    row bytes: UnsafeRawBufferPointer, at start: Int, into output: inout ByteBuffer, found: inout Found
  ) throws(ProtocolError) -> Int {
    guard bytes.count - start >= 2 else { throw RowMask.malformed(bytes.count - start) }
    let count = Int(bytes[start]) << 8 | Int(bytes[start + 1])
    guard count == columns.count else { throw .backend("a row has \(count) values for \(columns.count) columns") }
    // The first run begins with the count.
    var run = start
    var at = start + 2
    for (index, column) in columns.enumerated() {
      guard bytes.count - at >= 4 else { throw RowMask.malformed(bytes.count - at) }
      let length = Int(RowMask.int32(bytes, at))
      guard length >= -1, bytes.count - at - 4 >= length else { throw RowMask.malformed(length) }
      let end = at + 4 + max(length, 0)
      if length >= 0 || column.isConcealed {
        switch column {
        case .pass: break
        case .constant(let value), .concealed(let value):
          RowMask.copy(bytes, run, at, &output)
          output.writeBytes(value)
          run = end
        case .partial, .hash, .token, .bucket:
          RowMask.copy(bytes, run, at, &output)
          column.write(UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<end]), into: &output)
          run = end
        case .content(let mask):
          let value = UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<end])
          let findings = mask.findings(value)
          // Nearly always: the value passes with those around it.
          if findings.isEmpty { break }
          RowMask.copy(bytes, run, at, &output)
          RowMask.write(mask.hidden(value, findings), into: &output)
          found.insert(index)
          run = end
        case .guarded(let mask, _):
          RowMask.copy(bytes, run, at, &output)
          let value = UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<end])
          if !mask.findings(value).isEmpty { found.insert(index) }
          column.write(value, into: &output)
          run = end
        }
      }
      at = end
    }
    RowMask.copy(bytes, run, at, &output)
    return at
  }

  /// Length and bytes; nil is NULL.
  static func write(_ value: [UInt8]?, into output: inout ByteBuffer) {
    output.writeInteger(Int32(truncatingIfNeeded: value?.count ?? -1))
    if let value { output.writeBytes(value) }
  }

  private static func copy(
    _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ output: inout ByteBuffer
  ) {
    if end > start { _ = output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
  }

  @inline(__always)
  static func int32(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int32 {
    Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self))
  }

  private static func malformed(_ rest: Int) -> ProtocolError { .backend("malformed DataRow message (\(rest))") }

  /// Begins a frame; its length is written by `close`.
  static func open(_ tag: UInt8, in output: inout ByteBuffer) -> Int {
    let start = output.writerIndex
    output.writeInteger(tag)
    output.writeInteger(Int32(0))
    return start
  }

  static func close(_ start: Int, in output: inout ByteBuffer) {
    output.setInteger(Int32(truncatingIfNeeded: output.writerIndex - start - 1), at: start + 1)
  }
}

extension RowMask.Column {
  @inline(__always)
  var isConcealed: Bool { if case .concealed = self { true } else { false } }

  /// NULL as a row has it: the length -1.
  private static let null = RowMask.Column.constant([0xFF, 0xFF, 0xFF, 0xFF])

  init(_ mask: Mask, _ column: RowDescription.Column, _ key: MaskKey) {
    let type = ValueType(column.type)
    let isBinary = column.format != 0
    let maxCharacters = RowMask.Column.maxCharacters(of: column)
    switch mask {
    case .null: self = RowMask.Column.null
    case .redact: self = .constant(type.neutral(isBinary: isBinary), type, maxCharacters)
    case .conceal:
      let constant = RowMask.Column.constant(type.neutral(isBinary: isBinary), type, maxCharacters)
      if case .constant(let bytes) = constant { self = .concealed(bytes) } else { self = constant }
    case .fixed(let text):
      let value = type.spelled(text, isBinary: isBinary, maxCharacters: maxCharacters)
      self = .constant(value ?? type.neutral(isBinary: isBinary), type, maxCharacters)
    case .hash where KeyedHash.makesValues(of: type):
      self = .hash(
        KeyedHash(
          key: key, type: type, isBinary: isBinary, maxCharacters: maxCharacters,
          numericDigits: RowMask.Column.numericDigits(of: column)))
    case .tokenize(let domain) where TokenMask.makesValues(of: type):
      self = .token(
        TokenMask(key: key, domain: domain, type: type, isBinary: isBinary, maxCharacters: maxCharacters))
    case .bucket(let bucket):
      let mask = BucketMask(bucket: bucket, type: type, isBinary: isBinary)
      self = mask.makesValues ? .bucket(mask) : .constant(type.neutral(isBinary: isBinary), type, maxCharacters)
    case .hash, .tokenize: self = .constant(type.neutral(isBinary: isBinary), type, maxCharacters)
    case .partial(let first, let last, let kept):
      self = .partial(
        PartialMask(
          keepFirst: first, keepLast: last, keeping: kept, type: type, isBinary: isBinary,
          maxCharacters: maxCharacters))
    }
  }

  private static func constant(_ value: [UInt8]?, _ type: ValueType, _ maxCharacters: Int?) -> RowMask.Column {
    guard var value else { return null }
    // What stands for nothing is ASCII; a written-out text was cut at a character already.
    if case .text = type, let maxCharacters, value.count > maxCharacters, value.allSatisfy({ $0 < 0x80 }) {
      value = Array(value.prefix(maxCharacters))
    }
    return .constant(bigEndian(Int32(truncatingIfNeeded: value.count)) + value)
  }

  /// Characters that a value may have, nil without a bound (`varchar(n)`, `char(n)`).
  fileprivate static func maxCharacters(of column: RowDescription.Column) -> Int? {
    // atttypmod of varchar and bpchar counts a header of four bytes; a name has 63 bytes.
    if column.type == 19 { return 63 }
    guard column.type == 1042 || column.type == 1043, column.typeModifier >= 4 else { return nil }
    return Int(column.typeModifier) - 4
  }

  /// `numeric(precision, scale)` (src/backend/utils/adt/numeric.c, make_numeric_typmod); nil without.
  private static func numericDigits(of column: RowDescription.Column) -> (whole: Int, fraction: Int)? {
    guard column.type == 1700, column.typeModifier >= 4 else { return nil }
    let packed = Int(column.typeModifier) - 4
    // The scale is signed, in eleven bits.
    let scale = ((packed & 0x7FF) ^ 1024) - 1024
    let precision = packed >> 16 & 0xFFFF
    return (min(precision - scale, precision), max(scale, 0))
  }

  /// Writes the length and bytes of what stands in for a value.
  func write(_ value: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
    switch self {
    case .constant(let bytes), .concealed(let bytes):
      output.writeBytes(bytes)
      return
    default: break
    }
    if case .partial(let mask) = self, mask.writePlain(value, into: &output) { return }
    switch self {
    case .content(let mask):
      let findings = mask.findings(value)
      guard findings.isEmpty else { return RowMask.write(mask.hidden(value, findings), into: &output) }
      output.writeInteger(Int32(truncatingIfNeeded: value.count))
      output.writeBytes(value)
      return
    case .guarded(let span, let column):
      guard let hidden = span.replacement(value) else { return column.write(value, into: &output) }
      return RowMask.write(hidden, into: &output)
    case .hash(let mask): if let short = mask.short(value) { return short.write(into: &output) }
    case .bucket(let mask): if let short = mask.short(value) { return short.write(into: &output) }
    case .token(let mask): if mask.write(value, into: &output) { return }
    case .pass, .constant, .concealed, .partial: break
    }
    guard let standIn = standIn(Array(value)[...]) else {
      output.writeInteger(Int32(-1))
      return
    }
    output.writeInteger(Int32(truncatingIfNeeded: standIn.count))
    output.writeBytes(standIn)
  }

  /// What a value becomes; nil is NULL.
  private func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    switch self {
    // Both are written without looking at the value; hiding it is the safe side.
    case .pass, .constant, .concealed, .content, .guarded: nil
    case .partial(let mask): mask.standIn(value)
    case .hash(let mask): mask.standIn(value)
    case .token(let mask): mask.standIn(value)
    case .bucket(let mask): mask.standIn(value)
    }
  }
}

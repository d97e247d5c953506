import AccessModel
import NIOCore

/// How to rewrite the rows of one result: which columns, by which mask, in which type and format.
struct RowMask: Hashable, Sendable {
  /// What becomes of the values of one column that are not NULL.
  enum Column: Hashable, Sendable {
    case pass
    /// The same for each: length and bytes as a row has them.
    case constant([UInt8])
    case partial(PartialMask)
    case hash(KeyedHash)
    case bucket(BucketMask)
  }
  var columns: [Column]
  /// Names of the masked columns, for the audit trail.
  var names: [String]

  /// nil for a plan that changes nothing.
  init?(plan: MaskPlan, description: RowDescription, key: MaskKey) {
    guard !plan.isIdentity, case .columns(let masks) = plan else { return nil }
    columns = []
    names = []
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

  /// Rewrites the body of a DataRow, and appends the whole frame to `output`. Values that pass are copied in runs.
  func rewrite(_ body: ByteBuffer, into output: inout ByteBuffer) throws(ProtocolError) {
    var reader = MessageReader(body, from: .backend, message: "DataRow")
    let count = try reader.count(ofItemsAtLeast: 4)
    guard count == columns.count else { throw .backend("a row has \(count) values for \(columns.count) columns") }
    let start = output.writerIndex
    output.writeInteger(BackendTag.dataRow)
    output.writeInteger(Int32(0))
    let total = body.readableBytes
    // The first run begins with the count.
    var run = 0
    for column in columns {
      let at = total - reader.remaining
      let length = try reader.int32()
      guard length >= -1 else { throw reader.malformed("a value has a negative length") }
      if length > 0 { try reader.skip(Int(length)) }
      if case .pass = column { continue }
      if length < 0 { continue }
      copy(body, from: run, to: at, into: &output)
      run = total - reader.remaining
      column.write(body, at: at + 4, length: Int(length), into: &output)
    }
    copy(body, from: run, to: total - reader.remaining, into: &output)
    try reader.end()
    output.setInteger(Int32(truncatingIfNeeded: output.writerIndex - start - 1), at: start + 1)
  }

  private func copy(_ body: ByteBuffer, from start: Int, to end: Int, into output: inout ByteBuffer) {
    guard end > start else { return }
    body.withUnsafeReadableBytes { bytes in
      _ = output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }
  }
}

extension RowMask.Column {
  /// NULL as a row has it: the length -1.
  private static let null = RowMask.Column.constant([0xFF, 0xFF, 0xFF, 0xFF])

  init(_ mask: Mask, _ column: RowDescription.Column, _ key: MaskKey) {
    let type = ValueType(column.type)
    let isBinary = column.format != 0
    let maxCharacters = RowMask.Column.maxCharacters(of: column)
    switch mask {
    case .null: self = RowMask.Column.null
    case .redact: self = .constant(type.neutral(isBinary: isBinary), type, maxCharacters)
    case .fixed(let text):
      let value = type.spelled(text, isBinary: isBinary, maxCharacters: maxCharacters)
      self = .constant(value ?? type.neutral(isBinary: isBinary), type, maxCharacters)
    case .hash:
      self = .hash(
        KeyedHash(
          key: key, type: type, isBinary: isBinary, maxCharacters: maxCharacters,
          numericDigits: RowMask.Column.numericDigits(of: column)))
    case .bucket(let bucket): self = .bucket(BucketMask(bucket: bucket, type: type, isBinary: isBinary))
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
  private static func maxCharacters(of column: RowDescription.Column) -> Int? {
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

  /// Writes the length and bytes of what stands in for a value of `body`.
  func write(_ body: ByteBuffer, at index: Int, length: Int, into output: inout ByteBuffer) {
    if case .constant(let bytes) = self {
      output.writeBytes(bytes)
      return
    }
    if case .partial(let mask) = self {
      let isWritten = body.withUnsafeReadableBytes { bytes in
        mask.writePlain(UnsafeRawBufferPointer(rebasing: bytes[index..<(index + length)]), into: &output)
      }
      if isWritten { return }
    }
    let value = body.withUnsafeReadableBytes { Array($0[index..<(index + length)]) }
    guard let standIn = standIn(value[...]) else {
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
    case .pass, .constant: nil
    case .partial(let mask): mask.standIn(value)
    case .hash(let mask): mask.standIn(value)
    case .bucket(let mask): mask.standIn(value)
    }
  }
}

import AccessModel
import NIOCore

/// How to rewrite the rows of one result: which columns, by which mask, in which type and format.
struct RowMask: Hashable, Sendable {
  struct Column: Hashable, Sendable {
    var mask: Mask
    /// Values of this type are text in both formats, so a mask can be spelled; values of others become NULL.
    var isText: Bool
    /// Characters that a value may have, nil without a bound (`varchar(n)`, `char(n)`).
    var maxCharacters: Int?
  }
  /// One entry per column, nil where the value passes.
  var columns: [Column?]
  /// Names of the masked columns, for the audit trail.
  var names: [String]

  /// nil for a plan that changes nothing.
  init?(plan: MaskPlan, description: RowDescription) {
    guard !plan.isIdentity, case .columns(let masks) = plan else { return nil }
    columns = []
    names = []
    for (index, column) in description.columns.enumerated() {
      // A plan shorter than the row would leave values open: what it does not name is nulled.
      let mask = index < masks.count ? masks[index] : .null
      guard let mask else {
        columns.append(nil)
        continue
      }
      names.append(String(buffer: column.name))
      columns.append(
        Column(
          mask: mask, isText: RowMask.textTypes.contains(column.type),
          maxCharacters: RowMask.maxCharacters(of: column)))
    }
  }

  /// OIDs of name, text, unknown, bpchar and varchar (pg_type.dat): text and binary format are the same bytes.
  private static let textTypes: Set<UInt32> = [19, 25, 705, 1042, 1043]

  private static func maxCharacters(of column: RowDescription.Column) -> Int? {
    // atttypmod of varchar and bpchar counts a header of four bytes.
    guard column.type == 1042 || column.type == 1043, column.typeModifier >= 4 else { return nil }
    return Int(column.typeModifier) - 4
  }

  /// Rewrites the body of a DataRow, and appends the whole frame to `output`.
  func rewrite(_ body: ByteBuffer, into output: inout ByteBuffer) throws(ProtocolError) {
    var reader = MessageReader(body, from: .backend, message: "DataRow")
    let count = try reader.count(ofItemsAtLeast: 4)
    guard count == columns.count else { throw .backend("a row has \(count) values for \(columns.count) columns") }
    let start = output.writerIndex
    output.writeInteger(BackendTag.dataRow)
    output.writeInteger(Int32(0))
    output.writeInteger(UInt16(truncatingIfNeeded: count))
    for column in columns {
      let length = try reader.int32()
      guard length >= -1 else { throw reader.malformed("a value has a negative length") }
      guard length >= 0 else {
        output.writeInteger(Int32(-1))
        continue
      }
      let value = try reader.slice(Int(length))
      if let column {
        column.write(value, into: &output)
      } else {
        output.writeInteger(length)
        output.writeImmutableBuffer(value)
      }
    }
    try reader.end()
    output.setInteger(Int32(truncatingIfNeeded: output.writerIndex - start - 1), at: start + 1)
  }
}

extension RowMask.Column {
  private static let star = UInt8(ascii: "*")

  /// Writes the length and bytes of the value that stands in for `value`.
  func write(_ value: ByteBuffer, into output: inout ByteBuffer) {
    guard isText else {
      output.writeInteger(Int32(-1))
      return
    }
    switch mask {
    case .null: output.writeInteger(Int32(-1))
    case .redact: writeStars(4, into: &output)
    case .fixed(let text): writeText(text, into: &output)
    case .partial(let first, let last): writePartial(value, first, last, into: &output)
    }
  }

  private func writeStars(_ count: Int, into output: inout ByteBuffer) {
    let count = min(count, maxCharacters ?? count)
    output.writeInteger(Int32(truncatingIfNeeded: count))
    output.writeRepeatingByte(RowMask.Column.star, count: count)
  }

  private func writeText(_ text: String, into output: inout ByteBuffer) {
    let text = maxCharacters.map { String(String.UnicodeScalarView(text.unicodeScalars.prefix($0))) } ?? text
    output.writeInteger(Int32(truncatingIfNeeded: text.utf8.count))
    output.writeString(text)
  }

  /// Keeps characters at both ends. A value too short to hide anything, or no UTF-8, is replaced whole.
  private func writePartial(_ value: ByteBuffer, _ first: Int, _ last: Int, into output: inout ByteBuffer) {
    guard let text = String(validating: value.readableBytesView, as: UTF8.self) else {
      return writeStars(4, into: &output)
    }
    let scalars = text.unicodeScalars
    let count = scalars.count
    guard first < count, last < count, first + last < count else { return writeStars(count, into: &output) }
    let lengthIndex = output.writerIndex
    output.writeInteger(Int32(0))
    output.writeString(String(scalars.prefix(first)))
    output.writeRepeatingByte(RowMask.Column.star, count: count - first - last)
    output.writeString(String(scalars.suffix(last)))
    output.setInteger(Int32(truncatingIfNeeded: output.writerIndex - lengthIndex - 4), at: lengthIndex)
  }
}

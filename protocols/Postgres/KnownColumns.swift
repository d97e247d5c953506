import AccessModel
import NIOCore

/// What was found out for results of the same columns, so that a statement that runs again asks for nothing.
///
/// Only results in which each column is a stored one: what an expression becomes depends on its command too. An entry
/// holds as long as the version of the catalogue in which it was made.
struct KnownColumns {
  private struct Entry {
    var body: [UInt8]
    var mask: RowMask?
  }
  private var version: UInt64 = 0
  private var entries: [Entry] = []
  /// The one that gives way next.
  private var next = 0

  /// Results that are remembered, and bytes that the description of each may have.
  private static let limit = 8
  private static let bodyLimit = 4_096

  /// nil when these columns are not known in this version; the mask inside is nil when nothing of them is masked.
  func find(_ body: UnsafeRawBufferPointer, version: UInt64) -> RowMask?? {
    guard version == self.version else { return nil }
    for index in entries.indices where entries[index].body.count == body.count {
      if entries[index].body.withUnsafeBytes({ body.holdsSame(as: $0) }) { return .some(entries[index].mask) }
    }
    return nil
  }

  mutating func add(_ body: ByteBuffer, _ mask: RowMask?, version: UInt64) {
    if version != self.version {
      entries.removeAll(keepingCapacity: true)
      next = 0
      self.version = version
    }
    guard body.readableBytes <= KnownColumns.bodyLimit else { return }
    let entry = Entry(body: Array(body.readableBytesView), mask: mask)
    if entries.count < KnownColumns.limit {
      entries.append(entry)
    } else {
      entries[next] = entry
      next = (next + 1) % KnownColumns.limit
    }
  }
}

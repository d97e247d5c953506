import Crypto
import Glibc

/// Where what clients got of results is kept: one file per session, beside the trail, with pieces one behind the other.
///
/// The rows are not in the trail itself because they are many and may be thrown away earlier; the trail has the place and
/// the SHA-256 of what belongs to each command (`recorded`), so that no row can be changed without its chain showing it.
/// One hash for each command and not one for the file: a statement can be looked at without reading all before it.
/// All numbers are little-endian.
///
///     file: "SPREC", 0, 0, 1
///     piece: kind u8, 3 zeros, length u32, command u64, time i64 (µs since 1970), then the content
///       1 columns  body of RowDescription
///       2 rows     frames of DataRow, as the client got them
///       3 stream   body of CopyData, or what FunctionCall returned
///       4 cut      nothing; from here on the bounds of what is kept were reached
///       5 output   bytes of standard output, or of a terminal
///       6 errors   bytes of standard error
///       7 size     columns u16, rows u16 of the terminal
public enum RecordingFile {
  public enum Kind: UInt8, Sendable { case columns = 1, rows, stream, cut, output, errors, size }
  public static let magic: [UInt8] = Array("SPREC".utf8) + [0, 0, 1]
  static let pieceHeader = 24
  /// No command has more; what names more is damage.
  static let lengthLimit = 64 << 20

  /// `<data>/recordings`.
  public static func folder(data: String) -> String { "\(data)/recordings" }

  /// The file of a session; nil for what is no session's name.
  public static func path(data: String, session: String) -> String? {
    guard (1...32).contains(session.utf8.count), session.utf8.allSatisfy(isNameByte) else { return nil }
    return "\(folder(data: data))/\(session).rec"
  }

  static func isNameByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// The bytes of one piece.
  public static func piece(_ kind: Kind, command: UInt64, time: Int64, _ content: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(pieceHeader + content.count)
    bytes += [kind.rawValue, 0, 0, 0]
    bytes.appendInteger(UInt32(truncatingIfNeeded: content.count))
    bytes.appendInteger(command)
    bytes.appendInteger(time)
    return bytes + content
  }

  /// What a `recorded` record says of a command's result, read and checked. Throws why that cannot be had.
  public static func read(
    data: String, session: String, offset: Int, bytes count: Int, sha256: String
  ) throws(RecordingFault) -> [RecordedPiece] {
    guard let path = path(data: data, session: session) else { throw RecordingFault("there is no such session") }
    guard offset >= 0, (0...lengthLimit).contains(count) else { throw RecordingFault("its place is damaged") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      throw RecordingFault(errno == ENOENT ? "the recording is gone" : "the recording cannot be opened")
    }
    defer { close(descriptor) }
    let bytes: [UInt8]
    do { bytes = try Files.read(descriptor, at: offset, count: count) } catch { throw RecordingFault(error.message) }
    guard bytes.count == count else { throw RecordingFault("the recording ends before") }
    guard Array(SHA256.hash(data: bytes)).hex == sha256 else {
      throw RecordingFault("the recording is not what the audit trail says it was")
    }
    return try pieces(bytes)
  }

  static func pieces(_ bytes: [UInt8]) throws(RecordingFault) -> [RecordedPiece] {
    var pieces: [RecordedPiece] = []
    var columns: [RecordedColumn] = []
    var offset = 0
    while offset < bytes.count {
      let length = Int(bytes.integer(UInt32.self, at: offset + 4))
      guard bytes.count - offset >= pieceHeader + length, let kind = Kind(rawValue: bytes[offset]) else {
        throw RecordingFault("the recording is damaged")
      }
      let content = Array(bytes[(offset + pieceHeader)..<(offset + pieceHeader + length)])
      let piece: RecordedPiece.Content?
      switch kind {
      case .columns:
        columns = RecordedColumn.read(content) ?? []
        piece = .columns(columns)
      case .rows: piece = RecordedRows.read(content, columns).map { .rows($0) }
      case .stream: piece = .stream(content)
      case .cut: piece = .cut
      case .output: piece = .output(content)
      case .errors: piece = .errors(content)
      case .size:
        piece =
          content.count == 4
          ? .size(
            columns: Int(content.integer(UInt16.self, at: 0)), rows: Int(content.integer(UInt16.self, at: 2))) : nil
      }
      guard let piece else { throw RecordingFault("the recording is damaged") }
      pieces.append(
        RecordedPiece(
          command: bytes.integer(UInt64.self, at: offset + 8), time: bytes.integer(Int64.self, at: offset + 16),
          content: piece))
      offset += pieceHeader + length
    }
    return pieces
  }
}

/// Why a recording cannot be read. Lower case, without a full stop.
public struct RecordingFault: Error, Hashable, Sendable {
  public var reason: String
  init(_ reason: String) { self.reason = reason }
}

/// A part of a result as it was recorded, spelled out.
public struct RecordedPiece: Hashable, Sendable {
  public enum Content: Hashable, Sendable {
    case columns([RecordedColumn])
    /// Values as PostgreSQL would write them, `\x…` for bytes of a type that is not known here, nil for NULL.
    case rows([[String?]])
    case stream([UInt8])
    case cut
    /// Of a program or terminal on an SSH connection.
    case output([UInt8])
    case errors([UInt8])
    case size(columns: Int, rows: Int)
  }
  public var command: UInt64
  /// When it was sent to the client, µs since 1970.
  public var time: Int64
  public var content: Content
}

/// One column of a recorded result.
public struct RecordedColumn: Hashable, Sendable {
  public var name: String
  /// OID.
  var type: UInt32
  var format: UInt8

  /// Of the body of RowDescription (PostgreSQL 55.7); nil when it is none.
  static func read(_ body: [UInt8]) -> [RecordedColumn]? {
    body.withUnsafeBytes { bytes in
      guard let count = bytes.bigEndian(UInt16.self, at: 0) else { return nil }
      var columns: [RecordedColumn] = []
      var offset = 2
      for _ in 0..<count {
        guard let end = bytes[Swift.min(offset, bytes.count)...].firstIndex(of: 0),
          let type = bytes.bigEndian(UInt32.self, at: end + 7), let format = bytes.bigEndian(UInt16.self, at: end + 17)
        else { return nil }
        let name = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]), as: UTF8.self)
        columns.append(RecordedColumn(name: name, type: type, format: UInt8(truncatingIfNeeded: format)))
        offset = end + 19
      }
      return offset == bytes.count ? columns : nil
    }
  }
}

/// Frames of DataRow, read for people.
enum RecordedRows {
  /// nil when they are no such frames. A row whose columns are not known is read as text where that can be.
  static func read(_ frames: [UInt8], _ columns: [RecordedColumn]) -> [[String?]]? {
    frames.withUnsafeBytes { bytes in
      var rows: [[String?]] = []
      var offset = 0
      while offset < bytes.count {
        guard let length = bytes.bigEndian(Int32.self, at: offset + 1), length >= 6, Int(length) <= bytes.count,
          bytes.count - offset > Int(length),
          let row = row(UnsafeRawBufferPointer(rebasing: bytes[(offset + 5)..<(offset + 1 + Int(length))]), columns)
        else { return nil }
        rows.append(row)
        offset += 1 + Int(length)
      }
      return rows
    }
  }

  private static func row(_ body: UnsafeRawBufferPointer, _ columns: [RecordedColumn]) -> [String?]? {
    guard let count = body.bigEndian(UInt16.self, at: 0) else { return nil }
    var values: [String?] = []
    var offset = 2
    for index in 0..<Int(count) {
      guard let length = body.bigEndian(Int32.self, at: offset), length >= -1 else { return nil }
      offset += 4
      guard length >= 0 else {
        values.append(nil)
        continue
      }
      guard body.count - offset >= Int(length) else { return nil }
      let value = Array(body[offset..<(offset + Int(length))])
      let column = index < columns.count ? columns[index] : nil
      values.append(
        WireValue.text(value, format: column?.format ?? 0, type: column?.type ?? 0) ?? "\\x" + value.hex)
      offset += Int(length)
    }
    return offset == body.count ? values : nil
  }
}

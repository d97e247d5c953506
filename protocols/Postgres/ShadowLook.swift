import AccessModel
import NIOCore

/// Looks for what rules in shadow would hide in what the client gets, and changes nothing. A session without one does
/// nothing per row for it.
struct ShadowLook {
  /// What of a result is not looked at: longer rows pass as they come.
  static let limit = 1 << 20
  /// What findings are told by that stand in no column: in COPY data, or in what a function returned.
  static let noColumn = "*"

  private let contents: ContentMasks
  private let copies: CopyLook
  /// How rows of the columns that were told last are looked at.
  private var mask: RowMask?
  /// The same of portals, whose rows come later; nil where none of the columns can hold anything.
  private var portals = NameMap<RowMask?>()

  init(_ contents: ContentMasks) {
    self.contents = contents
    copies = CopyLook(contents, MaskKey([]))
  }

  /// The columns of a simple query's next result.
  mutating func columns(_ body: ByteBuffer) { mask = look(body) }
  mutating func describe(portal: String, _ body: ByteBuffer) { portals[portal] = .some(look(body)) }
  mutating func forget(portal: String) { portals[portal] = nil }
  mutating func forgetPortals() { portals.removeAll() }

  private func look(_ columns: ByteBuffer) -> RowMask? {
    (try? RowDescription.decode(columns)).flatMap {
      RowMask(plan: .identity, description: $0, key: MaskKey([]), contents: contents)
    }
  }

  /// Names of the columns in which something is found, of whole frames of DataRow.
  func found(in frames: ByteBuffer, portal: String?) -> [String] {
    let known = if let portal { portals[portal] ?? nil } else { mask }
    guard let mask = known else { return [] }
    var (thrownAway, found) = (ByteBuffer(), RowMask.Found())
    _ = frames.withUnsafeReadableBytes { bytes in
      try? mask.rewriteFrames(bytes, limit: ShadowLook.limit, into: &thrownAway, found: &found)
    }
    return found.isEmpty ? [] : mask.names(of: found)
  }

  /// The same of a piece without columns.
  func found(in piece: ByteBuffer) -> [String] {
    copies.hidden(piece, isBinary: CopyLook.isBinary(piece)) == nil ? [] : [ShadowLook.noColumn]
  }
}

/// Where results are told to those who look on: whoever records them, and rules in shadow.
extension PostgresSession {
  /// Whether somebody looks on.
  var isWatched: Bool { tap != nil || shadow != nil }

  /// A row that is not here whole: whether it is to be waited for.
  func isAwaited(_ header: FrameHeader, of id: CommandID) -> Bool {
    tap?.wants(header.frameLength, of: id) == true || shadow != nil && header.bodyLength <= ShadowLook.limit
  }
}

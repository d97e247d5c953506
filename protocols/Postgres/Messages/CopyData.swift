import AccessModel
import NIOCore

/// CopyData (d): a piece of a COPY, in either direction; where it is cut means nothing.
public struct CopyData: Hashable, Sendable {
  public var data: ByteBuffer

  static func decode(_ body: ByteBuffer) -> CopyData { CopyData(data: body) }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.copyData) { $0.writeImmutableBuffer(data) }
  }
}

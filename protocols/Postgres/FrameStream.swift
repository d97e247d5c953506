import AccessModel
import NIOCore

/// One direction of a connection: bytes come in, frames are looked at in order, and what may pass goes out uncopied.
///
/// Frames that pass one after the other leave as one slice of the buffer in which they arrived. Only frames that must
/// be seen whole are kept back; of the others, what is here passes at once and the rest as it comes.
struct FrameStream {
  private let fault: ProtocolError.Fault
  private var input = ByteBuffer()
  /// Bytes at the front of `input` that may pass and have not left yet.
  private var run = 0
  /// Bytes still to come of a frame whose front has passed, or has been dropped.
  private(set) var passRemaining = 0
  private var dropRemaining = 0
  private var output: [ByteBuffer] = []
  private var outputHead = 0

  init(from fault: ProtocolError.Fault) { self.fault = fault }

  /// Bytes that wait to be looked at.
  var pending: Int { input.readableBytes - run }
  /// True while the last bytes that left were the front of a frame: nothing may be put in between.
  var isInsideFrame: Bool { passRemaining > 0 }
  /// True while the rest of a frame is still to pass or to be dropped.
  var isMidFrame: Bool { passRemaining > 0 || dropRemaining > 0 }

  mutating func append(_ bytes: ByteBuffer) {
    if input.readableBytes == 0 {
      input = bytes
    } else if input.readerIndex == 0 {
      // Grows in place: a message that comes in small pieces is not copied for each of them.
      var bytes = bytes
      input.writeBuffer(&bytes)
    } else {
      var bytes = bytes
      var joined = ByteBufferAllocator().buffer(capacity: input.readableBytes + bytes.readableBytes)
      joined.writeBuffer(&input)
      joined.writeBuffer(&bytes)
      input = joined
    }
  }

  /// The header of the next frame to be decided; nil while it is incomplete. First carries on with a frame whose
  /// front has passed or has been dropped.
  mutating func nextHeader() throws(ProtocolError) -> FrameHeader? {
    if isMidFrame {
      carryOn()
      if isMidFrame { return nil }
    }
    return try FrameHeader.peek(input, offset: run, from: fault)
  }

  /// Lets what is here of a frame pass or go whose front has passed or has been dropped.
  mutating func carryOn() {
    let passing = min(passRemaining, pending)
    run += passing
    passRemaining -= passing
    guard dropRemaining > 0 else { return }
    let dropping = min(dropRemaining, pending)
    skip(dropping)
    dropRemaining -= dropping
  }

  /// True when the whole frame is here.
  func holds(_ header: FrameHeader) -> Bool { pending >= header.frameLength }

  /// The body of the next frame, which must be here whole.
  func body(of header: FrameHeader) throws(ProtocolError) -> ByteBuffer {
    guard let body = input.getSlice(at: input.readerIndex + run + FrameHeader.size, length: header.bodyLength)
    else { throw FrameStream.unwhole() }
    return body
  }

  /// The fields of the next frame, which must be here whole, read in place.
  func reader(of header: FrameHeader, message: StaticString) throws(ProtocolError) -> MessageReader {
    guard holds(header) else { throw FrameStream.unwhole() }
    let start = input.readerIndex + run + FrameHeader.size
    return MessageReader(input, start..<(start + header.bodyLength), from: fault, message: message)
  }

  /// Gives the body of the next frame, which must be here whole, to `read`, in place.
  func withBody<Result>(
    of header: FrameHeader, _ read: (UnsafeRawBufferPointer) -> Result
  ) throws(ProtocolError) -> Result {
    guard holds(header) else { throw FrameStream.unwhole() }
    let start = run + FrameHeader.size
    return input.withUnsafeReadableBytes {
      read(UnsafeRawBufferPointer(rebasing: $0[start..<(start + header.bodyLength)]))
    }
  }

  private static func unwhole() -> ProtocolError {
    ProtocolError(fault: .gateway, code: "XX000", message: "a frame was read before it was whole")
  }

  /// The first `length` bytes of the body of the next frame; nil while they are not here.
  func front(_ length: Int) -> ByteBuffer? {
    input.getSlice(at: input.readerIndex + run + FrameHeader.size, length: length)
  }

  /// Lets the next frame pass; what of it is still to come passes as it comes.
  mutating func pass(_ header: FrameHeader) {
    let count = min(header.frameLength, pending)
    run += count
    passRemaining = header.frameLength - count
  }

  /// Takes the next frame out; what of it is still to come is dropped as it comes.
  mutating func drop(_ header: FrameHeader) {
    let count = min(header.frameLength, pending)
    skip(count)
    dropRemaining = header.frameLength - count
  }

  /// Gives the bytes that wait to `rewrite`, in place, takes as many from the front as it says, whole frames, and puts what
  /// it made in their stead.
  mutating func replace(
    with output: inout ByteBuffer,
    _ rewrite: (UnsafeRawBufferPointer, inout ByteBuffer) throws(ProtocolError) -> Int
  ) throws(ProtocolError) {
    flushRun()
    let taken = input.withUnsafeReadableBytes { bytes in
      Result { () throws(ProtocolError) in try rewrite(bytes, &output) }
    }
    skip(try taken.get())
    if output.readableBytes > 0 { self.output.append(output) }
  }

  /// Puts bytes of our own behind what has passed so far.
  mutating func inject(_ bytes: ByteBuffer) {
    flushRun()
    output.append(bytes)
  }

  /// Counts and passes up to `limit` rows while whole DataRow frames follow each other; returns their number and bytes.
  ///
  /// The one loop that runs per row under an identity plan: it reads five bytes a row and moves none.
  mutating func passRows(upTo limit: Int = .max) throws(ProtocolError) -> (rows: Int, bytes: Int) {
    var rows = 0
    let start = run
    let length = pending
    let advance: Int = input.withUnsafeReadableBytes { bytes in
      var offset = start
      while rows != limit, offset - start + FrameHeader.size <= length, bytes[offset] == BackendTag.dataRow {
        let size = Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 1, as: Int32.self))
        guard size >= 4, offset - start + 1 + Int(size) <= length else { break }
        offset += 1 + Int(size)
        rows += 1
      }
      return offset - start
    }
    run += advance
    return (rows, advance)
  }

  /// The bytes that passed last and have not left; nil when so many have not.
  func lastPassed(_ count: Int) -> ByteBuffer? {
    run >= count ? input.getSlice(at: input.readerIndex + run - count, length: count) : nil
  }

  private mutating func skip(_ count: Int) {
    flushRun()
    input.moveReaderIndex(forwardBy: count)
  }

  private mutating func flushRun() {
    guard run > 0, let slice = input.readSlice(length: run) else { return }
    run = 0
    output.append(slice)
  }

  /// A few bytes that wait for more must not keep the large buffer alive into which they were read.
  private mutating func detach() {
    guard input.storageCapacity >= 64 << 10, input.readableBytes < input.storageCapacity / 16 else { return }
    input = ByteBuffer(bytes: input.readableBytesView)
  }

  /// The next bytes to be written, in order; nil when there are none.
  mutating func takeOutput() -> ByteBuffer? {
    if output.isEmpty, run > 0, run == input.readableBytes {
      // All that came passes, which is nearly always so.
      var whole = ByteBuffer()
      swap(&whole, &input)
      run = 0
      return whole
    }
    flushRun()
    if input.readableBytes == 0 { input = ByteBuffer() } else { detach() }
    guard outputHead < output.count else {
      if outputHead > 0 {
        output.removeAll(keepingCapacity: true)
        outputHead = 0
      }
      return nil
    }
    defer { outputHead += 1 }
    return output[outputHead]
  }
}

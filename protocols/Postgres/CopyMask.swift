import AccessModel
import NIOCore

/// Rewrites the stream of one COPY to the client, whose pieces may be cut anywhere (PostgreSQL 55.2.6, COPY "File
/// Formats"). Keeps no more than one row, and allocates nothing for a row that came as one piece.
struct CopyMask {
  private let mask: RowMask
  private let terms: CopyTerms
  /// The beginning of a row whose end has not come.
  private var rest = ByteBuffer()
  /// Bytes of `rest` in which the row's end was looked for, and whether they end inside quotes.
  private var searched = Search()
  /// What comes before the first row is still to come: the names of columns, or the signature.
  private var isAtStart = true
  private var hasEnded = false
  /// A value without its escapes, and what stands in its place.
  private var plain = ByteBuffer()
  private var standIn = ByteBuffer()

  private struct Search {
    var at = 0
    var isQuoted = false
  }

  init(_ mask: RowMask, _ terms: CopyTerms) {
    self.mask = mask
    self.terms = terms
  }

  /// Names of the masked columns.
  var names: [String] { mask.names }
  var isBetweenRows: Bool { rest.readableBytes == 0 }

  /// Takes up to `most` whole frames of CopyData at the front of `bytes`, each no longer than `limit`, and appends for each one a
  /// frame with the rows that end in it, if any does. Returns how many bytes of them there were, and how many frames.
  mutating func rewriteFrames(
    _ bytes: UnsafeRawBufferPointer, limit: Int, upTo most: Int = .max, into output: inout ByteBuffer
  ) throws(ProtocolError) -> (bytes: Int, frames: Int) {
    guard terms.obstacle == nil else {
      throw .backend("COPY data cannot be masked: \(terms.obstacle ?? "")", code: "42501")
    }
    var at = 0
    var frames = 0
    while frames < most, bytes.count - at >= FrameHeader.size, bytes[at] == BackendTag.copyData {
      let length = Int(RowMask.int32(bytes, at + 1))
      guard length >= 4, length - 4 <= limit, bytes.count - at - 1 >= length else { break }
      let end = at + 1 + length
      try rewrite(UnsafeRawBufferPointer(rebasing: bytes[(at + FrameHeader.size)..<end]), limit, &output)
      at = end
      frames += 1
    }
    return (at, frames)
  }

  private mutating func rewrite(
    _ piece: UnsafeRawBufferPointer, _ limit: Int, _ output: inout ByteBuffer
  ) throws(ProtocolError) {
    let start = RowMask.open(BackendTag.copyData, in: &output)
    if rest.readableBytes == 0 {
      let taken = try rewriteRows(piece, into: &output)
      if taken < piece.count { rest = ByteBuffer(bytes: piece[taken...]) }
    } else {
      guard rest.readableBytes + piece.count <= limit else {
        throw .backend("a row of more than \(limit) bytes is too long to be masked", code: "54000")
      }
      rest.writeBytes(piece)
      var whole = ByteBuffer()
      swap(&whole, &rest)
      let taken = whole.withUnsafeReadableBytes { bytes in
        Result { () throws(ProtocolError) in try rewriteRows(bytes, into: &output) }
      }
      whole.moveReaderIndex(forwardBy: try taken.get())
      // What had to be kept is not copied again for each piece.
      rest = whole.readerIndex == 0 ? whole : ByteBuffer(bytes: whole.readableBytesView)
    }
    if output.writerIndex > start + FrameHeader.size {
      RowMask.close(start, in: &output)
    } else {
      output.moveWriterIndex(to: start)
    }
  }

  /// Rewrites the whole rows at the front; returns how many bytes they were.
  private mutating func rewriteRows(
    _ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer
  ) throws(ProtocolError) -> Int {
    var at = 0
    while at < bytes.count {
      let next = terms.format == .binary ? try tuple(bytes, at, &output) : try line(bytes, at, &output)
      guard let next else { break }
      at = next
    }
    return at
  }

  private func malformed(_ what: String) -> ProtocolError { .backend("malformed COPY data: \(what)") }
}

/// Binary.
extension CopyMask {
  private static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

  /// The signature with what follows it, a row or the end; returns where it ends, nil where it is not here whole.
  private mutating func tuple(
    _ bytes: UnsafeRawBufferPointer, _ start: Int, _ output: inout ByteBuffer
  ) throws(ProtocolError) -> Int? {
    guard !hasEnded else { throw malformed("something follows its end") }
    var at = start
    if isAtStart {
      let head = CopyMask.signature.count + 8
      guard bytes.count - at >= head else { return nil }
      guard bytes[at..<(at + CopyMask.signature.count)].elementsEqual(CopyMask.signature),
        RowMask.int32(bytes, at + head - 8) == 0
      else { throw malformed("it has no signature that is known") }
      let more = Int(RowMask.int32(bytes, at + head - 4))
      guard more >= 0 else { throw malformed("its header has a negative length") }
      guard bytes.count - at - head >= more else { return nil }
      at += head + more
      write(bytes, start, at, &output)
      isAtStart = false
      return at
    }
    guard bytes.count - at >= 2 else { return nil }
    if bytes[at] == 0xFF, bytes[at + 1] == 0xFF {
      hasEnded = true
      write(bytes, at, at + 2, &output)
      return at + 2
    }
    guard CopyMask.holdsTuple(bytes, at) else { return nil }
    return try mask.rewrite(row: bytes, at: at, into: &output)
  }

  /// True when a row is here whole, as far as its lengths say; a wrong one is found when it is read.
  private static func holdsTuple(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Bool {
    let count = Int(bytes[start]) << 8 | Int(bytes[start + 1])
    var at = start + 2
    for _ in 0..<count {
      guard bytes.count - at >= 4 else { return false }
      let length = Int(RowMask.int32(bytes, at))
      if length < -1 { return true }
      at += 4 + max(length, 0)
      if at > bytes.count { return false }
    }
    return true
  }

  private func write(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ output: inout ByteBuffer) {
    if end > start { _ = output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
  }
}

/// Lines of text or CSV.
extension CopyMask {
  private static let newline: UInt8 = 0x0A
  private static let backslash = UInt8(ascii: "\\")

  /// One line; returns where the next begins, nil where its end is not here.
  private mutating func line(
    _ bytes: UnsafeRawBufferPointer, _ start: Int, _ output: inout ByteBuffer
  ) throws(ProtocolError) -> Int? {
    guard let end = endOfLine(bytes, from: start) else { return nil }
    searched = Search()
    if isAtStart, terms.hasHeader {
      write(bytes, start, end + 1, &output)
    } else {
      try rewriteLine(bytes, start, end, &output)
    }
    isAtStart = false
    return end + 1
  }

  /// Where the line ends: at a line feed, which text writes in another way inside values, and CSV in quotes.
  private mutating func endOfLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    // What was searched of a row that came in pieces begins where the bytes begin.
    var at = start == 0 ? searched.at : start
    var isQuoted = start == 0 ? searched.isQuoted : false
    while at < bytes.count {
      let byte = bytes[at]
      if terms.format == .csv {
        if isQuoted, byte == terms.escape, terms.escape != terms.quote {
          // The next byte stands for itself.
          guard at + 1 < bytes.count else { break }
          at += 2
          continue
        }
        if byte == terms.quote { isQuoted.toggle() }
      }
      if byte == CopyMask.newline, !isQuoted { return at }
      at += 1
    }
    searched = Search(at: at - start, isQuoted: isQuoted)
    return nil
  }

  private mutating func rewriteLine(
    _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ output: inout ByteBuffer
  ) throws(ProtocolError) {
    var at = start
    var run = start
    for (index, column) in mask.columns.enumerated() {
      let value = try endOfValue(bytes, at, end)
      guard (value < end) == (index < mask.columns.count - 1) else {
        throw malformed("a row has another number of values than \(mask.columns.count)")
      }
      if column.isConcealed || column != .pass && !isNull(bytes, at, value) {
        write(bytes, run, at, &output)
        try writeStandIn(column, index, bytes, at, value, &output)
        run = value
      }
      at = value + 1
    }
    if mask.columns.isEmpty, start < end { throw malformed("a row has values where there are no columns") }
    write(bytes, run, end + 1, &output)
  }

  /// Where the value ends that begins at `start`: at a delimiter, or at `end`.
  private func endOfValue(
    _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int
  ) throws(ProtocolError) -> Int {
    var at = start
    if terms.format == .csv, at < end, bytes[at] == terms.quote {
      at += 1
      while at < end {
        if bytes[at] == terms.escape, at + 1 < end, bytes[at + 1] == terms.quote || bytes[at + 1] == terms.escape {
          at += 2
        } else if bytes[at] == terms.quote {
          at += 1
          guard at == end || bytes[at] == terms.delimiter else { throw malformed("something follows a closing quote") }
          return at
        } else {
          at += 1
        }
      }
      throw malformed("a quote is not closed")
    }
    while at < end, bytes[at] != terms.delimiter {
      // What follows a backslash is no delimiter.
      at += terms.format == .text && bytes[at] == CopyMask.backslash ? 2 : 1
    }
    return min(at, end)
  }

  private func isNull(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Bool {
    end - start == terms.null.count && bytes[start..<end].elementsEqual(terms.null)
  }

  private mutating func writeStandIn(
    _ column: RowMask.Column, _ index: Int, _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int,
    _ output: inout ByteBuffer
  ) throws(ProtocolError) {
    let isEscaped: Bool
    switch terms.format {
    case .text: isEscaped = bytes[start..<end].contains(CopyMask.backslash)
    case .csv: isEscaped = start < end && bytes[start] == terms.quote
    case .binary: isEscaped = false
    }
    standIn.clear()
    if isEscaped {
      plain.clear()
      readPlain(bytes, start, end)
      plain.withUnsafeReadableBytes { column.write($0, into: &standIn) }
    } else {
      column.write(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), into: &standIn)
    }
    let length = standIn.readInteger(as: Int32.self) ?? -1
    guard length >= 0 else {
      output.writeBytes(terms.null)
      return
    }
    if terms.format == .csv { writeCSV(index, &output) } else { writeText(&output) }
  }

  /// The value without its quotes and escapes.
  private mutating func readPlain(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) {
    var at = start
    if terms.format == .csv {
      at += 1
      while at < end - 1 {
        if bytes[at] == terms.escape, bytes[at + 1] == terms.quote || bytes[at + 1] == terms.escape { at += 1 }
        plain.writeInteger(bytes[at])
        at += 1
      }
      return
    }
    while at < end {
      var byte = bytes[at]
      if byte == CopyMask.backslash, at + 1 < end {
        at += 1
        byte = CopyMask.controls.first { $0.letter == bytes[at] }?.byte ?? bytes[at]
      }
      plain.writeInteger(byte)
      at += 1
    }
  }

  /// Characters that text writes as letters behind a backslash (CopyAttributeOutText, copyto.c).
  private static let controls: [(byte: UInt8, letter: UInt8)] = [
    (0x08, UInt8(ascii: "b")), (0x0C, UInt8(ascii: "f")), (0x0A, UInt8(ascii: "n")), (0x0D, UInt8(ascii: "r")),
    (0x09, UInt8(ascii: "t")), (0x0B, UInt8(ascii: "v")),
  ]

  private func writeText(_ output: inout ByteBuffer) {
    for byte in standIn.readableBytesView {
      if byte < 0x20, let control = CopyMask.controls.first(where: { $0.byte == byte }) {
        output.writeInteger(CopyMask.backslash)
        output.writeInteger(control.letter)
      } else {
        if byte == CopyMask.backslash || byte == terms.delimiter { output.writeInteger(CopyMask.backslash) }
        output.writeInteger(byte)
      }
    }
  }

  /// In quotes where the column asks for them, or the value would be read as something else (CopyAttributeOutCSV).
  private func writeCSV(_ index: Int, _ output: inout ByteBuffer) {
    let value = standIn.readableBytesView
    let isForced = terms.columns.map { index < $0.count && $0[index].isQuoted } ?? false
    let isQuoted =
      isForced || value.elementsEqual(terms.null) || value.elementsEqual("\\.".utf8)
      || value.contains { $0 == terms.delimiter || $0 == terms.quote || $0 == 0x0A || $0 == 0x0D }
    guard isQuoted else {
      output.writeBytes(value)
      return
    }
    output.writeInteger(terms.quote)
    for byte in value {
      if byte == terms.quote || byte == terms.escape { output.writeInteger(terms.escape) }
      output.writeInteger(byte)
    }
    output.writeInteger(terms.quote)
  }
}

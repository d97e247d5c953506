/// What a record keeps of bound values, spelled out as members of its JSON: `parameters`, `parameter_bytes` and `binds`.
extension BoundValues {
  /// The members, each with its comma; nil when the bytes are not what a lane writes.
  ///
  /// `binds` is `"masked"`, `"secret"` or a list: a string for a value that can be read, null for NULL, `{"hex": …}`
  /// for bytes of a type that is not known here, `{"secret": true}`, and with `"bytes"` beside it for one that was cut.
  static func members(_ stored: ArraySlice<UInt8>) -> [UInt8]? {
    Array(stored).withUnsafeBytes { bytes in
      var reader = StoredBytes(bytes)
      guard let first = reader.integer(UInt8.self) else { return nil }
      var types: [UInt32] = []
      if first & withTypes != 0 {
        guard let count = reader.integer(UInt16.self) else { return nil }
        for _ in 0..<count {
          guard let type = reader.integer(UInt32.self) else { return nil }
          types.append(type)
        }
      }
      var writer = JSONWriter()
      switch first & ~withTypes {
      case whole:
        let encoded = reader.rest
        guard writer.whole(encoded, types) else { return nil }
      case cut: guard writer.cut(&reader, types) else { return nil }
      case masked: guard writer.hidden(&reader, "masked") else { return nil }
      case secret: guard writer.hidden(&reader, "secret") else { return nil }
      case _: return nil
      }
      return writer.bytes
    }
  }
}

/// Little-endian numbers and bytes, from front to back.
struct StoredBytes {
  private(set) var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  mutating func integer<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
    guard rest.count >= MemoryLayout<Number>.size else { return nil }
    let number = Number(littleEndian: rest.loadUnaligned(as: Number.self))
    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(MemoryLayout<Number>.size))
    return number
  }

  mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
    guard count >= 0, rest.count >= count else { return nil }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
    return UnsafeRawBufferPointer(rebasing: rest.prefix(count))
  }
}

extension JSONWriter {
  fileprivate mutating func whole(_ encoded: UnsafeRawBufferPointer, _ types: [UInt32]) -> Bool {
    guard let values = BoundValues.Values(encoded) else {
      // Not as a client may encode it, so nobody sent it on; it is shown as it came.
      field("parameter_bytes", encoded.count)
      key("binds")
      raw("[")
      bind(1, Int32(clamping: encoded.count), encoded, type: 0)
      raw("]")
      return true
    }
    field("parameters", values.count)
    field("parameter_bytes", encoded.count)
    key("binds")
    raw("[")
    for (index, value) in values.enumerated() {
      if index > 0 { raw(",") }
      bind(value.format, value.length, value.bytes, type: index < types.count ? types[index] : 0)
    }
    raw("]")
    return true
  }

  fileprivate mutating func cut(_ reader: inout StoredBytes, _ types: [UInt32]) -> Bool {
    guard counts(&reader) else { return false }
    key("binds")
    raw("[")
    var index = 0
    while !reader.rest.isEmpty {
      guard let format = reader.integer(UInt8.self), let length = reader.integer(Int32.self),
        let bytes = reader.bytes(Swift.min(Swift.max(0, Int(length)), RecordLimits.value, reader.rest.count))
      else { return false }
      if index > 0 { raw(",") }
      bind(format, length, bytes, type: index < types.count ? types[index] : 0)
      index += 1
    }
    raw("]")
    return true
  }

  fileprivate mutating func hidden(_ reader: inout StoredBytes, _ word: String) -> Bool {
    guard counts(&reader), reader.rest.isEmpty else { return false }
    field("binds", word)
    return true
  }

  private mutating func counts(_ reader: inout StoredBytes) -> Bool {
    guard let count = reader.integer(UInt32.self), let bytes = reader.integer(UInt32.self) else { return false }
    field("parameters", count)
    field("parameter_bytes", bytes)
    return true
  }

  private mutating func bind(_ format: UInt8, _ length: Int32, _ bytes: UnsafeRawBufferPointer, type: UInt32) {
    if length == -1 { return raw("null") }
    if length < 0 { return raw("{\"secret\":true}") }
    let isCut = bytes.count < Int(length)
    if !isCut {
      guard let text = WireValue.text(Array(bytes), format: format, type: type) else { return hex(bytes, length: nil) }
      return string(text)
    }
    // What is left of a cut text ends between two characters; of anything else it is bytes.
    guard format == 0 || WireValue.isText(type), let text = WireValue.front(of: Array(bytes)) else {
      return hex(bytes, length: length)
    }
    raw("{\"text\":")
    string(text)
    field("bytes", length)
    raw("}")
  }

  private mutating func hex(_ bytes: UnsafeRawBufferPointer, length: Int32?) {
    raw("{\"hex\":")
    string(Array(bytes).hex)
    if let length { field("bytes", length) }
    raw("}")
  }
}

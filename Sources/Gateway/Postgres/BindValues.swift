import AccessModel

/// The values of a Bind, for people who decide on it.
enum BindValues {
  /// Values and characters of each that are shown.
  private static let limit = 100
  private static let length = 200

  /// Each value as text: what was sent as text, or the bytes in hexadecimal; nil where it is not what it should be.
  static func readable(_ parameters: Parameters) -> [String]? {
    if parameters.count == 0 { return [] }
    var bytes = parameters.encoded[...]
    guard parameters.isWhole, let formats = take(2, &bytes) else { return nil }
    var codes: [Int] = []
    for _ in 0..<formats {
      guard let code = take(2, &bytes) else { return nil }
      codes.append(code)
    }
    guard let count = take(2, &bytes) else { return nil }
    var values: [String] = []
    for index in 0..<min(count, limit) {
      guard let size = take(4, &bytes) else { return nil }
      // All ones: NULL.
      if size == Int(UInt32.max) {
        values.append("NULL")
        continue
      }
      guard bytes.count >= size else { return nil }
      let isBinary = (codes.count == 1 ? codes[0] : index < codes.count ? codes[index] : 0) != 0
      values.append(isBinary ? hexadecimal(bytes.prefix(size)) : text(bytes.prefix(size)))
      bytes = bytes.dropFirst(size)
    }
    if count > limit { values.append("and \(count - limit) more") }
    return values
  }

  private static func take(_ size: Int, _ bytes: inout ArraySlice<UInt8>) -> Int? {
    guard bytes.count >= size else { return nil }
    defer { bytes = bytes.dropFirst(size) }
    return bytes.prefix(size).reduce(0) { $0 << 8 | Int($1) }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    let text = String(decoding: bytes.prefix(length), as: UTF8.self)
    return "'\(text)'" + (bytes.count > length ? "… (\(bytes.count) bytes)" : "")
  }

  private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
    let digits = bytes.prefix(length / 2).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
    return "\\x\(digits)" + (bytes.count > length / 2 ? "… (\(bytes.count) bytes)" : "")
  }
}

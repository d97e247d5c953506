import AccessModel

extension WireFrame {
  /// The message as a transcript spells it, for people who compare; a malformed one as `Raw`.
  func spelled(from side: Side) -> String {
    var reader = WireReader(body)
    let text: String?
    switch side {
    case .client: text = spelledFromClient(&reader)
    case .backend: text = spelledFromBackend(&reader)
    }
    guard let text, reader.isAtEnd else {
      return "Raw \(String(decoding: [tag], as: UTF8.self)) \(WireToken.quote(body))"
    }
    return text
  }

  private func spelledFromClient(_ reader: inout WireReader) -> String? {
    switch tag {
    case UInt8(ascii: "Q"): return reader.joined("Query", [reader.string()])
    case UInt8(ascii: "P"):
      let names = [reader.string(), reader.string()]
      return reader.joined("Parse", names + reader.list { $0.integer(UInt32.self) }.dropFirst())
    case UInt8(ascii: "B"):
      let names = [reader.string(), reader.string()]
      return reader.joined(
        "Bind",
        names + reader.list { $0.integer(Int16.self) } + reader.list { $0.value() }
          + reader.list { $0.integer(Int16.self) })
    case UInt8(ascii: "D"): return reader.joined("Describe", [reader.character(), reader.string()])
    case UInt8(ascii: "C"): return reader.joined("Close", [reader.character(), reader.string()])
    case UInt8(ascii: "E"): return reader.joined("Execute", [reader.string(), reader.integer(Int32.self)])
    case UInt8(ascii: "S"): return "Sync"
    case UInt8(ascii: "H"): return "Flush"
    case UInt8(ascii: "X"): return "Terminate"
    case UInt8(ascii: "d"): return "CopyData \(reader.all())"
    case UInt8(ascii: "c"): return "CopyDone"
    case UInt8(ascii: "f"): return reader.joined("CopyFail", [reader.string()])
    case UInt8(ascii: "F"):
      let oid = [reader.integer(UInt32.self)]
      return reader.joined(
        "FunctionCall",
        oid + reader.list { $0.integer(Int16.self) } + reader.list { $0.value() } + [reader.integer(Int16.self)])
    case _: return nil
    }
  }

  private func spelledFromBackend(_ reader: inout WireReader) -> String? {
    switch tag {
    case UInt8(ascii: "1"): return "ParseComplete"
    case UInt8(ascii: "2"): return "BindComplete"
    case UInt8(ascii: "3"): return "CloseComplete"
    case UInt8(ascii: "n"): return "NoData"
    case UInt8(ascii: "s"): return "PortalSuspended"
    case UInt8(ascii: "I"): return "EmptyQueryResponse"
    case UInt8(ascii: "T"):
      return reader.joined(
        "RowDescription",
        reader.list {
          let parts = [
            $0.string(), $0.integer(UInt32.self), $0.integer(Int16.self), $0.integer(UInt32.self),
            $0.integer(Int16.self), $0.integer(Int32.self), $0.integer(Int16.self),
          ]
          return parts.contains(nil) ? nil : parts.compactMap { $0 }.joined(separator: " ")
        }.dropFirst())
    case UInt8(ascii: "D"): return reader.joined("DataRow", reader.list { $0.value() }.dropFirst())
    case UInt8(ascii: "C"): return reader.joined("CommandComplete", [reader.string()])
    case UInt8(ascii: "Z"): return reader.joined("ReadyForQuery", [reader.character()])
    case UInt8(ascii: "t"):
      return reader.joined("ParameterDescription", reader.list { $0.integer(UInt32.self) }.dropFirst())
    case UInt8(ascii: "S"): return reader.joined("ParameterStatus", [reader.string(), reader.string()])
    case UInt8(ascii: "A"):
      return reader.joined("NotificationResponse", [reader.integer(Int32.self), reader.string(), reader.string()])
    case UInt8(ascii: "G"):
      return reader.joined(
        "CopyInResponse", [reader.integer(Int8.self)] + reader.list { $0.integer(Int16.self) }.dropFirst())
    case UInt8(ascii: "H"):
      return reader.joined(
        "CopyOutResponse", [reader.integer(Int8.self)] + reader.list { $0.integer(Int16.self) }.dropFirst())
    case UInt8(ascii: "W"):
      return reader.joined(
        "CopyBothResponse", [reader.integer(Int8.self)] + reader.list { $0.integer(Int16.self) }.dropFirst())
    case UInt8(ascii: "V"): return reader.joined("FunctionCallResponse", [reader.value()])
    case UInt8(ascii: "d"): return "CopyData \(reader.all())"
    case UInt8(ascii: "c"): return "CopyDone"
    case UInt8(ascii: "E"): return reader.fields().map { "ErrorResponse" + $0 }
    case UInt8(ascii: "N"): return reader.fields().map { "NoticeResponse" + $0 }
    case _: return nil
    }
  }
}

/// Reads the fields of a body as words; nil where the body is malformed.
struct WireReader {
  private var rest: ArraySlice<UInt8>

  init(_ body: [UInt8]) { rest = body[...] }

  var isAtEnd: Bool { rest.isEmpty }

  func joined(_ name: String, _ words: some Sequence<String?>) -> String? {
    var line = name
    for word in words {
      guard let word else { return nil }
      line += " " + word
    }
    return line
  }

  mutating func all() -> String {
    defer { rest = [] }
    return WireToken.quote(rest)
  }

  mutating func character() -> String? { rest.popFirst().map { String(decoding: [$0], as: UTF8.self) } }

  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> String? { number(type).map { "\($0)" } }

  private mutating func number<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
    let size = Value.bitWidth / 8
    guard rest.count >= size else { return nil }
    defer { rest = rest.dropFirst(size) }
    return rest.prefix(size).reduce(Value.zero) { (($0 << 7) << 1) | Value(truncatingIfNeeded: $1) }
  }

  private mutating func cstring() -> ArraySlice<UInt8>? {
    guard let end = rest.firstIndex(of: 0) else { return nil }
    defer { rest = rest[(end + 1)...] }
    return rest[..<end]
  }

  mutating func string() -> String? { cstring().map { WireToken.quote($0) } }

  mutating func value() -> String? {
    guard let length = number(Int32.self) else { return nil }
    if length == -1 { return "NULL" }
    guard length >= 0, rest.count >= Int(length) else { return nil }
    defer { rest = rest.dropFirst(Int(length)) }
    return WireToken.quote(rest.prefix(Int(length)))
  }

  /// A count and its items, each a word.
  mutating func list(_ item: (inout WireReader) -> String?) -> [String?] {
    guard let count = number(Int16.self), count >= 0 else { return [nil, nil] }
    var words: [String?] = ["\(count)"]
    for _ in 0..<count {
      let word = item(&self)
      words.append(word)
      if word == nil { break }
    }
    return words
  }

  mutating func fields() -> String? {
    var line = ""
    var severity: ArraySlice<UInt8>?
    while let code = rest.popFirst(), code != 0 {
      guard let value = cstring() else { return nil }
      if code == UInt8(ascii: "V"), value == severity { continue }
      if code == UInt8(ascii: "S") { severity = value }
      line += " \(String(decoding: [code], as: UTF8.self)) \(WireToken.quote(value))"
    }
    return line
  }
}

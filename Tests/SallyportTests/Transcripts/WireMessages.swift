import AccessModel

extension WireFrame {
  /// The message that a line spells, as `side` would send it.
  init(_ line: String, from side: Side) throws {
    let tokens = try WireToken.split(line)
    guard case .word(let name) = tokens.first else { throw TranscriptMistake("a message begins with its name") }
    var words = WireWords(name, tokens.dropFirst())
    if name == "Raw" {
      guard let tag = try words.word().utf8.first else { throw TranscriptMistake("Raw needs a type") }
      self.init(tag: tag, body: try words.text())
    } else if name == "CopyData" {
      self.init(tag: UInt8(ascii: "d"), body: try words.text())
    } else if name == "CopyDone" {
      self.init(tag: UInt8(ascii: "c"), body: [])
    } else {
      switch side {
      case .client: self = try WireFrame.fromClient(name, &words)
      case .backend: self = try WireFrame.fromBackend(name, &words)
      }
    }
    guard words.isEmpty else { throw TranscriptMistake("\(name) has more words than it can take") }
  }

  private static func fromClient(_ name: String, _ words: inout WireWords) throws -> WireFrame {
    func frame(_ tag: Character, _ body: [UInt8] = []) -> WireFrame { WireFrame(tag: tag.asciiValue ?? 0, body: body) }
    switch name {
    case "Query": return frame("Q", try words.string())
    case "Parse":
      return frame("P", try words.string() + words.string() + words.rest { try $0.encoded(UInt32.self) })
    case "Bind":
      return frame(
        "B",
        try words.string() + words.string() + words.list { try $0.encoded(Int16.self) } + words.list { try $0.value() }
          + words.list { try $0.encoded(Int16.self) })
    case "Describe": return frame("D", try Array(words.word().utf8) + words.string())
    case "Close": return frame("C", try Array(words.word().utf8) + words.string())
    case "Execute": return frame("E", try words.string() + words.encoded(Int32.self))
    case "Sync": return frame("S")
    case "Flush": return frame("H")
    case "Terminate": return frame("X")
    case "CopyFail": return frame("f", try words.string())
    case "FunctionCall":
      return frame(
        "F",
        try words.encoded(UInt32.self) + words.list { try $0.encoded(Int16.self) } + words.list { try $0.value() }
          + words.encoded(Int16.self))
    case let other: throw TranscriptMistake("a client sends no \(other)")
    }
  }

  private static let emptyBodies: [String: Character] = [
    "ParseComplete": "1", "BindComplete": "2", "CloseComplete": "3", "NoData": "n", "PortalSuspended": "s",
    "EmptyQueryResponse": "I",
  ]

  private static func fromBackend(_ name: String, _ words: inout WireWords) throws -> WireFrame {
    func frame(_ tag: Character, _ body: [UInt8] = []) -> WireFrame { WireFrame(tag: tag.asciiValue ?? 0, body: body) }
    if let tag = emptyBodies[name] { return frame(tag) }
    switch name {
    case "RowDescription":
      return frame(
        "T",
        try words.rest {
          try $0.string() + $0.encoded(UInt32.self) + $0.encoded(Int16.self) + $0.encoded(UInt32.self)
            + $0.encoded(Int16.self) + $0.encoded(Int32.self) + $0.encoded(Int16.self)
        })
    case "DataRow": return frame("D", try words.rest { try $0.value() })
    case "CommandComplete": return frame("C", try words.string())
    case "ReadyForQuery": return frame("Z", Array(try words.word().utf8))
    case "ParameterDescription": return frame("t", try words.rest { try $0.encoded(UInt32.self) })
    case "ParameterStatus": return frame("S", try words.string() + words.string())
    case "NotificationResponse":
      return frame("A", try words.encoded(Int32.self) + words.string() + words.string())
    case "CopyInResponse":
      return frame("G", try words.encoded(Int8.self) + words.rest { try $0.encoded(Int16.self) })
    case "CopyOutResponse":
      return frame("H", try words.encoded(Int8.self) + words.rest { try $0.encoded(Int16.self) })
    case "CopyBothResponse":
      return frame("W", try words.encoded(Int8.self) + words.rest { try $0.encoded(Int16.self) })
    case "FunctionCallResponse": return frame("V", try words.value())
    case "ErrorResponse": return frame("E", try fields(&words))
    case "NoticeResponse": return frame("N", try fields(&words))
    case let other: throw TranscriptMistake("a backend sends no \(other)")
    }
  }

  /// Pairs of code and text. Field V, which repeats S, stands behind it without being spelled, as libpq's trace leaves
  /// it out; `no-V` says that it is missing.
  private static func fields(_ words: inout WireWords) throws -> [UInt8] {
    var body: [UInt8] = []
    var hasV = true
    while !words.isEmpty {
      let code = try words.word()
      if code == "no-V" {
        hasV = false
        continue
      }
      let value = try words.string()
      body += code.utf8 + value
      if code == "S", hasV { body += [UInt8(ascii: "V")] + value }
    }
    return body + [0]
  }
}

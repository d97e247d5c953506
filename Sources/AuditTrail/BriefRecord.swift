import AccessModel
import Detection
import Enforcement

/// The two records that every statement makes, in few bytes, so that what is hashed fits one block.
///
/// A payload that does not begin with `{`. Numbers are LEB128, seven bits a byte with the lowest first; a name is its
/// length in one byte and its UTF-8. What does not fit is written as JSON.
///
///     1 permitted: flags u8, session's name, command, [parameters, their bytes,] records back to the one with the
///                  shape, [length of the text, the text,] [zero and `BoundValues` up to the end]
///     2 finished:  ending u8, session's name, command, µs, rows, bytes, tag, SQLSTATE
///
/// Readers see the JSON that `EventWriter` writes, see `PayloadExpansion`.
enum BriefRecord {
  enum Kind: UInt8 { case permitted = 1, finished = 2 }

  /// What a permitted command's flags say.
  struct Flags: OptionSet {
    let rawValue: UInt8
    static let prepares = Flags(rawValue: 1)
    static let hasParameters = Flags(rawValue: 2)
    /// The text is here, and not that of the record named.
    static let hasText = Flags(rawValue: 4)
    /// Passwords were taken out of it.
    static let isRedacted = Flags(rawValue: 8)
  }

  /// The longest name, in bytes.
  static let nameLimit = 127
  /// What either record takes at most, without a text.
  static let limit = 3 * (nameLimit + 1) + 6 * 10

  /// By `endingCode`.
  static let endings: [Outcome.Ending] = [.completed, .suspended, .failed, .skipped, .lost]

  static func code(of ending: Outcome.Ending) -> UInt8 {
    switch ending {
    case .completed: 0
    case .suspended: 1
    case .failed: 2
    case .skipped: 3
    case .lost: 4
    }
  }
}

extension JSONWriter {
  /// A permitted command whose shape, and unless a `text` is given its text too, is that of the record `distance` back.
  /// Returns false, with nothing written, when that cannot be said in brief.
  @inline(__always)
  mutating func briefly(
    permitted id: CommandID, _ command: Command, session: String, _ values: ValueDisclosure, back distance: UInt64,
    _ text: KeptText?
  ) -> Bool {
    guard session.utf8.count <= BriefRecord.nameLimit else { return false }
    if let text, text.content.utf8.count > RecordLimits.text || text.concealed != nil { return false }
    write(upTo: BriefRecord.limit) { bytes in
      var flags: BriefRecord.Flags = command.stage == .prepare ? .prepares : []
      // Where values are recorded they say how many they are.
      let hasParameters = values == .omitted && command.parameters.count > 0
      if hasParameters { flags.insert(.hasParameters) }
      if let text { flags.formUnion(text.isRedacted ? [.hasText, .isRedacted] : .hasText) }
      bytes.put(BriefRecord.Kind.permitted.rawValue)
      bytes.put(flags.rawValue)
      bytes.put(name: session)
      bytes.put(number: id.rawValue)
      if hasParameters {
        bytes.put(number: UInt64(truncatingIfNeeded: command.parameters.count))
        bytes.put(number: UInt64(truncatingIfNeeded: command.parameters.byteCount))
      }
      bytes.put(number: distance)
      if let text { bytes.put(number: UInt64(text.content.utf8.count)) }
    }
    if let text { append(utf8Of: text.content) }
    return true
  }

  /// How a command ended. Returns false, with nothing written, when that cannot be said in brief.
  @inline(__always)
  mutating func briefly(finished id: CommandID, _ outcome: Outcome, duration: Int64, session: String) -> Bool {
    guard outcome.masked.isEmpty, outcome.wouldMask.isEmpty, session.utf8.count <= BriefRecord.nameLimit,
      outcome.tag.utf8.count <= BriefRecord.nameLimit, outcome.errorCode.utf8.count <= 5, duration >= 0,
      outcome.rows >= 0, outcome.bytes >= 0
    else { return false }
    write(upTo: BriefRecord.limit) { bytes in
      bytes.put(BriefRecord.Kind.finished.rawValue)
      bytes.put(BriefRecord.code(of: outcome.ending))
      bytes.put(name: session)
      bytes.put(number: id.rawValue)
      bytes.put(number: UInt64(bitPattern: duration))
      bytes.put(number: UInt64(bitPattern: Int64(outcome.rows)))
      bytes.put(number: UInt64(bitPattern: Int64(outcome.bytes)))
      bytes.put(name: outcome.tag)
      bytes.put(name: outcome.errorCode)
    }
    return true
  }
}

/// A text as a record keeps it: without passwords, and with `[email]` and the like where detectors found something.
struct KeptText {
  var content: String
  /// Passwords were taken out.
  var isRedacted: Bool
  var concealed: ConcealedValues?
}

extension KeptText {
  init(of facts: CommandFacts, _ detectors: DetectorSet?) {
    let redacted =
      switch facts.shape.detail {
      case .sql: PasswordRedaction.redact(facts.text)
      case .ssh(let detail): PasswordRedaction.redact(shell: facts.text, detail)
      }
    let text = redacted ?? facts.text
    self.init(
      content: detectors?.masked(text) ?? text, isRedacted: redacted != nil, concealed: facts.concealed)
  }
}

/// Bytes that are written one behind the other into room that is there.
struct BriefCursor {
  private(set) var position: UnsafeMutableRawPointer

  init(_ start: UnsafeMutableRawPointer) { position = start }

  @inline(__always)
  mutating func put(_ byte: UInt8) {
    position.storeBytes(of: byte, as: UInt8.self)
    position += 1
  }

  @inline(__always)
  mutating func put(number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      put(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    put(UInt8(truncatingIfNeeded: rest))
  }

  /// At most `BriefRecord.nameLimit` bytes.
  @inline(__always)
  mutating func put(name: String) {
    let count = name.utf8.count
    put(UInt8(truncatingIfNeeded: count))
    if count == 0 { return }
    var name = name
    name.withUTF8 { utf8 in
      if let start = utf8.baseAddress { position.copyMemory(from: start, byteCount: utf8.count) }
    }
    position += count
  }
}

/// A brief record as it is read; nil for what is none.
struct BriefReader {
  /// The members of the JSON, from the brace on, without the closing one; what has a default is missing.
  private(set) var head: [UInt8]
  /// How many records back the one with the shape is; nil for a record without.
  private(set) var distance: UInt64?
  /// The member `text` and what belongs to it, where the text is its own.
  private(set) var text: [UInt8]?
  /// What is stored of bound values.
  private(set) var values: ArraySlice<UInt8>?

  init?(_ payload: [UInt8]) {
    var rest = Slice(payload)
    guard let kind = rest.byte().flatMap(BriefRecord.Kind.init) else { return nil }
    var writer = JSONWriter()
    switch kind {
    case .permitted:
      guard let flags = rest.byte().map(BriefRecord.Flags.init(rawValue:)), let session = rest.name(),
        let id = rest.number()
      else { return nil }
      var parameters = Parameters.none
      if flags.contains(.hasParameters) {
        guard let count = rest.number(), let bytes = rest.number() else { return nil }
        parameters = Parameters(
          count: Int(truncatingIfNeeded: count), front: [], byteCount: Int(truncatingIfNeeded: bytes),
          isObtainable: false)
      }
      guard let distance = rest.number() else { return nil }
      self.distance = distance
      writer.decided(
        CommandID(id), stage: flags.contains(.prepares) ? .prepare : .execute, parameters, session: session,
        action: .permit, values: .omitted)
      if flags.contains(.hasText) {
        guard let length = rest.number(), let content = rest.text(length) else { return nil }
        var own = JSONWriter()
        own.text(KeptText(content: content, isRedacted: flags.contains(.isRedacted)))
        text = own.bytes
      }
      values = rest.values()
    case .finished:
      guard let code = rest.byte(), Int(code) < BriefRecord.endings.count, let session = rest.name(),
        let id = rest.number(), let duration = rest.number(), let rows = rest.number(), let bytes = rest.number(),
        let tag = rest.name(), let error = rest.name()
      else { return nil }
      let outcome = Outcome(
        ending: BriefRecord.endings[Int(code)], tag: tag, errorCode: error, rows: Int(truncatingIfNeeded: rows),
        bytes: Int(truncatingIfNeeded: bytes))
      writer.finished(CommandID(id), outcome, duration: Int64(bitPattern: duration), session: session)
    }
    guard rest.isEmpty else { return nil }
    head = writer.bytes
  }

  /// What of a payload is still to be read.
  private struct Slice {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isEmpty: Bool { position == bytes.count }

    mutating func byte() -> UInt8? {
      guard position < bytes.count else { return nil }
      defer { position += 1 }
      return bytes[position]
    }

    mutating func number() -> UInt64? {
      var number: UInt64 = 0
      for shift in stride(from: UInt64(0), to: 64, by: 7) {
        guard let byte = byte() else { return nil }
        let bits = UInt64(byte & 0x7F)
        guard (bits << shift) >> shift == bits else { return nil }
        number |= bits << shift
        if byte < 0x80 { return number }
      }
      return nil
    }

    mutating func name() -> String? { byte().flatMap { text(UInt64($0)) } }

    mutating func text(_ length: UInt64) -> String? {
      guard length <= UInt64(bytes.count - position) else { return nil }
      defer { position += Int(length) }
      return String(validating: bytes[position..<(position + Int(length))], as: UTF8.self)
    }

    /// What is behind a zero byte, if there is one here.
    mutating func values() -> ArraySlice<UInt8>? {
      guard position < bytes.count, bytes[position] == 0 else { return nil }
      defer { position = bytes.count }
      return bytes[(position + 1)...]
    }
  }
}

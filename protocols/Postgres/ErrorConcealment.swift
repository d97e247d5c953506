import AccessModel
import NIOCore

/// Says which errors and notices of the backend may hold masked values (DECISIONS 19). Asked for each of them, so it
/// answers at once; it does not call the session.
public protocol ErrorConcealment: AnyObject {
  /// The rule that hides what the backend says of this command; nil when it may be told. Without a command it is about
  /// what a transaction left open.
  func rule(hiding id: CommandID?) -> String?
}

extension PostgresSession {
  /// A notice passes, or is told without its words.
  mutating func takeNotice(_ header: FrameHeader, _ body: ByteBuffer) throws(ProtocolError) {
    beginProgressIfNeeded()
    guard let hidden = concealed(try ErrorFields.decode(body, from: .backend)) else { return backend.pass(header) }
    backend.drop(header)
    var notice = ByteBuffer()
    hidden.encodeNotice(into: &notice)
    backend.inject(notice)
  }

  /// What the client is told in place of these fields; nil when they pass.
  func concealed(_ fields: ErrorFields) -> ErrorFields? {
    guard maskable, !fields.isHarmless else { return contents.flatMap { fields.hiding($0) } }
    let command: CommandID?
    switch replies.head {
    case .query(let id), .functionCall(let id), .bind(let id, _), .execute(let id, _): command = id
    // What is wrong with a text is found out before any row is read.
    case .parse, .describeStatement, .describePortal, .injectedDescribe, .closeStatement, .closePortal, .catalog,
      .failingQuery, .failingParse:
      return contents.flatMap { fields.hiding($0) }
    case .sync, .none: command = nil
    }
    let rule = concealment.map { $0.rule(hiding: command) } ?? "masking"
    return rule.map { fields.withoutWords(rule: $0) } ?? contents.flatMap { fields.hiding($0) }
  }
}

extension ErrorFields {
  private static let context = UInt8(ascii: "W")
  private static let internalQuery = UInt8(ascii: "q")
  /// Severity, SQLSTATE, position, and names of schema, table, column, type and constraint.
  private static let kept = Set("SVCPstcdn".utf8)

  /// Classes of which no message holds a value of a row: connections, transaction states, cancellations, resources.
  private static let harmless: Set<String> = ["00", "08", "25", "26", "28", "34", "3B", "3D", "40", "53", "57"]
  /// Names of cursors and prepared statements that are taken: the client gave them.
  private static let harmlessCodes: Set<String> = ["42P03", "42P05"]

  /// True when nothing in it can come out of a row. Faults in a text are found where the parser points at it; with a
  /// context, or without a position, the same codes come from code that ran.
  var isHarmless: Bool {
    let code = self[ErrorFields.sqlState] ?? ""
    let isPlain = self[ErrorFields.context] == nil && self[ErrorFields.internalQuery] == nil
    if code == "42501" { return isPlain && self[ErrorFields.detail] == nil }
    if ErrorFields.harmless.contains(String(code.prefix(2))) || ErrorFields.harmlessCodes.contains(code) {
      return isPlain
    }
    return code.hasPrefix("42") && isPlain && self[ErrorFields.position] != nil
  }

  /// The same without what its author wrote.
  func withoutWords(rule: String) -> ErrorFields {
    var hidden = self
    hidden.fields.removeAll { !ErrorFields.kept.contains($0.code) }
    let message = ErrorFields.standardText(self[ErrorFields.sqlState] ?? "")
    hidden.fields.append(Field(code: ErrorFields.message, value: ByteBuffer(string: message)))
    hidden.fields.append(
      Field(
        code: ErrorFields.detail,
        value: ByteBuffer(string: "What the database said may hold masked values, which rule \"\(rule)\" hides.")))
    return hidden
  }

  /// What the SQLSTATE means (PostgreSQL 15, appendix A).
  private static func standardText(_ code: String) -> String {
    texts[code] ?? classTexts[String(code.prefix(2))] ?? "error \(code)"
  }

  private static let texts = [
    "22001": "string data right truncation", "22003": "numeric value out of range", "22007": "invalid datetime format",
    "22008": "datetime field overflow", "22012": "division by zero", "22P02": "invalid text representation",
    "22P03": "invalid binary representation", "23502": "not null violation", "23503": "foreign key violation",
    "23505": "unique violation", "23514": "check violation", "23P01": "exclusion violation",
    "P0001": "raised by a function",
  ]

  private static let classTexts = [
    "01": "warning", "22": "data exception", "23": "integrity constraint violation", "2F": "SQL routine exception",
    "42": "syntax error or access rule violation", "54": "program limit exceeded",
    "55": "object not in prerequisite state", "58": "system error", "P0": "error in a function", "XX": "internal error",
  ]
}

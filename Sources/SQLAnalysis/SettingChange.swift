/// One change of a session setting that a text states literally: SET, RESET or set_config.
public struct SettingChange: Hashable, Sendable {
  /// Lower case; `all` for RESET ALL and DISCARD ALL.
  public var name: String
  /// As PostgreSQL receives it; elements of a list are joined by `, `. nil when it is not literal, or when the setting
  /// goes back to its default.
  public var value: String?
  /// RESET, or SET … TO DEFAULT: back to what the session started with.
  public var isReset: Bool
  /// SET LOCAL, or set_config with its third argument not false: until the transaction ends.
  public var isLocal: Bool

  public init(name: String, value: String?, isReset: Bool = false, isLocal: Bool = false) {
    self.name = name.lowercased()
    self.value = value
    self.isReset = isReset
    self.isLocal = isLocal
  }

  /// Why this change would let the backend read the next text otherwise than the analyser does.
  public enum Danger: String, Hashable, Sendable {
    /// Backslashes would escape quotes in plain strings.
    case backslashes = "standard_conforming_strings must stay on"
    /// A byte of a character may look like a quote or a backslash.
    case encoding = "client_encoding must be one in which every ASCII byte stands for itself"
  }

  /// nil when the change is safe. A value that is not literal is not. (DECISIONS 6.)
  public var danger: Danger? {
    if isReset { return nil }
    if name == "standard_conforming_strings" { return isCertainlyTrue ? nil : .backslashes }
    if name == "client_encoding" { return isSafeEncoding ? nil : .encoding }
    return nil
  }

  public var isUnsafe: Bool { danger != nil }

  /// The settings whose value decides how a text is read or who runs it.
  static func isSensitive(_ name: String) -> Bool {
    name == "standard_conforming_strings" || name == "client_encoding" || isIdentity(name)
  }

  /// The settings that change who the session is.
  static func isIdentity(_ name: String) -> Bool { name == "role" || name == "session_authorization" }

  /// As PostgreSQL's parse_bool reads it: unique beginnings of true, yes, on; or 1.
  private var isCertainlyTrue: Bool {
    guard let value = value?.lowercased() else { return false }
    return ["t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"].contains(value)
  }

  /// The safe ones by name, letters and digits only as PostgreSQL compares them (encnames.c); what is not listed is
  /// not safe: SJIS, BIG5, GBK, UHC, GB18030, JOHAB, SHIFT_JIS_2004 and what may come.
  private var isSafeEncoding: Bool {
    guard let value else { return false }
    let name = value.lowercased().filter { $0.isLetter || $0.isNumber }
    if SettingChange.safeNames.contains(name) { return true }
    return SettingChange.safeFamilies.contains { family, members in
      name.hasPrefix(family) && members.contains(String(name.dropFirst(family.count)))
    }
  }

  private static let safeNames: Set<String> = [
    "utf8", "unicode", "sqlascii", "muleinternal", "abc", "tcvn", "tcvn5712", "vscii", "alt", "win", "koi8",
  ]

  private static let safeFamilies: [(String, Set<String>)] = [
    ("latin", Set((1...10).map(String.init))),
    ("iso8859", Set((1...16).map(String.init))),
    ("win", ["866", "874", "1250", "1251", "1252", "1253", "1254", "1255", "1256", "1257", "1258"]),
    ("windows", ["866", "874", "1250", "1251", "1252", "1253", "1254", "1255", "1256", "1257", "1258"]),
    ("koi8", ["r", "u"]),
    ("euc", ["jp", "cn", "kr", "tw", "jis2004"]),
  ]
}

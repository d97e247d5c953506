/// The settings that decide which schemas names without one are looked for in, as the backend spells them.
public struct SearchPath: Hashable, Sendable {
  /// As `SHOW search_path` tells.
  public var setting: String
  /// Whose privileges count, and who `"$user"` is.
  public var user: String

  public init(setting: String, user: String) {
    self.setting = setting
    self.user = user
  }

  /// The schemas that the setting names, in order, folded and unquoted as PostgreSQL does it (SplitIdentifierString,
  /// varlena.c); nil when it is not a list of names.
  public var entries: [String]? {
    var entries: [String] = []
    var rest = Substring(setting).drop(while: SearchPath.isSpace)[...]
    if rest.isEmpty { return [] }
    while true {
      guard let name = SearchPath.takeName(&rest) else { return nil }
      entries.append(name)
      rest = rest.drop(while: SearchPath.isSpace)
      guard let next = rest.popFirst() else { return entries }
      guard next == "," else { return nil }
      rest = rest.drop(while: SearchPath.isSpace)
    }
  }

  private static func takeName(_ rest: inout Substring) -> String? {
    guard rest.first == "\"" else {
      let name = rest.prefix { $0 != "," && $0 != "\"" && !isSpace($0) }
      rest = rest.dropFirst(name.count)
      // Folding beyond ASCII depends on the backend's locale.
      guard !name.isEmpty, name.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
      return cut(name.lowercased())
    }
    rest = rest.dropFirst()
    var name = ""
    while let character = rest.popFirst() {
      guard character == "\"" else {
        name.append(character)
        continue
      }
      guard rest.first == "\"" else { return name.isEmpty ? nil : cut(name) }
      rest = rest.dropFirst()
      name.append("\"")
    }
    return nil
  }

  /// NAMEDATALEN cuts longer names, perhaps inside a character: what then is named is not said.
  private static func cut(_ name: String) -> String? { name.utf8.count < 64 ? name : nil }

  private static func isSpace(_ character: Character) -> Bool {
    character == " " || character == "\t" || character == "\n" || character == "\r" || character == "\u{0b}"
      || character == "\u{0c}" || character == "\r\n"
  }
}

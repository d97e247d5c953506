import AccessModel

/// SET, RESET, DISCARD, and the literals in them.
extension StatementWalk {
  mutating func set(_ item: Item) {
    // Inside ALTER ROLE, ALTER SYSTEM and CREATE FUNCTION it changes nothing of this session.
    if !item.isStatement { return }
    kinds.insert(.set)
    let name = (tape.text(item.node, .name) ?? "").lowercased()
    let isLocal = tape.flag(item.node, .isLocal)
    switch tape.text(item.node, .kind) ?? "" {
    case "VAR_SET_VALUE":
      settings.append(SettingChange(name: name, value: value(item.node), isLocal: isLocal))
    case "VAR_SET_DEFAULT", "VAR_RESET":
      settings.append(SettingChange(name: name, value: nil, isReset: true, isLocal: isLocal))
    case "VAR_RESET_ALL": settings.append(SettingChange(name: "all", value: nil, isReset: true))
    // SET TRANSACTION and SET SESSION CHARACTERISTICS: isolation and read only, never how text is read.
    case "VAR_SET_MULTI": return
    default: unknown()
    }
    if SettingChange.isIdentity(name) { effects.insert(.administer) }
  }

  mutating func discard(_ node: UInt32) {
    kinds.insert(.other)
    if tape.text(node, .target) == "DISCARD_ALL" {
      settings.append(SettingChange(name: "all", value: nil, isReset: true))
    }
  }

  /// The value of SET, nil unless it is literal.
  private func value(_ node: UInt32) -> String? {
    let list = tape.child(node, .args)
    if list == 0 { return nil }
    var parts: [String] = []
    for argument in tape.children(list) {
      guard let part = literal(argument) else { return nil }
      parts.append(part)
    }
    return parts.joined(separator: ", ")
  }

  /// What a constant says, as text; nil for NULL.
  func constant(_ node: UInt32) -> String? {
    for child in tape.children(node) {
      switch tape[child].field {
      case .sval: return tape.text(child, .sval) ?? ""
      case .fval: return tape.text(child, .fval)
      case .boolval: return tape.flag(child, .boolval) ? "true" : "false"
      case .ival:
        // libpg_query writes neither 0 nor negative numbers; the text knows which it was.
        let number = tape.child(child, .ival)
        return number != 0 ? tape.text(number) : integer(node)
      default: continue
      }
    }
    return nil
  }

  /// The digits at a constant's place in the text.
  private func integer(_ node: UInt32) -> String? {
    guard let offset = tape.location(node), offset < source.utf8.count else { return nil }
    var digits = ""
    for byte in source.utf8.dropFirst(offset) {
      if byte == UInt8(ascii: "-"), digits.isEmpty {
        digits = "-"
        continue
      }
      if byte == UInt8(ascii: " "), digits == "-" { continue }
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits.count < 20 else { break }
      digits.unicodeScalars.append(Unicode.Scalar(byte))
    }
    return digits.isEmpty || digits == "-" ? nil : digits
  }
}

import AccessModel

/// How a COPY to the client writes its rows, from its options (PostgreSQL 15, ProcessCopyOptions in copy.c).
extension LineageWalk {
  /// Options that say nothing about what goes to the client.
  private static let idle: Set<String> = ["freeze", "force_not_null", "force_null"]
  /// Encodings in which the bytes of ASCII mean ASCII, so that delimiters are found.
  private static let encodings: Set<String> = ["utf8", "unicode", "sqlascii", "latin1", "iso88591"]

  /// Terms of the statement at that node, which copies these rows.
  func readCopyTerms(_ node: UInt32, _ rows: SourceRows) -> CopyTerms {
    let list = tape.child(node, .options)
    let options = list == 0 ? [] : Array(tape.children(list))
    var terms = CopyTerms(format(options), columns: columns(of: rows))
    var quoted: Set<String> = []
    var escape: UInt8?
    for option in options {
      let name = tape.text(option, .defname)?.lowercased() ?? ""
      let argument = tape.child(option, .arg)
      switch name {
      case "format": if format(argument) == nil { terms.obstacle = "its format is not known" }
      case "delimiter": terms.delimiter = character(argument, name, &terms)
      case "quote": terms.quote = character(argument, name, &terms)
      case "escape": escape = character(argument, name, &terms)
      case "null":
        terms.null = Array((word(argument) ?? "").utf8)
        // In another encoding those bytes would be others.
        if terms.null.contains(where: { $0 >= 0x80 || $0 == 0x0A || $0 == 0x0D }) {
          terms.obstacle = "what stands for NULL is not plain ASCII"
        }
      case "header":
        guard let isOn = boolean(argument) else {
          terms.obstacle = "HEADER is not plain"
          break
        }
        terms.hasHeader = isOn
      case "force_quote":
        if let argument = argument == 0 ? nil : argument, tape.kind(argument) == .aStar {
          quoted = ["*"]
        } else {
          quoted = Set(strings(argument == 0 ? 0 : tape.child(argument, .items)))
        }
      case "encoding":
        let plain = (word(argument) ?? "").lowercased().filter { $0.isLetter || $0.isNumber }
        if !LineageWalk.encodings.contains(plain) { terms.obstacle = "its encoding cannot be scanned safely" }
      case _: if !LineageWalk.idle.contains(name) { terms.obstacle = "its option \"\(name)\" is not known" }
      }
    }
    terms.escape = escape ?? terms.quote
    if terms.format == .csv, terms.delimiter == terms.quote { terms.obstacle = "its delimiter is its quote" }
    if !quoted.isEmpty, let columns = terms.columns {
      terms.columns = columns.map {
        CopyTerms.Column(
          name: $0.name, type: $0.type, modifier: $0.modifier,
          isQuoted: quoted.contains("*") || quoted.contains($0.name))
      }
    }
    if Set(options.map { tape.text($0, .defname)?.lowercased() ?? "" }).count < options.count {
      terms.obstacle = "an option is there twice"
    }
    return terms
  }

  private func format(_ options: [UInt32]) -> CopyTerms.Format {
    for option in options where tape.text(option, .defname)?.lowercased() == "format" {
      return format(tape.child(option, .arg)) ?? .text
    }
    return .text
  }

  /// PostgreSQL compares it as it stands.
  private func format(_ argument: UInt32) -> CopyTerms.Format? {
    switch word(argument) {
    case "text": .text
    case "csv": .csv
    case "binary": .binary
    case _: nil
    }
  }

  private func character(_ argument: UInt32, _ name: String, _ terms: inout CopyTerms) -> UInt8 {
    let bytes = Array((word(argument) ?? "").utf8)
    // Backslash and the ends of lines have meanings of their own; PostgreSQL refuses them too.
    guard bytes.count == 1, bytes[0] < 0x80, bytes[0] != 0x0A, bytes[0] != 0x0D,
      terms.format != .text || bytes[0] != UInt8(ascii: "\\")
    else {
      terms.obstacle = "its \(name) is not one plain character"
      return 0
    }
    return bytes[0]
  }

  private func word(_ argument: UInt32) -> String? {
    argument != 0 && tape.kind(argument) == .string ? tape.text(argument, .sval) ?? "" : nil
  }

  /// As defGetCopyHeaderChoice has it; nil for what PostgreSQL refuses or we do not know.
  private func boolean(_ argument: UInt32) -> Bool? {
    if argument == 0 { return true }
    switch tape.kind(argument) {
    case .boolean: return tape.flag(argument, .boolval)
    case .integer:
      let value = tape.child(argument, .ival)
      return value == 0 ? false : tape.text(value) == "1" ? true : nil
    case .string:
      switch word(argument)?.lowercased() {
      case "true", "on": return true
      case "false", "off": return false
      case _: return nil
      }
    case _: return nil
    }
  }

  /// Columns with the types of what they copy; nil when their number is not known.
  private func columns(of rows: SourceRows) -> [CopyTerms.Column]? {
    guard rows.rest == nil else { return nil }
    return rows.columns.map { column in
      guard column.source.isCopy, column.source.columns.extent == .listed else {
        return CopyTerms.Column(name: column.name)
      }
      // A path that the column went by before is none of a column.
      let known = column.source.columns.columns.compactMap { names.snapshot.column($0) }
      let types = Set(known.map(\.type))
      let modifiers = Set(known.map(\.modifier))
      return CopyTerms.Column(
        name: column.name, type: types.count == 1 ? types.first ?? 0 : 0,
        modifier: modifiers.count == 1 ? modifiers.first ?? -1 : -1)
    }
  }
}

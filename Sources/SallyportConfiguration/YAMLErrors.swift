import Yams

extension YAMLSource {
  /// Says what Yams found in terms of this file.
  func report(_ error: YamlError, in text: String) {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
      add(mark, "invalid YAML: \(sentence(context, problem))", mend(problem, context))
    case .composer(_, let problem, let mark, _):
      if problem.contains("another document") {
        add(mark, "a file holds one YAML document, and this starts another", "Put it into a file of its own.")
      } else {
        add(mark, "invalid YAML: \(problem)", mend(problem, nil))
      }
    case .duplicatedKeysInMapping(let duplicates, let context):
      let first = Place(file: file, line: context.mark.line, column: context.mark.column)
      let key = duplicates.first ?? ""
      let again = YAMLSource.repetition(of: key, after: first, in: text) ?? first
      mistakes.add(again, "\"\(key)\" is written twice", "The first is in line \(first.line); keep one of them.")
    case .reader(let problem, let offset, _, _):
      let place = offset.map { YAMLSource.place(ofCharacter: $0, in: text, file: file) }
      mistakes.add(place ?? Place(file: file, line: 0, column: 0), "invalid YAML: \(problem)")
    case .dataCouldNotBeDecoded:
      mistakes.add(Place(file: file, line: 0, column: 0), "the file is not UTF-8")
    case .no, .memory, .writer, .emitter, .representer:
      mistakes.add(Place(file: file, line: 0, column: 0), "the file cannot be read as YAML")
    }
  }

  private func add(_ mark: Mark, _ message: String, _ suggestion: String? = nil) {
    mistakes.add(Place(file: file, line: mark.line, column: mark.column), message, suggestion)
  }

  private func sentence(_ context: YamlError.Context?, _ problem: String) -> String {
    guard let context else { return problem }
    return "\(problem), \(context.text) that starts in line \(context.mark.line)"
  }

  private func mend(_ problem: String, _ context: YamlError.Context?) -> String? {
    if problem.contains("cannot start any token") {
      return "Indent with spaces, not tabs, and put text that starts with @, ` or % into quotes."
    }
    if problem.contains("mapping values are not allowed") {
      return "Check the indentation; text with a colon in it needs quotes."
    }
    if problem.contains("undefined alias") || context?.text.contains("an alias") == true {
      return "Text that starts with * needs quotes."
    }
    if problem.contains("',' or '}'") || problem.contains("',' or ']'") { return "A bracket or a comma is missing." }
    if problem.contains("expected key") || problem.contains("expected '-' indicator") {
      return "Check the indentation of this line and the one above."
    }
    return nil
  }

  /// Where a key stands for the second time; Yams knows only the first. nil when the layout is too unusual to tell.
  static func repetition(of key: String, after first: Place, in text: String) -> Place? {
    let lines = text.split(separator: /\r\n|\n|\r/, omittingEmptySubsequences: false)
    guard !key.isEmpty, lines.indices.contains(first.line - 1) else { return nil }
    let spellings = [key, "\"\(key)\"", "'\(key)'"]
    for (index, line) in lines.enumerated().dropFirst(first.line) {
      let indent = line.prefix { $0 == " " }.count
      let rest = line.dropFirst(indent)
      if rest.isEmpty || rest.hasPrefix("#") { continue }
      if indent + 1 < first.column { break }
      if indent + 1 == first.column, spellings.contains(where: { rest.startsKey($0) }) {
        return Place(file: first.file, line: index + 1, column: indent + 1)
      }
    }
    let line = lines[first.line - 1]
    for offset in line.indices.dropFirst(first.column) {
      let column = line.unicodeScalars.distance(from: line.startIndex, to: offset) + 1
      let before = line[line.index(before: offset)]
      guard before == " " || before == "{" || before == "," else { continue }
      if spellings.contains(where: { line[offset...].startsKey($0) }) {
        return Place(file: first.file, line: first.line, column: column)
      }
    }
    return nil
  }

  /// Line and column of the n-th character, counted from 0.
  static func place(ofCharacter offset: Int, in text: String, file: String) -> Place {
    var place = Place(file: file, line: 1, column: 1)
    for character in text.prefix(max(0, offset)) {
      if character.isNewline {
        place.line += 1
        place.column = 1
      } else {
        place.column += character.unicodeScalars.count
      }
    }
    return place
  }
}

extension Substring {
  /// True when it begins with this key and its colon.
  fileprivate func startsKey(_ key: String) -> Bool {
    hasPrefix(key) && dropFirst(key.count).drop { $0 == " " }.hasPrefix(":")
  }
}

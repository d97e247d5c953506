extension ConfigurationFiles {
  /// What makes these files look as if somebody had not finished writing them; nil when nothing does.
  ///
  /// A file that is cut off can be valid YAML, and lacks the rules that stood at its end (DECISIONS 26). So every file
  /// has to end with a newline, and with `...`, YAML's mark of a document's end, where the one in force does. Where
  /// nobody said that they are done (`isAsked` is false), a file that is gone, and one that is the beginning of the one
  /// in force, are taken for unfinished too.
  public func incompleteness(after old: ConfigurationFiles?, isAsked: Bool) -> DiagnosticList? {
    var mistakes = sources.compactMap { source in
      source.flaw(after: old?.sources.first { $0.file == source.file }, isAsked: isAsked)
    }
    if !isAsked, let old {
      for source in old.sources where !sources.contains(where: { $0.file == source.file }) {
        mistakes.append(
          Diagnostic(
            file: source.file, line: 0, column: 0, message: "the file is gone",
            suggestion: "If that is meant, run `sallyport reload`."))
      }
    }
    return mistakes.isEmpty ? nil : DiagnosticList(mistakes)
  }
}

extension ConfigurationSource {
  fileprivate func flaw(after old: ConfigurationSource?, isAsked: Bool) -> Diagnostic? {
    let line = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
    func flaw(_ message: String, _ suggestion: String) -> Diagnostic {
      Diagnostic(file: file, line: line, column: 1, message: message, suggestion: suggestion)
    }
    if text.utf8.last != UInt8(ascii: "\n") {
      return flaw("the file may be cut off: its last line has no end", "End it with a newline.")
    }
    guard let old, text != old.text else { return nil }
    if old.hasEndMark, !hasEndMark {
      return flaw("the file may be cut off: it does not end with \"...\" any more", "Put the mark back, and reload.")
    }
    if !isAsked, old.text.utf8.starts(with: text.utf8) {
      return flaw(
        "the file may be cut off: it is the beginning of the one in force", "If that is meant, run `sallyport reload`.")
    }
    return nil
  }

  /// Whether the last line that says something is YAML's end of a document.
  private var hasEndMark: Bool {
    text.split(whereSeparator: \.isNewline).last { $0.contains { $0 != " " } }?.hasPrefix("...") ?? false
  }
}

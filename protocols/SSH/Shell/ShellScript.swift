/// One word of a shell text after quotes were removed.
struct ShellWord: Hashable, Sendable {
  /// nil where only the backend's shell will know: variables, substitutions, patterns, `~`. It may then be several words,
  /// or none.
  var value: String?
  /// Nothing in it was quoted, so that it can be a reserved word or an assignment.
  var isPlain: Bool
}

/// A redirection to or from a file.
struct ShellRedirection: Hashable, Sendable {
  var file: ShellWord
}

/// One simple command (POSIX.1-2017, XCU 2.9.1): words and redirections.
struct ShellCommandLine: Hashable, Sendable {
  /// Names of the variables that it sets.
  var assignments: [String] = []
  var words: [ShellWord] = []
  var redirections: [ShellRedirection] = []
}

/// A text for a shell, as the simple commands in it; the order and what joins them does not matter to rules.
struct ShellScript: Hashable, Sendable {
  /// All of them, those inside substitutions, groups and subshells included.
  var commands: [ShellCommandLine] = []
}

/// Why a text is not read as a shell would read it. Lower case, without a full stop.
struct ShellMisunderstanding: Error, Hashable, Sendable {
  var reason: String
  init(_ reason: String) { self.reason = reason }
}

import AccessModel

/// Finds the programs that the commands of a shell text name: behind `sudo`, inside `sh -c`, from `xargs` and `find`.
///
/// What it cannot follow is a `ShellMisunderstanding`; then the whole text counts as everything.
struct ProgramReader {
  private(set) var programs: [SSHProgram] = []
  /// Texts within texts that are still followed.
  private var depth = 0
  /// Some command changes the directory, so that relative paths are not known any more.
  private var changesDirectory = false

  private static let maximumDepth = 8
  private static let maximumPrograms = 512

  static func read(_ text: String) throws(ShellMisunderstanding) -> [SSHProgram] {
    var reader = ProgramReader()
    try reader.read(text)
    return reader.programs
  }

  private mutating func read(_ text: String) throws(ShellMisunderstanding) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= ProgramReader.maximumDepth else { throw ShellMisunderstanding("the command is nested too deeply") }
    let script = try ShellParser.parse(text)
    if script.commands.contains(where: { $0.words.contains { $0.value == "cd" } }) { changesDirectory = true }
    for line in script.commands { try read(line) }
  }

  private mutating func read(_ line: ShellCommandLine) throws(ShellMisunderstanding) {
    for name in line.assignments where !Wrappers.isHarmless(variable: name) {
      throw ShellMisunderstanding("it sets the variable \(name.prefix(40))")
    }
    let redirections = line.redirections.map { path($0.file.value) }
    guard !line.words.isEmpty else {
      if !redirections.isEmpty { try add(SSHProgram(name: "", arguments: [], redirections: redirections)) }
      return
    }
    let first = programs.count
    try read(line.words.map(\.value))
    if programs.indices.contains(first) { programs[first].redirections = redirections }
  }

  /// A program and what it is given.
  private mutating func read(_ words: [String?]) throws(ShellMisunderstanding) {
    guard let name = words.first ?? nil, !name.isEmpty else {
      throw ShellMisunderstanding("only the backend's shell will know which program it runs")
    }
    guard depth <= ProgramReader.maximumDepth else { throw ShellMisunderstanding("the command is nested too deeply") }
    let arguments = Array(words.dropFirst())
    let base = String(name.split(separator: "/", omittingEmptySubsequences: false).last ?? "")
    try add(SSHProgram(name: name, arguments: arguments, paths: arguments.flatMap(paths)))
    if Wrappers.shells.contains(base) { return try shell(base, arguments) }
    if let options = Wrappers.prefixes[base] { return try prefix(base, options, arguments) }
    switch base {
    case "find": try find(arguments)
    case "set": try set(arguments)
    case "printf":
      // printf -v sets a variable of bash.
      guard let format = arguments.first ?? nil, !format.hasPrefix("-") else { throw opaque(base) }
    case "test", "[", "echo": return
    case _ where Wrappers.isInterpreter(base): try script(base, arguments)
    case _ where Wrappers.isOpaque(base) || Wrappers.runsMore(base, arguments): throw opaque(base)
    default: return
    }
  }

  private mutating func add(_ program: SSHProgram) throws(ShellMisunderstanding) {
    guard programs.count < ProgramReader.maximumPrograms else {
      throw ShellMisunderstanding("there are too many commands")
    }
    programs.append(program)
  }

  private func opaque(_ base: String) -> ShellMisunderstanding {
    ShellMisunderstanding("what \(base.prefix(40)) runs is not followed")
  }

  // MARK: Programs that run others

  /// `sh -c TEXT` is read; `sh FILE` runs that file; anything else may be anything.
  private mutating func shell(_ base: String, _ arguments: [String?]) throws(ShellMisunderstanding) {
    var rest = arguments[...]
    while let option = rest.first ?? nil, option.hasPrefix("-"), option != "-" {
      rest = rest.dropFirst()
      let letters = option.dropFirst()
      guard !letters.isEmpty, letters.allSatisfy({ "euxlc".contains($0) }) else { throw opaque(base) }
      guard letters.contains("c") else { continue }
      // bash takes more options behind -c; a text that begins with a dash is left to it.
      guard let text = rest.first ?? nil, !text.hasPrefix("-"), !text.hasPrefix("+") else { throw opaque(base) }
      return try read(text)
    }
    try script(base, Array(rest))
  }

  /// An interpreter with a file: the file is the program.
  private mutating func script(_ base: String, _ arguments: [String?]) throws(ShellMisunderstanding) {
    guard let file = arguments.first ?? nil, !file.isEmpty, !file.hasPrefix("-"), !file.hasPrefix("+"),
      let path = path(file), !path.hasPrefix("/dev/"), !path.hasPrefix("/proc/")
    else { throw opaque(base) }
    depth += 1
    defer { depth -= 1 }
    try read(arguments)
  }

  private mutating func prefix(
    _ base: String, _ options: Wrappers.Options, _ arguments: [String?]
  ) throws(ShellMisunderstanding) {
    var rest = arguments[...]
    while let option = rest.first ?? nil, option.hasPrefix("-") {
      rest = rest.dropFirst()
      if option == "--" { break }
      if options.alone.contains(option) { continue }
      if options.withValue.contains(option) {
        guard let value = rest.first, value != nil else { throw opaque(base) }
        rest = rest.dropFirst()
        continue
      }
      guard ProgramReader.isJoined(option, options) else {
        // `command -v NAME` runs nothing.
        if base == "command", option == "-v" || option == "-V" { return }
        throw opaque(base)
      }
    }
    if base == "command", rest.isEmpty { throw opaque(base) }
    for _ in 0..<options.operands {
      guard let operand = rest.first, operand != nil else { throw opaque(base) }
      rest = rest.dropFirst()
    }
    while options.takesAssignments, let word = rest.first ?? nil, let equals = word.firstIndex(of: "=") {
      guard Wrappers.isHarmless(variable: String(word[..<equals])) else {
        throw ShellMisunderstanding("it sets the variable \(word[..<equals].prefix(40))")
      }
      rest = rest.dropFirst()
    }
    // `env` alone prints, `xargs` alone echoes, `sudo` alone is an error.
    guard !rest.isEmpty else {
      if base == "exec" { throw opaque(base) }
      return
    }
    depth += 1
    defer { depth -= 1 }
    // What xargs reads becomes arguments.
    try read(Array(rest) + (base == "xargs" ? [nil] : []))
  }

  /// `-n5`, `-oL`, `--signal=KILL`, and `-5` of nice.
  private static func isJoined(_ option: String, _ options: Wrappers.Options) -> Bool {
    if option.hasPrefix("--") {
      guard let equals = option.firstIndex(of: "=") else { return false }
      return options.withValue.contains(String(option[..<equals]))
    }
    if options.withValue.contains("-n"), option.dropFirst().allSatisfy(\.isNumber) { return true }
    return options.withValue.contains(String(option.prefix(2))) && option.count > 2
  }

  private mutating func find(_ arguments: [String?]) throws(ShellMisunderstanding) {
    let runs: Set<String> = ["-exec", "-execdir", "-ok", "-okdir"]
    var rest = arguments[...]
    while let word = rest.popFirst() {
      guard let word else { throw opaque("find") }
      guard runs.contains(word) else { continue }
      let end = rest.firstIndex { $0 == ";" || $0 == "+" } ?? rest.endIndex
      // The name of a file found stands in for {}, also within a text.
      let command = rest[..<end].map { $0.map { $0.contains("{}") ? nil : $0 } ?? nil }
      rest = rest[end...].dropFirst()
      depth += 1
      defer { depth -= 1 }
      try read(command)
    }
  }

  /// `set -e` and the like; with others the shell reads what follows differently.
  private func set(_ arguments: [String?]) throws(ShellMisunderstanding) {
    for argument in arguments {
      guard let argument, argument == "pipefail" || argument.hasPrefix("-") && argument.count > 1,
        argument == "pipefail" || argument.dropFirst().allSatisfy({ "euxo".contains($0) })
      else { throw opaque("set") }
    }
  }

  // MARK: Paths

  /// What an argument may name: itself, or what follows `=` in an option.
  private func paths(_ argument: String?) -> [String?] {
    guard let argument else { return [nil] }
    if argument.hasPrefix("-") {
      guard let equals = argument.firstIndex(of: "=") else { return [] }
      let value = argument[argument.index(after: equals)...]
      return value.hasPrefix("/") ? [path(String(value))] : []
    }
    return argument.isEmpty ? [] : [path(argument)]
  }

  /// Normalised; nil where a relative path leaves the directory that the command began in, or that is not known.
  private func path(_ text: String?) -> String? {
    guard let text, !text.isEmpty else { return nil }
    let isAbsolute = text.hasPrefix("/")
    if !isAbsolute, changesDirectory { return nil }
    var parts: [Substring] = []
    for part in text.split(separator: "/") where part != "." {
      if part == ".." {
        if parts.isEmpty, !isAbsolute { return nil }
        _ = parts.popLast()
      } else {
        parts.append(part)
      }
    }
    return (isAbsolute ? "/" : "") + parts.joined(separator: "/")
  }
}

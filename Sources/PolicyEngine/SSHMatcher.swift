import AccessModel

/// What only commands on SSH connections have: the programs that they name, what those are given, and paths among it.
///
/// All keys are asked of one program at a time: `rm` and `-rf` mean an `rm` that is given `-rf`.
public struct SSHMatcher: Sendable, Hashable {
  /// What is asked for: a command, a shell, a subsystem, a forward. Always known, whatever else is not.
  public var requests: [SSHDetail.Request]?
  /// A pattern with a slash means the name as it was written, one without the last part of it.
  public var programs: [NameGlob]?
  public var arguments: [NameGlob]?
  /// Normalised paths among the arguments, and files of redirections.
  public var paths: [NameGlob]?
  /// `host:port` of forwards; they are about nothing else.
  public var destinations: [NameGlob]?

  public init(
    requests: [SSHDetail.Request]? = nil, programs: [NameGlob]? = nil, arguments: [NameGlob]? = nil,
    paths: [NameGlob]? = nil, destinations: [NameGlob]? = nil
  ) {
    self.destinations = destinations
    self.requests = requests
    self.programs = programs
    self.arguments = arguments
    self.paths = paths
  }

  /// Whether it is about what was asked for at all.
  func isAbout(_ request: SSHDetail.Request) -> Bool {
    if destinations != nil, request != .forward { return false }
    return requests?.contains(request) ?? true
  }

  /// Whether it asks for nothing but that.
  private var asksOnlyRequest: Bool { programs == nil && arguments == nil && paths == nil }

  /// Whether that alone settles that all is covered, however little is known of the rest.
  func covers(_ request: SSHDetail.Request) -> Bool {
    requests?.contains(request) == true && asksOnlyRequest && destinations == nil
  }

  func mayMatch(_ detail: SSHDetail) -> Bool {
    if let destinations {
      guard asksOnlyRequest, let destination = detail.destination else { return false }
      return destinations.contains { $0.matches(destination) }
    }
    return asksOnlyRequest || detail.programs.contains(where: mayMatch)
  }

  /// Every program must be covered, and nothing may be redirected that `path` does not name.
  func mustCover(_ detail: SSHDetail) -> Bool {
    if let destinations {
      guard asksOnlyRequest, let destination = detail.destination else { return false }
      return destinations.contains { $0.matches(destination) }
    }
    return
      asksOnlyRequest || !detail.programs.isEmpty && detail.programs.allSatisfy(mustCover)
  }

  private func mayMatch(_ program: SSHProgram) -> Bool {
    if let programs, !programs.contains(where: { SSHMatcher.mayName($0, program.name) }) { return false }
    if let arguments, !program.arguments.contains(where: { SSHMatcher.may(arguments, $0) }) { return false }
    guard let paths else { return true }
    return (program.paths + program.redirections).contains { SSHMatcher.may(paths, $0) }
  }

  private func mustCover(_ program: SSHProgram) -> Bool {
    if let programs, !programs.contains(where: { SSHMatcher.mustName($0, program.name) }) { return false }
    if let arguments, !program.arguments.allSatisfy({ SSHMatcher.must(arguments, $0) }) { return false }
    guard let paths else { return program.redirections.isEmpty }
    let given = program.paths + program.redirections
    return !given.isEmpty && given.allSatisfy { SSHMatcher.must(paths, $0) }
  }

  private static func mayName(_ glob: NameGlob, _ name: String) -> Bool {
    if glob.text.utf8.contains(UInt8(ascii: "/")) { return glob.matches(name) }
    return glob.matches(name.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? name)
  }

  /// `/tmp/ls` is not the `ls` that an exemption speaks of.
  private static func mustName(_ glob: NameGlob, _ name: String) -> Bool {
    glob.text.utf8.contains(UInt8(ascii: "/")) == name.utf8.contains(UInt8(ascii: "/")) && glob.matches(name)
  }

  private static func may(_ globs: [NameGlob], _ text: String?) -> Bool {
    guard let text else { return !globs.isEmpty }
    return globs.contains { $0.matches(text) }
  }

  private static func must(_ globs: [NameGlob], _ text: String?) -> Bool {
    guard let text else { return false }
    return globs.contains { $0.matches(text) }
  }
}

/// What is known of a command on an SSH connection: what was asked for, and the programs that its text names.
public struct SSHDetail: Hashable, Sendable {
  /// What a session channel is started for, or what is opened beside it (RFC 4254 §6.5, §7).
  public enum Request: String, Hashable, Sendable, CaseIterable {
    case exec, shell, subsystem, forward
  }
  public var request: Request
  /// Every program that the text names, those inside substitutions and behind `sudo` and the like included.
  public var programs: [SSHProgram]
  /// Why it could not be worked out what the text runs; nil when it was. Effects and footprint are then `.unknown` and
  /// `.everything`.
  public var misunderstood: String?
  /// Where a forward leads, as it is matched: `host:port`, the host in lower case, addresses in their usual form, every
  /// name and address of the target's own as `localhost`. nil for anything else.
  public var destination: String?

  public init(
    request: Request, programs: [SSHProgram] = [], misunderstood: String? = nil, destination: String? = nil
  ) {
    self.request = request
    self.destination = destination
    self.programs = programs
    self.misunderstood = misunderstood
  }
}

/// One program that a command names, with what it is given.
public struct SSHProgram: Hashable, Sendable {
  /// As the text names it, `rm` or `/bin/rm`, quotes removed; empty for redirections without a program.
  public var name: String
  /// In order; nil where only the backend's shell will know (variables, patterns, substitutions).
  public var arguments: [String?]
  /// Arguments that could be paths, normalised: absolute ones, and relative ones below the directory that the command
  /// starts in. nil where that cannot be said.
  public var paths: [String?]
  /// Files of its redirections, in the same way.
  public var redirections: [String?]

  public init(name: String, arguments: [String?], paths: [String?] = [], redirections: [String?] = []) {
    self.name = name
    self.arguments = arguments
    self.paths = paths
    self.redirections = redirections
  }
}

// AccessModel: the pure values that every other target shares: what a command may do, what was decided, what is masked.

/// The set of things that a command *may* do to a backend.
///
/// Effects are an upper bound: a command whose effects could not be worked out has `.unknown`, which contains every
/// other effect, so that each rule catches it and no exemption covers it.
public struct Effects: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Reads data.
  public static let read = Effects(rawValue: 1 << 0)
  /// Changes data.
  public static let write = Effects(rawValue: 1 << 1)
  /// Changes the schema: creates, alters, drops.
  public static let define = Effects(rawValue: 1 << 2)
  /// Calls a routine whose effect is declared.
  public static let call = Effects(rawValue: 1 << 3)
  /// Runs code whose effect is not known.
  public static let execute = Effects(rawValue: 1 << 4)
  /// Sends a file to the backend.
  public static let upload = Effects(rawValue: 1 << 5)
  /// Fetches a file from the backend.
  public static let download = Effects(rawValue: 1 << 6)
  /// Opens a forward to another address.
  public static let forward = Effects(rawValue: 1 << 7)
  /// Makes the backend reach out to another system.
  public static let egress = Effects(rawValue: 1 << 8)
  /// Manages the backend itself: roles, settings, other sessions.
  public static let administer = Effects(rawValue: 1 << 9)
  /// Has the backend send its changes, or its files, as they are stored: its replication. Access to everything does not
  /// cover it; it has to be named.
  public static let replicate = Effects(rawValue: 1 << 10)

  /// Could not be worked out: contains every effect there is and every one to come.
  public static let unknown = Effects(rawValue: .max)

  public var isUnknown: Bool { self == .unknown }

  /// The names used in rules and in the audit trail, in order of weight.
  public static let named: [(name: String, effect: Effects)] = [
    ("read", .read), ("write", .write), ("define", .define), ("call", .call), ("execute", .execute),
    ("upload", .upload), ("download", .download), ("forward", .forward), ("egress", .egress),
    ("administer", .administer), ("replicate", .replicate),
  ]

  /// The effect with this name, or nil.
  public init?(name: String) {
    if name == "unknown" {
      self = .unknown
      return
    }
    guard let match = Effects.named.first(where: { $0.name == name }) else { return nil }
    self = match.effect
  }

  /// The names of the effects contained: `["unknown"]` for `.unknown`, `[]` for none.
  public var names: [String] {
    isUnknown ? ["unknown"] : Effects.named.filter { contains($0.effect) }.map(\.name)
  }
}

extension Effects: CustomStringConvertible {
  public var description: String { isEmpty ? "none" : names.joined(separator: ",") }
}

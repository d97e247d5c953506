/// What came of a proof.
public struct MaskProofReport: Codable, Sendable {
  /// A statement that brought out what it should not have.
  public struct Leak: Codable, Sendable {
    /// The smallest that still does.
    public var statement: String
    /// The views and functions that it reads, where they were generated.
    public var definitions: [String]
    /// `simple`, `text` or `binary`.
    public var mode: String
    /// What came out, and where: `code reversed, in a result`.
    public var what: String
    /// The statement as it was found, and its number in the run.
    public var original: String
    public var number: Int
  }
  /// Something that masks should have left alone.
  public struct Excess: Codable, Sendable {
    public var statement: String
    public var definitions: [String]
    public var mode: String
    public var what: String
    public var number: Int
  }
  public var connection: String
  public var user: String
  /// The backend's account that this person uses.
  public var account: String
  public var seed: UInt64
  public var statements = 0
  /// Those that ran to their end.
  public var passed = 0
  /// Those that a rule refused.
  public var refused = 0
  /// Those that the backend failed.
  public var failed = 0
  /// Those that bring canaries, or what is made of them, to whoever has no mask.
  public var exposing = 0
  /// Of those, the ones that passed, with masks.
  public var masked = 0
  /// Those that passed and touch nothing that is masked.
  public var clean = 0
  public var leaks: [Leak] = []
  public var excesses: [Excess] = []
  /// Why the backend failed some, by SQLSTATE.
  public var failures: [String: Int] = [:]
  public var seconds = 0.0
  /// Somebody did not wait for the end.
  public var wasStopped = false

  /// A generator that is only refused proves nothing: a fifth of what would have brought canaries must have passed.
  public var isSufficient: Bool {
    !wasStopped && masked * 5 >= exposing && exposing * 5 >= statements && statements > 0
  }

  /// As `--json` prints it.
  public var verdict: String { !leaks.isEmpty ? "leaks" : isSufficient ? "holds" : "insufficient" }
}

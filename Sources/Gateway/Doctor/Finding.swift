/// One thing that `doctor` looked at.
public struct Finding: Sendable, Codable, Hashable {
  public enum Verdict: String, Sendable, Codable { case good, warning, broken }
  public var verdict: Verdict
  /// What was looked at: `connection shop, account app_ro`.
  public var subject: String
  /// What was found, as words without a full stop.
  public var words: String
  /// What to do, as a sentence; nil when there is nothing.
  public var mend: String?

  public init(_ verdict: Verdict, _ subject: String, _ words: String, mend: String? = nil) {
    self.verdict = verdict
    self.subject = subject
    self.words = words
    self.mend = mend
  }
}

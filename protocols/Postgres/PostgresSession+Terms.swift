import AccessModel
import NIOCore

/// What the policy asks of a session. It may change while the session goes on.
public struct SessionTerms {
  /// Where texts are looked up.
  public var analyses: any StatementAnalyses
  /// Whether any mask may apply to this person on this connection.
  public var maskable: Bool
  /// What is looked for in values besides; nil for nothing.
  public var contents: ContentMasks?
  /// The same of rules in shadow.
  public var shadowed: ContentMasks?
  /// Whether `analyses` resolves names.
  public var followsNames: Bool
  /// Whether what is pipelined behind unknown code is only read once that has run.
  public var waitsForUnknownCode: Bool
  /// Whether commands may be approved, which binds them to search_path and role.
  public var bindsToPath: Bool

  public init(
    analyses: any StatementAnalyses, maskable: Bool, contents: ContentMasks? = nil, shadowed: ContentMasks? = nil,
    followsNames: Bool, waitsForUnknownCode: Bool, bindsToPath: Bool
  ) {
    self.analyses = analyses
    self.maskable = maskable
    self.contents = contents
    self.shadowed = shadowed
    self.followsNames = followsNames
    self.waitsForUnknownCode = waitsForUnknownCode
    self.bindsToPath = bindsToPath
  }
}

/// Another policy while the session goes on: results under way end as they began, and the next command meets the new
/// terms (DECISIONS 26).
extension PostgresSession {
  /// Takes the terms up as soon as no reply is outstanding; until then the client's next frame waits.
  public mutating func change(to terms: SessionTerms) throws(ProtocolError) {
    newTerms = terms
    guard !takeUpTermsIfSettled() else { return try advanceClient() }
    switch clientStall {
    // The next frame sees to it.
    case .none, .replies: break
    // What a command came behind that waits must be answered, though nothing makes the backend do so by itself.
    case .verdict, .values, .analysis: if isSegmentOpen, !client.isMidFrame { askForAnswers() }
    }
  }

  /// Called before each frame of the client. False when it must wait.
  mutating func hasTakenUpTerms() -> Bool {
    // A COPY from the client needs the client's data to end.
    if takeUpTermsIfSettled() || isCopyingIn || isCopyingBoth { return true }
    waitForReplies()
    return false
  }

  /// Called whenever replies may have come to an end.
  @discardableResult
  mutating func takeUpTermsIfSettled() -> Bool {
    guard let terms = newTerms else { return true }
    guard replies.isEmpty, case .none = backendStall else { return false }
    newTerms = nil
    analyses = terms.analyses
    maskable = terms.maskable
    contents = terms.contents
    shadow = terms.shadowed.map { ShadowLook($0) }
    followsNames = terms.followsNames
    waitsForUnknownCode = terms.waitsForUnknownCode
    bindsToPath = terms.bindsToPath
    knownColumns = KnownColumns()
    names.reconsider()
    // What is known of columns was found out under other terms, and an analysis that is still to come is of no use.
    describedPortals.removeAll()
    suppliedAnalysis = nil
    if case .analysis = clientStall { clientStall = .none }
    return true
  }
}

import SQLAnalysis

/// What a session's names mean, with a number that changes whenever that does.
public struct SessionScope: Hashable, Sendable {
  public var revision: UInt64 = 0
  public var names = NameContext.Scope()
  public init() {}
}

/// What of a session decides what names mean, followed as far as its texts and transactions tell (DECISIONS 5, 6).
///
/// The search_path is not followed but forgotten: whatever may have changed it makes it unknown until it is read again.
struct SessionNames {
  /// Whether the search_path can be asked for.
  private enum Asking { case open, under([String]), failed }

  private(set) var scope = SessionScope()
  private var asking = Asking.open
  /// Something changed the search_path in a transaction, whose end may take that back.
  private var hasChangedPath = false
  /// The open transaction has, or may have, a cursor whose query changes what names mean: it does so when it is fetched
  /// from, or kept beyond the transaction's end.
  private(set) var hasRiskyCursors = false
  /// The open transaction has defined something, or may have.
  private var hasDefined = false
  /// Counts transactions that ended after something was defined in them: then others see it too.
  private(set) var definitions: UInt64 = 0

  /// True when it is not known and asking may help.
  var wantsPath: Bool {
    if scope.names.path != nil { return false }
    switch asking {
    case .open: return true
    case .under, .failed: return false
    }
  }

  /// A text goes to the backend, or a portal of it is run; nil for what is not known.
  mutating func sent(_ analysis: Analysis?) {
    guard let analysis else { return sentUnknown() }
    if hasRiskyCursors, analysis.mayRunCursors { return sentUnknown() }
    if analysis.isOrdinary { return }
    if analysis.effects.isUnknown || analysis.effects.contains(.execute) { return sentUnknown() }
    if analysis.declaresCursors, !analysis.settings.isEmpty || analysis.effects.contains(.call) {
      hasRiskyCursors = true
    }
    if analysis.settings.contains(where: \.decidesNames) || analysis.effects.contains(.call) { forgetPath() }
    if analysis.endsTransactions, hasChangedPath { forgetPath() }
    if analysis.effects.contains(.define) { hasDefined = true }
    let (defines, routines) = (analysis.traits.defines, analysis.traits.definesRoutines)
    guard !defines.isEmpty || routines != .none else { return }
    hasDefined = true
    change {
      $0.own.formUnion(defines)
      $0.routines.formUnion(routines)
    }
  }

  private mutating func sentUnknown() {
    hasRiskyCursors = true
    forgetPath()
    hasDefined = true
    change {
      $0.own.temporaries = .all
      $0.own.relations = .all
      $0.routines = .all
    }
  }

  /// Another policy: what the session made under the one before may be more than this one would have let it.
  mutating func reconsider() {
    guard !scope.names.own.isEmpty else { return }
    change {
      $0.own.temporaries = .all
      $0.own.relations = .all
    }
  }

  /// The backend says that DISCARD ALL was the last that it did: temporary relations are gone.
  mutating func discarded() {
    if !scope.names.own.temporaries.isEmpty { change { $0.own.temporaries = .none } }
  }

  private mutating func forgetPath() {
    hasChangedPath = true
    asking = .open
    if scope.names.path != nil { change { $0.path = nil } }
  }

  private mutating func change(_ body: (inout NameContext.Scope) -> Void) {
    body(&scope.names)
    scope.revision &+= 1
  }

  /// No transaction is open and nothing is outstanding: what was set for one is gone, what was defined is there for all.
  mutating func settle() {
    hasRiskyCursors = false
    if hasChangedPath {
      forgetPath()
      hasChangedPath = false
    }
    guard hasDefined else { return }
    hasDefined = false
    definitions &+= 1
    change {
      $0.own.relations = .none
      $0.own.schemas = []
      $0.routines = .none
    }
  }

  // MARK: Asking

  /// What is asked, in order.
  static let questions = ["search_path", "role", "session_authorization"]

  mutating func beginAsking() { asking = .under([]) }

  mutating func take(answer: String) {
    if case .under(let answers) = asking { asking = .under(answers + [answer]) }
  }

  /// All answers that come have come; without them it stays unknown, until something may have changed it.
  mutating func endAsking() {
    guard case .under(let answers) = asking, answers.count == SessionNames.questions.count else {
      asking = .failed
      return
    }
    asking = .open
    change { $0.path = SearchPath(setting: answers[0], user: answers[1] == "none" ? answers[2] : answers[1]) }
  }
}

import AccessModel
import SQLAnalysis

/// Which SQL text each prepared statement of a session stands for, as far as the backend has confirmed it.
///
/// A Parse can fail or be skipped, and then its name keeps the text that it had. Whoever decides a Bind by the wrong
/// one of two texts is deceived; so a name whose last Parse is not yet answered is only certain within the segment
/// (up to a Sync) that sends it: there, if the Parse fails, the Bind is skipped too.
struct StatementRegistry {
  private struct Entry {
    var confirmed: Analysis?
    /// Parse messages without an answer yet, with the segment that sent each. nil where SQL text that was sent since
    /// may have taken the name away: the answer is still to come, and says nothing of what the name stands for.
    var pending: [(segment: Int, analysis: Analysis?)] = []
    /// Of its parameters, as far as they were said: only for those who read values, nothing is decided by them.
    var types: [UInt32] = []
    /// What of them the client itself declared.
    var declared: [UInt32] = []
  }
  private var entries: [String: Entry] = [:] {
    didSet { recent = nil }
  }
  /// The statement bound last, if it is certain whatever the segment: most programs bind one many times.
  private var recent: (name: String, analysis: Analysis)?

  enum LookUp {
    case known(Analysis)
    case unknown
    /// Answers must come first: ask again when none is outstanding.
    case uncertain
  }

  var count: Int { entries.count }

  /// The text that a Bind of this segment would run.
  func lookUp(_ name: String, segment: Int) -> LookUp {
    guard let entry = entries[name] else { return .unknown }
    guard let last = entry.pending.last else {
      return entry.confirmed.map { .known($0) } ?? .unknown
    }
    guard last.segment == segment else { return .uncertain }
    return last.analysis.map { .known($0) } ?? .unknown
  }

  /// The same, remembered for the next Bind.
  mutating func find(_ name: String, segment: Int) -> LookUp {
    if let recent, recent.name == name { return .known(recent.analysis) }
    let found = lookUp(name, segment: segment)
    if case .known(let analysis) = found, entries[name]?.pending.isEmpty == true { recent = (name, analysis) }
    return found
  }

  /// Whether a Parse of this name must wait for outstanding answers: a named statement cannot be replaced, so whether
  /// the backend will take the new text depends on what became of the old one.
  func mustWait(toParse name: String) -> Bool { !name.isEmpty && entries[name] != nil }

  /// True when the backend holds a statement of this name, and so will refuse a Parse of it.
  func isConfirmed(_ name: String) -> Bool { entries[name]?.confirmed != nil }

  mutating func parseSent(_ name: String, _ analysis: Analysis, types: [UInt32] = [], segment: Int) {
    entries[name, default: Entry()].pending.append((segment, analysis))
    entries[name]?.types = types
    if !types.isEmpty || entries[name]?.declared.isEmpty == false { entries[name]?.declared = types }
  }

  /// Types of a statement's parameters, 0 or left out where not known.
  func types(of name: String) -> [UInt32] { entries[name]?.types ?? [] }

  /// The backend says them, in answer to a Describe.
  mutating func described(_ name: String, types: [UInt32]) { entries[name]?.types = types }

  /// The types that the client declared with the last text of this name.
  func declaredTypes(of name: String) -> [UInt32] { entries[name]?.declared ?? [] }

  mutating func parseCompleted(_ name: String) {
    guard var entry = entries[name], !entry.pending.isEmpty else { return }
    let answered = entry.pending.removeFirst()
    // A second Parse of a confirmed name cannot complete; if a backend says so, believe neither text.
    let isReplaced = entry.confirmed != nil && !name.isEmpty
    entry.confirmed = isReplaced ? nil : answered.analysis
    entries[name] = entry.confirmed == nil && entry.pending.isEmpty ? nil : entry
  }

  /// SQL text gave the name to a statement, as the backend says: so it was free.
  mutating func prepared(_ name: String, _ analysis: Analysis) {
    entries[name, default: Entry()].confirmed = analysis
  }

  /// The Parse failed or was skipped.
  mutating func parseFailed(_ name: String) {
    guard var entry = entries[name], !entry.pending.isEmpty else { return }
    entry.pending.removeFirst()
    entries[name] = entry.confirmed == nil && entry.pending.isEmpty ? nil : entry
  }

  /// A Close was answered. Parse messages that are still to be answered were sent behind it.
  mutating func closed(_ name: String) {
    guard var entry = entries[name] else { return }
    entry.confirmed = nil
    entries[name] = entry.pending.isEmpty ? nil : entry
  }

  /// Forgets a statement, or all: SQL text may have replaced them (PREPARE, DEALLOCATE, DISCARD, unknown code).
  mutating func forget(_ name: String?) {
    for name in name.map({ [$0] }) ?? Array(entries.keys) {
      guard var entry = entries[name] else { continue }
      entry.confirmed = nil
      entry.pending = entry.pending.map { ($0.segment, nil) }
      entries[name] = entry.pending.isEmpty ? nil : entry
    }
  }
}

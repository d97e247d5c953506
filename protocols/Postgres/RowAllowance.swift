import AccessModel
import SQLAnalysis

/// What a limit leaves of the rows of one command, or of one cursor. Confined to the session that counts by it.
final class RowAllowance {
  let limit: RowLimit
  private(set) var left: Int

  init(_ limit: RowLimit) {
    self.limit = limit
    left = limit.rows
  }

  func take(_ rows: Int) { left = max(0, left - rows) }

  /// Something passes that looks like a row and is none.
  func give(_ rows: Int) { left += rows }
}

/// The command under way whose rows are counted: its own limit, and those of the cursors that it fetches from. Nothing goes
/// to the backend behind it before it has ended, so that there is never more than one.
struct LimitedCommand {
  let id: CommandID
  /// At least one.
  let allowances: [RowAllowance]
  let mayWrite: Bool
  /// Whether each COPY to the client that is still to come begins with a line of column names.
  var copyHeaders: [Bool]
  /// Whether the COPY at hand is in binary format.
  var isBinary = false
  /// A row more than there may be has come: the client gets nothing of the command any more but its error.
  var isOver = false

  init(_ id: CommandID, _ allowances: [RowAllowance], _ analysis: Analysis?) {
    self.id = id
    self.allowances = allowances
    mayWrite = !(analysis?.effects.isSubset(of: .read) ?? false)
    copyHeaders = analysis?.traits.copyHeaders ?? []
  }

  /// Rows that may still pass.
  var left: Int { allowances.reduce(Int.max) { min($0, $1.left) } }

  func take(_ rows: Int) { for allowance in allowances { allowance.take(rows) } }
  func give(_ rows: Int) { for allowance in allowances { allowance.give(rows) } }

  /// What the client is told. `isKept`: the transaction of the command has ended well, before it could be cancelled.
  func refusal(isKept: Bool) -> Refusal {
    let limit = allowances.first { $0.left <= 0 }?.limit ?? allowances[0].limit
    var reason = limit.reason.map { $0 + "; " } ?? ""
    reason += limit.rows == 1 ? "one row was sent" : "\(limit.rows) rows were sent"
    if isKept, mayWrite { reason += ", and what the statement changed is kept, as it had ended by then" }
    return Refusal(
      .limited(rows: limit.rows),
      Denial(
        rule: limit.rule, reason: reason,
        hint: "Narrow it down with WHERE or LIMIT, or ask whoever manages the gateway."))
  }
}

/// A DECLARE whose answer is still to come.
struct DeclaringCommand {
  let id: CommandID
  let cursors: [DeclaredCursor]
  /// nil where it runs under no limit.
  let limit: RowLimit?
  /// The DECLARE is all there is in its text, so that its tag tells whether the cursor was made.
  let isAlone: Bool
}

/// What limits leave of the rows of cursors and portals, by name: who declares one under a limit does not get more rows
/// by fetching in pieces.
struct CursorLimits {
  private struct Entry {
    /// nil for a cursor that was declared under no limit.
    var allowance: RowAllowance?
    var isHeld: Bool
  }
  private var entries: [String: Entry] = [:]
  /// Of code that nobody could look into, which may have opened cursors under any name.
  private var unknown: RowLimit?
  /// Names that are remembered; whoever has more of them is under the narrowest limit with all.
  private static let capacity = 1_000

  var isEmpty: Bool { entries.isEmpty && unknown == nil }

  /// A portal was bound, or a cursor was declared.
  mutating func set(_ name: String, _ allowance: RowAllowance?, isHeld: Bool = false) {
    guard allowance != nil || unknown != nil else {
      entries[name] = nil
      return
    }
    if entries.count >= CursorLimits.capacity, entries[name] == nil { forget() }
    entries[name] = Entry(allowance: allowance, isHeld: isHeld)
  }

  /// The same for a DECLARE of which it is not known whether it was carried out: what was there stays.
  mutating func add(_ name: String, _ limit: RowLimit, isHeld: Bool) {
    if let known = entries[name], known.allowance != nil {
      entries[name]?.isHeld = known.isHeld || isHeld
    } else {
      set(name, RowAllowance(limit), isHeld: isHeld)
    }
  }

  mutating func ranUnknownCode(under limit: RowLimit) {
    if unknown.map({ limit.rows < $0.rows }) ?? true { unknown = limit }
    // It may have closed them, and opened others.
    entries = entries.filter { $0.value.allowance != nil }
  }

  /// What counts for rows of these cursors.
  mutating func allowances(of names: [String]) -> [RowAllowance] {
    Set(names).compactMap { name in
      if let known = entries[name] { return known.allowance }
      guard let unknown else { return nil }
      let allowance = RowAllowance(unknown)
      entries[name] = Entry(allowance: allowance, isHeld: true)
      return allowance
    }
  }

  /// Cursors end with their transaction, except those that are held. What unknown code has opened may be held.
  mutating func endTransaction() { entries = entries.filter { $0.value.isHeld } }

  private mutating func forget() {
    let narrowest = entries.values.compactMap { $0.allowance?.limit }.min { $0.rows < $1.rows }
    entries.removeAll()
    if let narrowest { ranUnknownCode(under: narrowest) }
  }
}

extension Analysis {
  /// What a limit leaves of what this text sends; nil when it sends no rows.
  func allowance(_ limit: RowLimit) -> RowAllowance? {
    let summary = facts.shape.summary
    guard summary.misunderstood == nil, !effects.isUnknown, Analysis.silent.isSuperset(of: summary.kinds) else {
      return RowAllowance(limit)
    }
    return nil
  }

  /// Kinds of statements that never send rows.
  private static let silent: KindSet = [
    .begin, .commit, .rollback, .savepoint, .set, .deallocate, .close, .lock, .listen, .notify, .truncate, .create,
    .alter,
    .drop, .grant, .copyFrom, .vacuum, .analyze,
  ].reduce(into: KindSet()) { $0.formUnion(KindSet($1 as SQLStatement.Kind)) }

  /// Whether it may open cursors that its text does not name.
  var mayOpenUnseenCursors: Bool { effects.isUnknown || effects.contains(.execute) || effects.contains(.call) }
}

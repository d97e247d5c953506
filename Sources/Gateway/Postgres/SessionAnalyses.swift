import NIOCore
import Postgres
import SQLAnalysis

/// Analyses of texts that were made in one `NameContext`, shared by the sessions of an event loop that are in it.
final class NamedAnalyses {
  let context: NameContext
  var cache = AnalysisCache(byteLimit: 4 << 20)

  init(_ context: NameContext) { self.context = context }
}

/// Where a session finds what its texts may do when names matter to its policy: in the catalogue of its database, which
/// is fresh enough, and in the search_path that it has. Confined to the session's event loop.
final class SessionAnalyses: StatementAnalyses {
  private let state: LoopState
  private let slot: CatalogSlot
  /// Starts to read the catalogue anew, while this one still serves.
  private let refresh: () -> Void
  private var catalog: Catalog?
  /// When it was, in µs on the monotonic clock.
  private var readAt: Int64 = 0
  private var version = UInt64.max
  private var named: NamedAnalyses?
  private var revision = UInt64.max
  /// Of the catalogue that `columnsVersion` names.
  private var columns: (version: UInt64, readAt: Int64)?

  init(state: LoopState, slot: CatalogSlot, refresh: @escaping () -> Void) {
    self.state = state
    self.slot = slot
    self.refresh = refresh
  }

  /// Without knowing the session nothing can be said.
  func analysis(of text: UnsafeRawBufferPointer) -> Analysis? { nil }

  func analysis(of text: UnsafeRawBufferPointer, in scope: SessionScope) -> Analysis? {
    guard let named = fresh(in: scope) else {
      // A text that names nothing is the same everywhere.
      guard let plain = state.analysis(of: text), !plain.traits.needsNames else { return nil }
      return plain
    }
    if let known = named.cache.find(text) { return isBelieved(known, scope) ? known : nil }
    guard text.count <= SQLAnalyzer.inlineLimit else { return nil }
    let analysis = SQLAnalyzer.analyze(bytes: text, functions: state.functions, names: named.context)
    guard isBelieved(analysis, scope) else { return nil }
    keep(analysis, in: named)
    return analysis
  }

  func isCurrent(_ analysis: Analysis, in scope: SessionScope) -> Bool {
    guard analysis.traits.needsNames else { return true }
    return fresh(in: scope)?.context.id == analysis.traits.context
  }

  var columnsVersion: UInt64? {
    let newest = slot.version
    if columns?.version != newest {
      guard let catalog = slot.catalog else { return nil }
      columns = (newest, catalog.readAt)
    }
    guard let columns, Clock.monotonic() - columns.readAt <= Catalog.maxAge else { return nil }
    return columns.version
  }

  /// What names mean to the session by the newest catalogue; nil when that is too old.
  func context(in scope: SessionScope) -> NameContext? { fresh(in: scope)?.context }

  /// The same by a catalogue that was read for this session just now.
  func context(in scope: SessionScope, by catalog: Catalog) -> NameContext {
    adopt(catalog, scope).context
  }

  /// Keeps an analysis that was made elsewhere, if its context is still the session's.
  func keep(_ analysis: Analysis) {
    guard let named, named.context.id == analysis.traits.context else { return }
    keep(analysis, in: named)
  }

  private func keep(_ analysis: Analysis, in named: NamedAnalyses) {
    named.cache.insert(analysis, epoch: named.cache.epoch)
  }

  /// That a name does not exist is believed of a new catalogue only; or when the session may have made it itself. So is
  /// how many columns there are.
  private func isBelieved(_ analysis: Analysis, _ scope: SessionScope) -> Bool {
    let mayHaveMade = scope.names.own.isOpen
    guard analysis.traits.countsColumns || analysis.traits.hasAbsentNames && !mayHaveMade else { return true }
    return catalog.map { !$0.isOlder(than: Catalog.maxAgeOfAbsence) } ?? false
  }

  private func fresh(in scope: SessionScope) -> NamedAnalyses? {
    if version != slot.version {
      version = slot.version
      guard let newest = slot.catalog else {
        catalog = nil
        named = nil
        return nil
      }
      _ = adopt(newest, scope)
    }
    guard let named else { return nil }
    let age = Clock.monotonic() - readAt
    if age > Catalog.refreshAge {
      if age > Catalog.maxAge { return nil }
      if !slot.isReading { refresh() }
    }
    return revision == scope.revision ? named : catalog.map { adopt($0, scope) }
  }

  private func adopt(_ catalog: Catalog, _ scope: SessionScope) -> NamedAnalyses {
    let isSame = named.map { $0.context.snapshot === catalog.snapshot } ?? false
    self.catalog = catalog
    readAt = catalog.readAt
    if isSame, revision == scope.revision, let named { return named }
    let found = state.named(catalog.snapshot, scope.names)
    named = found
    revision = scope.revision
    return found
  }
}

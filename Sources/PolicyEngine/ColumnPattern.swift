import AccessModel

/// A column pattern ready to be compared with resolved names; means what its `NamePattern` means.
struct ColumnPattern: Sendable, Hashable {
  /// From the right.
  private let parts: [NameGlob]

  init(_ pattern: NamePattern) { parts = pattern.parts.reversed().map(NameGlob.init) }

  /// True when the path could be one that this pattern names; a part that the path lacks could be anything.
  func mayMatch(_ path: [String]) -> Bool {
    for (part, name) in zip(parts, path.reversed()) where !part.matches(name) { return false }
    return true
  }
}

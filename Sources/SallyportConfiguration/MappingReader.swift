import Yams

/// Reads one mapping key by key; a key that nobody asked for is a mistake.
struct MappingReader {
  let place: Place
  /// How messages call it: `connection "shop"`.
  let what: String
  private let mistakes: Mistakes
  private let entries: [(key: Located<String>, value: YAMLValue)]
  private let shape: MappingShape
  private var taken: Set<String> = []

  /// nil, and a mistake, when the value is no mapping.
  init?(_ value: YAMLValue, _ what: String, _ mistakes: Mistakes, _ shape: MappingShape) {
    guard let entries = MappingReader.entries(of: value, what, mistakes) else { return nil }
    place = value.place
    self.what = what
    self.mistakes = mistakes
    self.shape = shape
    self.entries = entries
  }

  /// The pairs of a mapping whose keys are names; nil, and a mistake, when the value is no mapping.
  static func entries(
    of value: YAMLValue, _ what: String, _ mistakes: Mistakes
  ) -> [(key: Located<String>, value: YAMLValue)]? {
    guard case .mapping(let mapping) = value.node else {
      mistakes.add(
        value.place,
        value.isNull ? "\(what) is empty" : "\(what) must be a mapping of keys and values, not \(value.kind)")
      return nil
    }
    return mapping.map { pair in
      let key = YAMLValue(node: pair.key, file: value.file)
      return (
        Located(value: pair.key.scalar?.string ?? "", place: key.place), YAMLValue(node: pair.value, file: value.file)
      )
    }
  }

  func has(_ key: String) -> Bool { entries.contains { $0.key.value == key } }

  /// The value of a key that may be missing.
  mutating func take(_ key: String) -> YAMLValue? {
    taken.insert(key)
    // Whoever adds a key meets this at the first test: what is not declared would be missing from the schema.
    guard let declared = shape.key(key) else {
      mistakes.add(place, "the reader of \(what) asks for \"\(key)\", which is not declared")
      return nil
    }
    guard var value = entries.first(where: { $0.key.value == key })?.value else { return nil }
    value.shape = declared.value
    return value
  }

  /// The value of a key that must be there.
  mutating func require(_ key: String, _ suggestion: String? = nil) -> YAMLValue? {
    let value = take(key)
    if value == nil { mistakes.add(place, "\(what) has no \(key)", suggestion) }
    return value
  }

  /// Reports the keys that do not belong here, and those that are declared and were not asked for.
  func finish() {
    let known = shape.keys.map(\.name)
    for key in known where !taken.contains(key) {
      mistakes.add(place, "\"\(key)\" of \(what) is declared and not read")
    }
    for (key, _) in entries where !known.contains(key.value) {
      if shape.planned.contains(key.value) {
        mistakes.add(key.place, "\"\(key.value)\" is not available in this version")
      } else if key.value == "<<" {
        mistakes.add(
          key.place, "merge keys are not supported", "Write the keys out, or use an alias for a whole value.")
      } else {
        mistakes.add(
          key.place, "unknown key \"\(key.value.prefix(80))\" in \(what)",
          nested(key.value, known) ?? Suggestion.forName(key.value, among: known, called: "keys"))
      }
    }
  }
}

/// What somebody meant who wrote `client.network` for `client: { network: … }`.
private func nested(_ key: String, _ known: [String]) -> String? {
  let parts = key.split(separator: ".", maxSplits: 1)
  guard parts.count == 2, known.contains(String(parts[0])) else { return nil }
  return "Write it as \(parts[0]): { \(parts[1].prefix(80)): … }."
}

extension YAMLValue {
  /// How messages call what was written instead.
  var kind: String {
    switch node {
    case .scalar: "text"
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .alias: "an alias"
    }
  }
}

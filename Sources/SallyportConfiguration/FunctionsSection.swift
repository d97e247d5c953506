import AccessModel
import PolicyEngine

/// `functions:`, what the catalogue cannot tell of routines. What entries say adds up, so that one that says nothing new,
/// or the opposite of another, is a mistake.
extension ConfigurationReader {
  func readFunctions(_ value: YAMLValue) {
    for entry in entries(value, "functions") {
      guard var keys = MappingReader(entry, "the function", mistakes, .function) else { continue }
      let names = keys.require("name").flatMap { functionNames($0) }
      let effects = keys.require("effect", "Say what it may do, such as effect: read.").flatMap { functionEffects($0) }
      let reads = keys.take("reads").map {
        word($0, "reads", among: [("none", ColumnSet.none), ("anything", .everything)])
      }
      let returned = keys.take("returns")
      let returns = returned.map(storedColumns)
      if let returned, reads != nil {
        mistakes.add(returned.place, "the function says both what it reads and what it returns", "Keep one of them.")
      }
      keys.finish()
      guard let names, let effects else { continue }
      let columns = (returns ?? reads ?? .everything) ?? .everything
      functions += names.map {
        Located(value: FunctionDeclaration(name: $0.value, effects: effects, reads: columns), place: $0.place)
      }
    }
  }

  /// `schema.table.column`, each by its whole name.
  private func storedColumns(_ value: YAMLValue) -> ColumnSet? {
    guard let patterns = patterns(value, "returns", parts: 3, example: "\"public.orders.id\"") else { return nil }
    guard patterns.allSatisfy({ $0.parts.count == 3 && !$0.description.contains("*") }) else {
      return refuse(
        value.place, "returns names whole columns", "Write each as schema.table.column, such as public.orders.id.")
    }
    return ColumnSet(Set(patterns.map { StoredColumn($0.parts) }))
  }

  private func functionNames(_ value: YAMLValue) -> [Located<NamePattern>]? {
    guard let texts = texts(value, "a function") else { return nil }
    let names = texts.compactMap { text -> Located<NamePattern>? in
      guard let pattern = NamePattern(text.value), pattern.parts.count <= 2, !text.value.contains("(") else {
        let bare = text.value.prefix { $0 != "(" }
        return refuse(
          text.place, "\"\(text.value.prefix(120))\" is not a pattern for a function",
          bare.count < text.value.count
            ? "Leave the arguments out, as in \"\(bare.prefix(80))\": all functions of a name are meant."
            : "Write it like \"public.calc_*\"; * stands for any run of characters within one part.")
      }
      return Located(value: pattern, place: text.place)
    }
    return names.count == texts.count ? names : nil
  }

  private func functionEffects(_ value: YAMLValue) -> Effects? {
    guard let words = effectWords(value, "effect") else { return nil }
    let foreign = words.named.intersection(FunctionDeclaration.foreign)
    if !foreign.isEmpty {
      return refuse(
        value.place, "a function has no effect \(foreign.names.joined(separator: ", "))",
        "What functions may do is read, write, define, call, execute, egress, administer, or unknown.")
    }
    if words.unknown, !words.named.isEmpty {
      return refuse(
        value.place, "unknown contains every effect, \(words.named.names.joined(separator: ", ")) too",
        "Write unknown alone, or leave it out.")
    }
    return words.all
  }

  /// Entries that say the same as others, or something else of the same functions.
  func checkFunctions() {
    for (index, later) in functions.enumerated() {
      for (position, other) in functions.enumerated() where position != index {
        if later.value.name == other.value.name {
          guard position < index else { continue }
          reportTwice(later, other)
          break
        } else if other.value.covers(later.value), position < index || !later.value.covers(other.value) {
          mistakes.add(
            later.place,
            "\"\(later.value.name)\" changes nothing: \"\(other.value.name)\" says \(other.value.spelled) of it already",
            "Remove it, or narrow the other (\(other.place.file), line \(other.place.line)): what entries say adds up.")
          break
        }
      }
    }
  }

  private func reportTwice(_ later: Located<FunctionDeclaration>, _ first: Located<FunctionDeclaration>) {
    let place = "\(first.place.file), line \(first.place.line)"
    if later.value.effects == first.value.effects, later.value.reads == first.value.reads {
      mistakes.add(
        later.place, "function \"\(later.value.name)\" is written twice", "The first is in \(place).")
    } else {
      mistakes.add(
        later.place,
        "function \"\(later.value.name)\" may \(later.value.spelled) here and \(first.value.spelled) there",
        "The first is in \(place). Say all that it may do in one of them.")
    }
  }
}

extension FunctionDeclaration {
  /// What only other protocols' commands, or PostgreSQL's replication, do.
  static let foreign: Effects = [.upload, .download, .forward, .replicate]

  fileprivate var spelled: String { effects.names.joined(separator: " and ") }

  /// Whether this says all that the other one does.
  fileprivate func covers(_ other: FunctionDeclaration) -> Bool {
    name.covers(other.name) && effects.isSuperset(of: other.effects)
      && (reads == .everything || reads == other.reads)
  }
}

extension NamePattern {
  /// True when each name that the other one certainly means is certainly meant by this one.
  fileprivate func covers(_ other: NamePattern) -> Bool {
    for (offset, part) in parts.reversed().enumerated() {
      let index = other.parts.count - 1 - offset
      guard index >= 0 else {
        if part != "*" { return false }
        continue
      }
      // A * in the other one is a run of characters, which only a * here takes in.
      if !NameGlob(part).matches(other.parts[index]) { return false }
    }
    return true
  }
}

extension MappingShape {
  static let function = MappingShape(
    "function",
    [
      Key("name", .oneOrMore(.text), "`[schema.]function`; * stands for any run of characters.", required: true),
      Key("effect", .effects(), "What it may do.", required: true),
      Key(
        "reads", .words(["none", "anything"]),
        "What it may return of stored columns, besides what it is given. Default: anything."),
      Key("returns", .oneOrMore(.text), "The only stored columns that it may return: `schema.table.column`."),
    ])
}

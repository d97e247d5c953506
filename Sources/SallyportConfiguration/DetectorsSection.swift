import Detection
import PolicyEngine

extension ConfigurationReader {
  /// `detectors:`, patterns and words of the user's own.
  func readDetectors(_ value: YAMLValue) {
    for entry in entries(value, "detectors") {
      guard let detector = detector(entry) else {
        hasUnreadDetectors = true
        continue
      }
      if let first = detectors.first(where: { $0.value.name == detector.value.name }) {
        mistakes.add(
          detector.place, "detector \"\(detector.value.name)\" is written twice", firstAt(first.place))
        continue
      }
      detectors.append(detector)
    }
  }

  private func detector(_ value: YAMLValue) -> Located<CustomDetector>? {
    guard var keys = MappingReader(value, "the detector", mistakes, .detector) else { return nil }
    let nameValue = keys.require("name", "Give it one: rules name it in detect.")
    let name = nameValue.flatMap { detectorName($0) }
    let patternValue = keys.take("pattern")
    let pattern = patternValue.flatMap { text($0, "pattern") }
    let wordsValue = keys.take("words")
    let words = wordsValue.flatMap { self.words($0, "words") }
    let contextValue = keys.take("context")
    let context = contextValue.flatMap { self.words($0, "context") }
    let confidence = keys.take("confidence").map { value in
      word(value, "confidence", among: Confidence.allCases.map { ($0.name, $0) })
    }
    keys.finish()
    if patternValue == nil, wordsValue == nil {
      return refuse(value.place, "the detector says nothing to look for", "Give it a pattern, or words.")
    }
    guard let nameValue, let name, (patternValue == nil) == (pattern == nil), (wordsValue == nil) == (words == nil),
      (contextValue == nil) == (context == nil)
    else { return nil }
    do throws(CustomDetector.PatternError) {
      let detector = try CustomDetector(
        name: name, pattern: pattern, words: words ?? [], context: context ?? [],
        confidence: (confidence ?? .medium) ?? .medium)
      return Located(value: detector, place: nameValue.place)
    } catch {
      return refuse(
        patternValue?.place ?? value.place,
        "the pattern cannot be used: \(error.message), at its character \(error.offset + 1)",
        "Patterns are PCRE2's; in YAML they are best in single quotes.")
    }
  }

  private func detectorName(_ value: YAMLValue) -> String? {
    guard let text = text(value, "name"), let name = name(Located(value: text, place: value.place), "a detector") else {
      return nil
    }
    guard DetectorKinds(named: name) == nil else {
      return refuse(value.place, "\"\(name)\" is a detector of the gateway's own", "Choose another name.")
    }
    return name
  }

  private func words(_ value: YAMLValue, _ what: String) -> [String]? {
    guard let texts = texts(value, what) else { return nil }
    guard texts.count <= CustomDetector.maxWords else {
      return refuse(value.place, "\(what) has more than \(CustomDetector.maxWords) entries")
    }
    if let short = texts.first(where: { $0.value.utf8.count < 2 || $0.value.utf8.count > CustomDetector.maxWord }) {
      return refuse(short.place, "\"\(short.value.prefix(80))\" is no word of 2 to \(CustomDetector.maxWord) bytes")
    }
    return texts.map(\.value)
  }

  /// Gives each rule the detectors that it names, now that all are known.
  func resolveDetectors() {
    let known =
      DetectorKind.allCases.map(\.name) + DetectorKinds.groups.map(\.name) + detectors.map(\.value.name)
    for (rule, names) in references.detectors {
      var kinds: DetectorKinds = []
      var custom: [CustomDetector] = []
      for name in names {
        if let known = DetectorKinds(named: name.value) {
          kinds.formUnion(known)
        } else if let detector = detectors.first(where: { $0.value.name == name.value }) {
          custom.append(detector.value)
        } else if !hasUnreadDetectors {
          mistakes.add(
            name.place, "there is no detector \"\(name.value.prefix(80))\"",
            Suggestion.forName(name.value, among: known, called: "detectors"))
        }
      }
      guard let index = rules.firstIndex(where: { $0.value.name == rule }),
        case .mask(var mask) = rules[index].value.action
      else { continue }
      mask.detectors?.kinds = kinds
      mask.detectors?.custom = custom
      rules[index].value.action = .mask(mask)
    }
  }
}

extension MappingShape {
  static let detector = MappingShape(
    "detector",
    [
      Key("name", .name, "What rules call it.", required: true),
      Key("pattern", .text, "A regular expression (PCRE2). A match has at most 1024 bytes."),
      Key("words", .oneOrMore(.text), "Words and phrases, found whole, in either case."),
      Key("context", .oneOrMore(.text), "Words near a match that make it surer by one step."),
      Key("confidence", .words(Confidence.allCases.map(\.name)), "How sure a match is by itself. Default: medium."),
    ], anyOf: ["pattern", "words"])
}

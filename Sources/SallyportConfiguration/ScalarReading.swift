import AccessModel
import Residency
import Yams

/// Reads the small values of which every section is made. Each answers nil when it has added a mistake.
extension ConfigurationReader {
  /// Text as written; `null` counts as left out.
  func text(_ value: YAMLValue, _ what: String) -> String? {
    guard case .scalar(let scalar) = value.node else {
      return refuse(value.place, "\(what) must be text, not \(value.kind)")
    }
    guard !value.isNull, !scalar.string.isEmpty else { return refuse(value.place, "\(what) needs a value") }
    guard scalar.string.utf8.count <= 4096 else { return refuse(value.place, "\(what) is longer than 4096 bytes") }
    if scalar.string.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      return refuse(value.place, "\(what) holds a control character")
    }
    return scalar.string
  }

  /// A list of texts, or one text for a list of one. Empty is a mistake: a "one of" of nothing can never hold.
  func texts(_ value: YAMLValue, _ what: String) -> [Located<String>]? {
    switch value.node {
    case .scalar:
      return text(value, what).map { [Located(value: $0, place: value.place)] }
    case .sequence(let sequence):
      if sequence.isEmpty {
        return refuse(value.place, "\(what) is an empty list", "Name at least one, or leave the key out.")
      }
      let items = sequence.map { YAMLValue(node: $0, file: value.file) }
      let texts = items.compactMap { item in
        text(item, "an entry of \(what)").map { Located(value: $0, place: item.place) }
      }
      reportRepeated(texts, what)
      return texts.count == items.count ? texts : nil
    case .mapping, .alias:
      return refuse(value.place, "\(what) must be a list of names, not \(value.kind)")
    }
  }

  private func reportRepeated(_ texts: [Located<String>], _ what: String) {
    var seen: Set<String> = []
    for text in texts where !seen.insert(text.value).inserted {
      mistakes.add(text.place, "\"\(text.value)\" is twice in \(what)")
    }
  }

  /// A name that people type and that stands in logs: ASCII letters, digits and `. _ - @ +`, at most 63 bytes.
  ///
  /// Narrow on purpose: two names that look alike must not be two people.
  func name(_ key: Located<String>, _ what: String) -> String? {
    let isPlain = key.value.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "._-@+".utf8.contains(byte)
      }
    }
    guard isPlain, (1...63).contains(key.value.utf8.count) else {
      return refuse(
        key.place, "\"\(key.value.prefix(80))\" cannot be the name of \(what)",
        "Use up to 63 letters, digits and . _ - @ + of ASCII.")
    }
    return key.value
  }

  /// One of a few words, given with what each means.
  func word<Value>(_ value: YAMLValue, _ what: String, among words: [(String, Value)], planned: [String] = []) -> Value?
  {
    text(value, what).flatMap { word(Located(value: $0, place: value.place), what, among: words, planned: planned) }
  }

  func word<Value>(
    _ text: Located<String>, _ what: String, among words: [(String, Value)], planned: [String] = []
  ) -> Value? {
    if let match = words.first(where: { $0.0 == text.value }) { return match.1 }
    if planned.contains(text.value) {
      return refuse(text.place, "\(what) \"\(text.value)\" is not available in this version")
    }
    return refuse(
      text.place, "unknown \(what) \"\(text.value.prefix(80))\"",
      Suggestion.forName(text.value, among: words.map(\.0), called: "words"))
  }

  /// A decimal number within the bounds that its key declares.
  func integer(_ value: YAMLValue, _ what: String) -> Int? {
    guard let text = text(value, what) else { return nil }
    guard case .integer(let range) = value.shape else {
      return refuse(value.place, "\(what) is not declared as a number")
    }
    guard let number = Int(text), range.contains(number) else {
      return refuse(value.place, "\(what) must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// `30s`, `2m`, `1h` or `0`, at most 24 hours.
  func duration(_ value: YAMLValue, _ what: String) -> Duration? {
    guard let text = text(value, what) else { return nil }
    let units: [(Character, Int)] = [("s", 1), ("m", 60), ("h", 3600)]
    let unit = units.first { $0.0 == text.last }
    let digits = unit == nil ? Substring(text) : text.dropLast()
    guard let number = Int(digits), (0...86_400).contains(number), unit != nil || number == 0 else {
      return refuse(value.place, "\(what) must be a duration", "Write it like 30s, 2m or 1h.")
    }
    let seconds = number * (unit?.1 ?? 1)
    guard seconds <= 86_400 else { return refuse(value.place, "\(what) is longer than 24h") }
    return .seconds(seconds)
  }

  /// `host:port`, with an IPv6 address in brackets. Without a default the port must be written.
  func endpoint(_ value: YAMLValue, _ what: String, defaultPort: UInt16?, lowestPort: UInt16) -> Endpoint? {
    guard let text = text(value, what) else { return nil }
    switch Endpoint.parse(text, defaultPort: defaultPort, lowestPort: lowestPort) {
    case .success(let endpoint): return endpoint
    case .failure(let flaw): return refuse(value.place, "\(what) \(flaw.message)", flaw.suggestion)
    }
  }

  /// Networks in CIDR notation, or single addresses.
  func networks(_ value: YAMLValue, _ what: String) -> [NetworkRange]? {
    guard let texts = texts(value, what) else { return nil }
    let networks = texts.compactMap { text -> NetworkRange? in
      guard let network = NetworkRange(text.value) else {
        return refuse(
          text.place, "\"\(text.value.prefix(80))\" is not a network",
          "Write it like 10.0.0.0/24, 2001:db8::/32 or 10.0.0.7, without bits set behind the prefix.")
      }
      return network
    }
    return networks.count == texts.count ? networks : nil
  }

  /// A reference to a secret. A secret that is written out is refused without being repeated.
  func secret(_ value: YAMLValue, _ what: String) -> SecretReference? {
    guard case .mapping = value.node else {
      return refuse(
        value.place, "\(what) is a secret and must not be written here",
        "A secret must be a reference, such as { env: SHOP_PASSWORD } or { file: /run/secrets/shop }.")
    }
    guard var keys = MappingReader(value, what, mistakes, .secret) else { return nil }
    let before = mistakes.found.count
    let environment = keys.take("env")
    let file = keys.take("file")
    keys.finish()
    if let environment, let file {
      return refuse(
        file.place, "\(what) has both env and file", "Keep one of them, in line \(environment.place.line) or here.")
    }
    if let environment { return environmentSecret(environment, what) }
    if let file { return text(file, "the file of \(what)").map(SecretReference.file) }
    if mistakes.found.count == before { mistakes.add(value.place, "\(what) names neither env nor file") }
    return nil
  }

  private func environmentSecret(_ value: YAMLValue, _ what: String) -> SecretReference? {
    guard let name = text(value, "the variable of \(what)") else { return nil }
    // Not repeated: it may well be the secret itself, written in the wrong place.
    guard SecretReference.isVariableName(name) else {
      return refuse(
        value.place, "what \(what) names is not an environment variable", "Write it like { env: SHOP_PASSWORD }.")
    }
    return .environment(name)
  }

  /// Patterns of dotted names, each with at most `parts` parts.
  func patterns(_ value: YAMLValue, _ what: String, parts: Int, example: String) -> [NamePattern]? {
    guard let texts = texts(value, what) else { return nil }
    let patterns = texts.compactMap { text -> NamePattern? in
      guard let pattern = NamePattern(text.value), pattern.parts.count <= parts else {
        return refuse(
          text.place, "\"\(text.value.prefix(120))\" is not a pattern for \(what)",
          "Write it like \(example); * stands for any run of characters within one part.")
      }
      return pattern
    }
    return patterns.count == texts.count ? patterns : nil
  }

  /// Adds a mistake and answers nil.
  func refuse<Value>(_ place: Place, _ message: String, _ suggestion: String? = nil) -> Value? {
    mistakes.add(place, message, suggestion)
    return nil
  }
}

extension MappingShape {
  static let secret = MappingShape(
    "secret",
    [
      Key("env", .pattern("^[A-Za-z_][A-Za-z0-9_]*$"), "An environment variable of the gateway's process."),
      Key("file", .text, "A file; one newline at its end does not belong to the secret."),
    ], planned: ["exec"], oneOf: ["env", "file"])
}

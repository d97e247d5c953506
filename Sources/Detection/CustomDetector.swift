import CPCRE2

/// What the configuration adds to the catalogue: a pattern, a list of words, or both.
///
/// Patterns are PCRE2's, over bytes that may be no UTF-8. A match is `maxMatch` bytes long at most, and a pattern that
/// takes too many steps over a text counts as found in it: it can neither be slow nor be tricked.
public final class CustomDetector: Sendable {
  /// A pattern that cannot be used, and where in it the mistake is (0: at its beginning).
  public struct PatternError: Error, Hashable, Sendable {
    public var offset: Int
    public var message: String
  }
  static let maxMatch = 1024
  static let maxLookBehind = 200
  public static let maxPattern = 4096
  public static let maxWords = 10_000
  /// Bytes of a word.
  public static let maxWord = 256

  public let name: String
  let confidence: Confidence
  let words: WordMatcher?
  private let context: WordTable?
  /// Of what was said, so that two are compared without their compiled forms.
  private let source: [String]
  /// Compiled once and then only read, which PCRE2 allows from any thread (pcre2api, "Multithreading"); freed with
  /// self.
  private nonisolated(unsafe) let code: OpaquePointer?
  private nonisolated(unsafe) let limits: OpaquePointer?

  /// - Parameters:
  ///   - words: matched whole, letters of ASCII in either case.
  ///   - context: words near a match that make it surer by one step.
  public init(
    name: String, pattern: String? = nil, words: [String] = [], context: [String] = [],
    confidence: Confidence = .medium
  ) throws(PatternError) {
    self.name = name
    self.confidence = confidence
    self.words = words.isEmpty ? nil : WordMatcher(words)
    let tables = context.map { ([], $0.lowercased()) as ([DetectorKind], String) }
    self.context = context.isEmpty ? nil : WordTable(tables)
    source = [pattern ?? "", confidence.name] + words + [""] + context
    code = try pattern.map { text throws(PatternError) in try CustomDetector.compile(text) }
    limits = pcre2_match_context_create_8(nil)
    pcre2_set_match_limit_8(limits, 50_000)
    pcre2_set_depth_limit_8(limits, 1_000)
    pcre2_set_heap_limit_8(limits, 1_024)
  }

  deinit {
    pcre2_code_free_8(code)
    pcre2_match_context_free_8(limits)
  }

  private static func compile(_ pattern: String) throws(PatternError) -> OpaquePointer {
    guard pattern.utf8.count <= maxPattern else {
      throw PatternError(offset: 0, message: "it is longer than \(maxPattern) bytes")
    }
    var (error, offset) = (Int32(0), 0)
    let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_MATCH_INVALID_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C)
    let bytes = Array(pattern.utf8)
    guard let code = pcre2_compile_8(bytes, bytes.count, options, &error, &offset, nil) else {
      var message = [UInt8](repeating: 0, count: 256)
      let length = pcre2_get_error_message_8(error, &message, message.count)
      throw PatternError(offset: offset, message: String(decoding: message.prefix(Int(max(0, length))), as: UTF8.self))
    }
    func info(_ what: Int32) -> UInt32 {
      var value: UInt32 = 0
      _ = pcre2_pattern_info_8(code, UInt32(what), &value)
      return value
    }
    var flaw: String?
    if info(PCRE2_INFO_MATCHEMPTY) != 0 { flaw = "it matches the empty text" }
    if info(PCRE2_INFO_MAXLOOKBEHIND) > maxLookBehind {
      flaw = "it looks back further than \(maxLookBehind) characters"
    }
    if let flaw {
      pcre2_code_free_8(code)
      throw PatternError(offset: 0, message: flaw)
    }
    // Where the processor is not known to it, the interpreter does the same.
    _ = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
    return code
  }

  /// Appends what is found from `position` on as far as it can be decided, and moves `position` there.
  func scan(
    _ text: ScannedBytes, from position: inout Int, isFinal: Bool, minimum: Confidence, as index: Int,
    into findings: inout [Finding]
  ) {
    // Starts from which all that a match may take is there.
    let limit = isFinal ? text.count : max(position, text.count - CustomDetector.maxMatch)
    let first = findings.count
    if let words { words.scan(text, position..<limit) { findings.append(Finding(.custom(index), $0, confidence)) } }
    let end = code == nil ? limit : matches(text, position, limit, index, isFinal, &findings)
    position = max(limit, end)
    guard context != nil || confidence < minimum else { return }
    for place in (first..<findings.count).reversed() {
      if let context, Context.mentions(context, around: findings[place].range, in: text) {
        findings[place].confidence = confidence.raised
      }
      if findings[place].confidence < minimum { findings.remove(at: place) }
    }
  }

  /// Returns where the last match ended, which may be behind `limit`.
  private func matches(
    _ text: ScannedBytes, _ start: Int, _ limit: Int, _ index: Int, _ isFinal: Bool, _ findings: inout [Finding]
  ) -> Int {
    guard start < limit, let data = pcre2_match_data_create_8(1, nil) else { return limit }
    defer { pcre2_match_data_free_8(data) }
    var place = start
    while place < limit {
      // What is left fits into one match: the library may look for its beginning itself.
      let isShort = isFinal && text.count - place <= CustomDetector.maxMatch
      let length = isShort ? text.count : min(text.count, place + CustomDetector.maxMatch)
      let options = isShort ? 0 : UInt32(PCRE2_ANCHORED)
      let result = pcre2_match_8(code, text.base, length, place, options, data, limits)
      if result == PCRE2_ERROR_NOMATCH {
        if isShort { return limit }
        place += 1
        continue
      }
      var found = place..<length
      if result >= 0, let vector = pcre2_get_ovector_pointer_8(data), vector[1] > vector[0] {
        found = Int(vector[0])..<Int(vector[1])
      }
      findings.append(Finding(.custom(index), found, confidence))
      place = max(found.upperBound, place + 1)
    }
    return place
  }
}

extension CustomDetector: Hashable {
  public static func == (a: CustomDetector, b: CustomDetector) -> Bool {
    a === b || a.name == b.name && a.source == b.source
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// Words as they stand in a text, by the hash of each length that some of them have.
struct WordMatcher: Sendable {
  private var hashes: Set<UInt64> = []
  private var lengths: Set<Int> = []
  private var longest = 0

  init(_ words: [String]) {
    for word in words {
      let bytes = word.utf8.prefix(CustomDetector.maxWord)
      hashes.insert(bytes.reduce(WordTable.basis) { WordTable.step($0, $1.lowered) })
      lengths.insert(bytes.count)
      longest = max(longest, bytes.count)
    }
  }

  /// The longest word at each place where one may begin.
  func scan(_ text: ScannedBytes, _ starts: Range<Int>, _ found: (Range<Int>) -> Void) {
    var index = starts.lowerBound
    while index < starts.upperBound {
      if WordMatcher.isPart(text[index]), WordMatcher.isPart(text[index - 1]) {
        index += 1
        continue
      }
      var hash = WordTable.basis
      var end: Int?
      for length in 1...max(1, longest) where index + length <= text.count {
        hash = WordTable.step(hash, text[index + length - 1].lowered)
        guard lengths.contains(length), hashes.contains(hash) else { continue }
        let isCut = WordMatcher.isPart(text[index + length]) && WordMatcher.isPart(text[index + length - 1])
        if !isCut { end = index + length }
      }
      if let end {
        found(index..<end)
        index = end
      } else {
        index += 1
      }
    }
  }

  private static func isPart(_ byte: UInt8) -> Bool { byte.isWord || byte >= 0x80 }
}

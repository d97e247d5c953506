import CByteScan

/// One pass of the built-in detectors over a text, from the left: from byte to byte at which one of them may begin.
///
/// What is found at a place depends on no more than `lookBehind` bytes before it and `lookAhead` behind it (or
/// `longLookAhead`, for keys and tokens), and the next place on nothing else; so that a text that comes in pieces is
/// looked at in the same steps as one that is there whole.
struct Scanner {
  static let lookAhead = 512
  static let longLookAhead = 16_384
  static let lookBehind = 256
  /// How far before a place a finding may begin that is made at it.
  static let reach = 128

  let text: ScannedBytes
  let kinds: DetectorKinds
  let label: Context
  let minimum: Confidence
  /// Whether the text ends here.
  let isFinal: Bool
  /// The next byte to look at.
  var position: Int
  var findings: [Finding] = []
  /// Room for the digits and groups of one number.
  let scratch: NumberScratch

  init(
    _ text: ScannedBytes, kinds: DetectorKinds, label: Context, minimum: Confidence, from position: Int = 0,
    isFinal: Bool = true, scratch: NumberScratch
  ) {
    self.text = text
    self.kinds = kinds
    self.label = label
    self.minimum = minimum
    self.position = position
    self.isFinal = isFinal
    self.scratch = scratch
  }

  /// Looks at all that can be decided; `position` is then where it stopped.
  mutating func run() {
    let table = ByteClass.table
    while true {
      position = Int(byte_scan_next(text.base, position, text.count, table, ByteClass.anchor))
      if position >= text.count { return }
      if !isFinal, text.count - position < Scanner.lookAhead { return }
      let byte = text.base[position]
      let next = byte.isDigit ? number(at: position) : mark(byte, at: position)
      guard let next else { return }
      position = max(next, position + 1)
    }
  }

  /// Looks at a byte that is no digit; nil when more of the text is needed.
  private mutating func mark(_ byte: UInt8, at index: Int) -> Int? {
    switch byte {
    case UInt8(ascii: "@"): return kinds.contains(.email) ? email(at: index) : index + 1
    case UInt8(ascii: ":"): return colon(at: index)
    case UInt8(ascii: "="): return assignment(at: index)
    case UInt8(ascii: "_"): return underscore(at: index)
    case UInt8(ascii: "-"): return dash(at: index)
    case UInt8(ascii: "J"): return kinds.contains(.jwt) ? jwt(at: index) : index + 1
    case UInt8(ascii: "I"): return cloudKey(at: index)
    case UInt8(ascii: "~"): return kinds.contains(.azureKey) ? azureSecret(at: index) : index + 1
    case UInt8(ascii: "<"): return kinds.contains(.passport) ? machineReadable(at: index) : index + 1
    default: return index + 1
    }
  }

  /// Keeps a finding. Of two that overlap the surer one stays, of equal ones the longer.
  mutating func found(_ kind: DetectorKind, _ range: Range<Int>, _ confidence: Confidence) {
    guard confidence >= minimum, kinds.contains(kind), !range.isEmpty else { return }
    let new = Finding(.kind(kind), range, confidence)
    while let last = findings.last, last.range.upperBound > range.lowerBound {
      // What was written as a password is one to its end, whatever a part of it looks like.
      if last.detector == .kind(.password),
        !(range.contains(last.range.lowerBound) && range.upperBound >= last.range.upperBound)
      {
        return
      }
      if last.outweighs(new) { return }
      findings.removeLast()
    }
    findings.append(new)
  }

  func context(_ range: Range<Int>) -> Context { Context(around: range, in: text, label: label) }
}

extension Finding {
  /// Of two that overlap.
  func outweighs(_ other: Finding) -> Bool {
    (confidence, range.count) >= (other.confidence, other.range.count)
  }
}

/// Room for the parts of one number, made once for a text and used for each.
struct NumberScratch {
  static let maxDigits = 40
  static let maxGroups = 14
  /// Values 0 to 9.
  let digits: UnsafeMutablePointer<UInt8>
  /// Of each group: where it begins, how many digits stand before it, and what stands behind it.
  let starts: UnsafeMutablePointer<Int>
  let offsets: UnsafeMutablePointer<Int>
  let separators: UnsafeMutablePointer<UInt8>

  /// Room on the stack, for as long as `body` runs.
  static func with<Result>(_ body: (NumberScratch) -> Result) -> Result {
    // Vectors are the largest plain values there are: 32 numbers and 64 bytes.
    var numbers = SIMD32<Int>.zero
    var bytes = SIMD64<UInt8>.zero
    return withUnsafeMutablePointer(to: &numbers) { numbers in
      withUnsafeMutablePointer(to: &bytes) { bytes in
        let numbers = UnsafeMutableRawPointer(numbers).assumingMemoryBound(to: Int.self)
        let bytes = UnsafeMutableRawPointer(bytes).assumingMemoryBound(to: UInt8.self)
        return body(
          NumberScratch(
            digits: bytes, starts: numbers, offsets: numbers + (maxGroups + 1), separators: bytes + maxDigits))
      }
    }
  }
}

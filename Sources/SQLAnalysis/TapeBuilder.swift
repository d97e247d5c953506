/// Reads JSON once, front to back, with a stack of its own, and writes nodes.
struct TapeBuilder {
  /// An open brace or bracket.
  private struct Open {
    var node: UInt32
    /// The child written last, 0 before the first.
    var last: UInt32
    var isArray: Bool
    /// The braces around `{"SelectStmt": …}`, which share their node with the inner ones.
    var isWrapper = false
    /// The inner braces of such a pair.
    var isInner = false
  }

  let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0
  private var open: [Open] = []

  init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// Reads the whole document; anything after it is a fault.
  mutating func run(into nodes: inout [Tape.Node]) throws(Tape.Fault) {
    nodes.append(Tape.Node(field: .unrecognized, kind: .structure, start: 0, end: 0))
    guard take(UInt8(ascii: "{")) else { throw .malformed }
    open.append(Open(node: 0, last: 0, isArray: false))
    while let top = open.last {
      if take(top.isArray ? UInt8(ascii: "]") : UInt8(ascii: "}")) {
        open.removeLast()
        continue
      }
      if needsComma { guard take(UInt8(ascii: ",")) else { throw .malformed } }
      try element(of: top, into: &nodes)
    }
    guard at == bytes.count else { throw .malformed }
  }

  /// True once anything was read in the innermost container, also what is not kept.
  private var needsComma: Bool {
    let before = byte(at - 1)
    return before != UInt8(ascii: "{") && before != UInt8(ascii: "[")
  }

  /// One element of an array, or one key with its value.
  private mutating func element(of top: Open, into nodes: inout [Tape.Node]) throws(Tape.Fault) {
    guard !top.isWrapper else { throw .malformed }
    if top.isArray { return try value(.element, into: &nodes) }
    let key = try string()
    guard take(UInt8(ascii: ":")) else { throw .malformed }
    let first = byte(key.lowerBound)
    if first >= UInt8(ascii: "A"), first <= UInt8(ascii: "Z") {
      guard top.last == 0, !top.isInner, take(UInt8(ascii: "{")) else { throw .malformed }
      nodes[Int(top.node)].kind = NodeKind.byName.find(bytes, key) ?? .unrecognized
      open[open.count - 1].isWrapper = true
      return try push(Open(node: top.node, last: 0, isArray: false, isInner: true))
    }
    try value(Field.byName.find(bytes, key) ?? .unrecognized, into: &nodes)
  }

  private mutating func value(_ field: Field, into nodes: inout [Tape.Node]) throws(Tape.Fault) {
    switch byte(at) {
    case UInt8(ascii: "{"):
      at += 1
      let node = append(Tape.Node(field: field, kind: field.structure, start: 0, end: 0), to: &nodes)
      try push(Open(node: node, last: 0, isArray: false))
    case UInt8(ascii: "["):
      at += 1
      let node = append(Tape.Node(field: field, kind: .array, start: 0, end: 0), to: &nodes)
      try push(Open(node: node, last: 0, isArray: true))
    case UInt8(ascii: "\""):
      scalar(field, .text, try string(), into: &nodes)
    case UInt8(ascii: "t"): try word("true", field, .yes, into: &nodes)
    case UInt8(ascii: "f"): try word("false", field, .no, into: &nodes)
    case UInt8(ascii: "n"): try word("null", field, .null, into: &nodes)
    default: try number(field, into: &nodes)
    }
  }

  private mutating func push(_ container: Open) throws(Tape.Fault) {
    guard open.count < Tape.depthLimit else { throw .tooDeep }
    open.append(container)
  }

  /// Adds a child to the innermost container and returns its index.
  private mutating func append(_ node: Tape.Node, to nodes: inout [Tape.Node]) -> UInt32 {
    let index = UInt32(truncatingIfNeeded: nodes.count)
    nodes.append(node)
    let top = open.count - 1
    if open[top].last == 0 {
      nodes[Int(open[top].node)].firstChild = index
    } else {
      nodes[Int(open[top].last)].next = index
    }
    open[top].last = index
    return index
  }

  /// Keeps a scalar only in a field that somebody reads: locations and flags of no interest are half of the text.
  private mutating func scalar(
    _ field: Field, _ kind: NodeKind, _ range: Range<Int>, into nodes: inout [Tape.Node]
  ) {
    if field == .unrecognized { return }
    if field == .location, let top = open.last {
      nodes[Int(top.node)].start = UInt32(truncatingIfNeeded: range.lowerBound)
      nodes[Int(top.node)].end = UInt32(truncatingIfNeeded: range.upperBound)
      return
    }
    _ = append(
      Tape.Node(
        field: field, kind: kind, start: UInt32(truncatingIfNeeded: range.lowerBound),
        end: UInt32(truncatingIfNeeded: range.upperBound)), to: &nodes)
  }
}

/// Scanning.
extension TapeBuilder {
  /// The byte there, or 0, which no valid document holds.
  private func byte(_ index: Int) -> UInt8 { index >= 0 && index < bytes.count ? bytes[index] : 0 }

  private mutating func take(_ expected: UInt8) -> Bool {
    guard byte(at) == expected else { return false }
    at += 1
    return true
  }

  /// The range of a string's bytes between its quotes.
  private mutating func string() throws(Tape.Fault) -> Range<Int> {
    guard take(UInt8(ascii: "\"")) else { throw .malformed }
    let start = at
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        at += 1
        return start..<(at - 1)
      case UInt8(ascii: "\\"): at += 2
      default: at += 1
      }
    }
    throw .malformed
  }

  private mutating func word(
    _ word: StaticString, _ field: Field, _ kind: NodeKind, into nodes: inout [Tape.Node]
  ) throws(Tape.Fault) {
    let end = at + word.utf8CodeUnitCount
    guard end <= bytes.count,
      bytes[at..<end].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    else { throw .malformed }
    scalar(field, kind, at..<end, into: &nodes)
    at = end
  }

  private mutating func number(_ field: Field, into nodes: inout [Tape.Node]) throws(Tape.Fault) {
    let start = at
    while true {
      switch byte(at) {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        at += 1
        continue
      default: break
      }
      break
    }
    guard at > start else { throw .malformed }
    scalar(field, .number, start..<at, into: &nodes)
  }
}

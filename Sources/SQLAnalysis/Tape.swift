// SQLAnalysis: turns SQL text into what it may do: effects, footprint, statements and settings.

/// A JSON document as a flat array of nodes, so that any depth is walked without recursion.
///
/// It views libpg_query's output and must not outlive it. `{"SelectStmt": {…}}` is one node of kind `.selectStmt`.
struct Tape {
  struct Node {
    var field: Field
    var kind: NodeKind
    /// Bytes of a scalar, without the quotes of a text; of a node, those of its `location`.
    var start: UInt32
    var end: UInt32
    /// Index of the first child and of the next sibling; 0, the root's own index, stands for none.
    var firstChild: UInt32 = 0
    var next: UInt32 = 0
  }

  /// Why no tape could be made.
  enum Fault: Error, Hashable {
    case tooDeep
    /// Not the JSON that libpg_query writes; a fault of ours, and treated as not understood.
    case malformed
  }

  /// Levels of braces and brackets that are followed. One operator of a chain takes 2 or 3, so that chains of some
  /// 6,000 operators pass.
  static let depthLimit = 20_000

  let bytes: UnsafeBufferPointer<UInt8>
  var nodes: [Node] = []

  /// Reads `json`, which must stay valid as long as the tape.
  init(_ json: UnsafeBufferPointer<UInt8>) throws(Fault) {
    bytes = json
    guard json.count < Int(UInt32.max) else { throw .malformed }
    nodes.reserveCapacity(json.count / 16)
    var builder = TapeBuilder(bytes: json)
    try builder.run(into: &nodes)
  }
}

/// Reading.
extension Tape {
  subscript(_ index: UInt32) -> Node { nodes[Int(index)] }

  func kind(_ index: UInt32) -> NodeKind { nodes[Int(index)].kind }

  /// The indices of a node's children, in order.
  func children(_ index: UInt32) -> Children { Children(tape: self, at: nodes[Int(index)].firstChild) }

  /// The first child in that field; 0 without one.
  func child(_ index: UInt32, _ field: Field) -> UInt32 {
    var at = nodes[Int(index)].firstChild
    while at != 0 {
      if nodes[Int(at)].field == field { return at }
      at = nodes[Int(at)].next
    }
    return 0
  }

  func has(_ index: UInt32, _ field: Field) -> Bool { child(index, field) != 0 }

  /// True when the field is there and holds `true`; libpg_query leaves out what is false.
  func flag(_ index: UInt32, _ field: Field) -> Bool {
    let at = child(index, field)
    return at != 0 && kind(at) == .yes
  }

  /// A whole number; nil where it is left out, as 0 is, or is none.
  func number(_ index: UInt32, _ field: Field) -> Int? {
    let at = child(index, field)
    return at == 0 || kind(at) != .number ? nil : Int(String(decoding: raw(at), as: UTF8.self))
  }

  /// Where in the SQL text the node stands, in bytes from 0; nil when the parser does not say.
  func location(_ index: UInt32) -> Int? {
    Int(String(decoding: raw(index), as: UTF8.self)).flatMap { $0 < 0 ? nil : $0 }
  }

  /// The bytes of a scalar, escapes and all.
  func raw(_ index: UInt32) -> UnsafeBufferPointer<UInt8> {
    let node = nodes[Int(index)]
    return UnsafeBufferPointer(rebasing: bytes[Int(node.start)..<Int(node.end)])
  }

  func isEqual(_ index: UInt32, _ text: StaticString) -> Bool {
    let mine = raw(index)
    let theirs = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    return mine.count == theirs.count && mine.elementsEqual(theirs)
  }

  func isEqual(_ a: UInt32, _ b: UInt32) -> Bool { raw(a).elementsEqual(raw(b)) }

  /// The text in that field, nil without one.
  func text(_ index: UInt32, _ field: Field) -> String? {
    let at = child(index, field)
    return at == 0 || kind(at) != .text ? nil : text(at)
  }

  /// A text with its escapes resolved.
  func text(_ index: UInt32) -> String {
    let raw = raw(index)
    if !raw.contains(UInt8(ascii: "\\")) { return String(decoding: raw, as: UTF8.self) }
    return String(decoding: Tape.unescaped(raw), as: UTF8.self)
  }

  /// The indices of the `sval` texts of a list of String nodes; nil when the list holds anything else.
  func names(_ list: UInt32) -> [UInt32]? {
    var names: [UInt32] = []
    if list == 0 { return names }
    for item in children(list) {
      guard kind(item) == .string else { return nil }
      names.append(child(item, .sval))
    }
    return names.contains(0) ? nil : names
  }

  /// Resolves JSON's escapes; libpg_query uses `\uXXXX` only for ASCII.
  private static func unescaped(_ raw: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(raw.count)
    var bytes = raw.makeIterator()
    while let byte = bytes.next() {
      guard byte == UInt8(ascii: "\\"), let escape = bytes.next() else {
        out.append(byte)
        continue
      }
      switch escape {
      case UInt8(ascii: "n"): out.append(0x0a)
      case UInt8(ascii: "r"): out.append(0x0d)
      case UInt8(ascii: "t"): out.append(0x09)
      case UInt8(ascii: "b"): out.append(0x08)
      case UInt8(ascii: "f"): out.append(0x0c)
      case UInt8(ascii: "u"):
        var value: UInt32 = 0
        for _ in 0..<4 { value = value << 4 | UInt32(truncatingIfNeeded: (bytes.next().flatMap(hexDigit)) ?? 0) }
        out.append(contentsOf: String(Unicode.Scalar(value).map(Character.init) ?? "\u{fffd}").utf8)
      default: out.append(escape)
      }
    }
    return out
  }

  private static func hexDigit(_ byte: UInt8) -> Int? { Character(Unicode.Scalar(byte)).hexDigitValue }

  struct Children: Sequence, IteratorProtocol {
    let tape: Tape
    var at: UInt32
    mutating func next() -> UInt32? {
      guard at != 0 else { return nil }
      defer { at = tape.nodes[Int(at)].next }
      return at
    }
  }
}

/// A tree of nodes as PostgreSQL stores it (`pg_node_tree`: `{VAR :varno 1 …}`), as a flat array.
///
/// The form is that of outfuncs.c: braces hold a node with its fields, parentheses a list, all else are words. What a
/// field is called is all that is read, so that one reader serves all versions.
struct StoredTree {
  struct Node {
    enum Kind { case object, list, word }
    var kind: Kind
    /// The bytes of the word, of an object its label.
    var text: Range<Int>
    /// The bytes of the field's name, empty in a list.
    var field: Range<Int>
    /// Indices of the first child and the next sibling; 0 for none.
    var firstChild = 0
    var next = 0
  }
  private struct Open {
    var node: Int
    var last = 0
    var field = 0..<0
    var hasLabel: Bool
  }

  let bytes: [UInt8]
  private(set) var nodes: [Node] = []

  /// Levels of braces and parentheses that are followed.
  private static let depthLimit = 2_000

  /// nil when the text is no such tree.
  init?(_ text: String) {
    bytes = Array(text.utf8)
    nodes.reserveCapacity(bytes.count / 12)
    nodes.append(Node(kind: .list, text: 0..<0, field: 0..<0))
    var open = [Open(node: 0, hasLabel: true)]
    var at = 0
    while let token = next(&at) {
      guard let top = open.last, open.count < StoredTree.depthLimit else { return nil }
      switch bytes[token.lowerBound] {
      case UInt8(ascii: "{"), UInt8(ascii: "("):
        let isObject = bytes[token.lowerBound] == UInt8(ascii: "{")
        let node = append(Node(kind: isObject ? .object : .list, text: 0..<0, field: top.field), &open)
        open.append(Open(node: node, hasLabel: !isObject))
      case UInt8(ascii: "}"), UInt8(ascii: ")"):
        guard open.count > 1 else { return nil }
        open.removeLast()
      case UInt8(ascii: ":") where nodes[top.node].kind == .object && top.hasLabel:
        open[open.count - 1].field = (token.lowerBound + 1)..<token.upperBound
      default:
        if top.hasLabel {
          _ = append(Node(kind: .word, text: token, field: top.field), &open)
        } else {
          nodes[top.node].text = token
          open[open.count - 1].hasLabel = true
        }
      }
    }
    guard open.count == 1 else { return nil }
  }

  private mutating func append(_ node: Node, _ open: inout [Open]) -> Int {
    let index = nodes.count
    nodes.append(node)
    let top = open.count - 1
    if open[top].last == 0 { nodes[open[top].node].firstChild = index } else { nodes[open[top].last].next = index }
    open[top].last = index
    return index
  }

  /// The next word or bracket (pg_strtok, read.c).
  private func next(_ at: inout Int) -> Range<Int>? {
    while at < bytes.count, StoredTree.isSpace(bytes[at]) { at += 1 }
    guard at < bytes.count else { return nil }
    let start = at
    if StoredTree.isBracket(bytes[at]) {
      at += 1
      return start..<at
    }
    while at < bytes.count, !StoredTree.isSpace(bytes[at]), !StoredTree.isBracket(bytes[at]) {
      at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
    }
    at = min(at, bytes.count)
    return start..<at
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
  }

  private static func isBracket(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}")
  }
}

/// Reading.
extension StoredTree {
  func isEqual(_ range: Range<Int>, _ text: StaticString) -> Bool {
    range.count == text.utf8CodeUnitCount
      && bytes[range].elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  func isLabelled(_ node: Int, _ label: StaticString) -> Bool {
    nodes[node].kind == .object && isEqual(nodes[node].text, label)
  }

  /// The first child in that field; 0 without one.
  func child(_ node: Int, _ field: StaticString) -> Int {
    var at = nodes[node].firstChild
    while at != 0, !isEqual(nodes[at].field, field) { at = nodes[at].next }
    return at
  }

  func children(_ node: Int) -> [Int] {
    var all: [Int] = []
    var at = nodes[node].firstChild
    while at != 0 {
      all.append(at)
      at = nodes[at].next
    }
    return all
  }

  func word(_ node: Int) -> String? {
    node != 0 && nodes[node].kind == .word ? String(decoding: bytes[nodes[node].text], as: UTF8.self) : nil
  }

  func number(_ node: Int, _ field: StaticString) -> Int? { word(child(node, field)).flatMap { Int($0) } }
}

import Yams

/// A configuration as a list of `path: value`, by which two of them are compared.
///
/// It can be made of files that are refused, and those may hold a secret where none belongs. So a value is shown only
/// where a key is declared for it that is no secret.
public struct ConfigurationOutline: Sendable, Hashable {
  public private(set) var lines: [String] = []
  private static let valueLimit = 200
  private static let hidden = "(not shown)"

  /// Of files that are no YAML, nothing.
  public init(_ files: ConfigurationFiles) {
    for source in files.sources {
      guard let root = YAMLSource(file: source.file, mistakes: Mistakes()).compose(source.text) else { continue }
      add(root, .mapping(.file), "")
    }
  }

  /// Lines that are only in the other one, with `+`, and those only in this one, with `-`, in the order of their paths;
  /// at most `limit`, and then one that says how many more.
  public func changes(to other: ConfigurationOutline, limit: Int = 100) -> [String] {
    let (mine, theirs) = (Set(lines), Set(other.lines))
    let gone = lines.filter { !theirs.contains($0) }.map { (line: $0, sign: "- ") }
    let new = other.lines.filter { !mine.contains($0) }.map { (line: $0, sign: "+ ") }
    func path(_ line: String) -> Substring { line.prefix { $0 != ":" } }
    let all = (gone + new).enumerated()
      .sorted { (path($0.element.line), $0.offset) < (path($1.element.line), $1.offset) }
      .map { $0.element.sign + $0.element.line }
    return all.count <= limit ? all : Array(all.prefix(limit)) + ["… and \(all.count - limit) more"]
  }

  private mutating func add(_ value: YAMLValue, _ shape: ValueShape?, _ path: String) {
    switch value.node {
    case .scalar(let scalar): lines.append("\(path): \(shown(scalar.string, shape))")
    case .sequence(let sequence): add(sequence.map { YAMLValue(node: $0, file: value.file) }, shape, path)
    case .mapping(let mapping):
      for pair in mapping {
        let key = pair.key.scalar?.string ?? ""
        let inner = path.isEmpty ? key : "\(path).\(key)"
        add(YAMLValue(node: pair.value, file: value.file), shape?.value(of: key), inner)
      }
    case .alias: lines.append("\(path): \(Self.hidden)")
    }
  }

  private mutating func add(_ items: [YAMLValue], _ shape: ValueShape?, _ path: String) {
    let element = shape?.element
    let scalars = items.compactMap { $0.node.scalar?.string }
    if scalars.count == items.count {
      return lines.append("\(path): [\(scalars.map { shown($0, element) }.joined(separator: ", "))]")
    }
    for (index, item) in items.enumerated() {
      // Rules are known by their names, so that one more does not make all behind it look changed.
      let name = item.node.mapping?["name"]?.scalar?.string
      add(item, element, "\(path)[\(name.map { String($0.prefix(64)) } ?? String(index))]")
    }
  }

  /// The host of an address, and by what another path shows as a change (FNV-1a).
  private static func withoutPath(_ text: String) -> String {
    let parts = text.split(separator: "://", maxSplits: 1)
    guard parts.count == 2 else { return hidden }
    let sum = text.utf8.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    let host = parts[1].prefix { !"/?#@".contains($0) }
    return "\(parts[0])://\(host)/… (\(String(sum, radix: 16)))"
  }

  private func shown(_ text: String, _ shape: ValueShape?) -> String {
    if case .address = shape { return Self.withoutPath(text) }
    guard let shape, shape.mayShow(text) else { return Self.hidden }
    return text.count > Self.valueLimit ? "\(text.prefix(Self.valueLimit))…" : text
  }
}

extension ValueShape {
  /// What is declared for a key of a mapping that stands here; nil when nothing is.
  fileprivate func value(of key: String) -> ValueShape? {
    switch self {
    case .mapping(let shape): shape.key(key)?.value
    case .secret: MappingShape.secret.key(key)?.value
    case .named(let value): value
    case .oneOrMore(let value): value.value(of: key)
    case .either(let values): values.lazy.compactMap { $0.value(of: key) }.first
    case .text, .pattern, .integer, .duration, .words, .address, .list: nil
    }
  }

  /// What is declared for the entries of a list that stands here.
  fileprivate var element: ValueShape? {
    switch self {
    case .list(let value), .oneOrMore(let value): value
    case .either(let values): values.lazy.compactMap(\.element).first
    case .text, .pattern, .integer, .duration, .words, .address, .secret, .mapping, .named: nil
    }
  }

  fileprivate func mayShow(_ text: String) -> Bool {
    switch self {
    case .text, .integer, .duration, .words: true
    // Only if it is what was meant: a password written as the name of a variable is none.
    case .pattern(let pattern): (try? Regex(pattern)).map { text.contains($0) } ?? false
    case .oneOrMore(let value): value.mayShow(text)
    case .either(let values): values.contains { $0.mayShow(text) }
    case .address, .secret, .mapping, .named, .list: false
    }
  }
}

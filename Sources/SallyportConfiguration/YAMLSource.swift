import Yams

/// One node of a YAML file, and the file that it is from.
struct YAMLValue {
  let node: Node
  let file: String
  /// What may stand here, as its key declares it; text where nothing is declared.
  var shape = ValueShape.text

  var place: Place {
    Place(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
  }

  /// True for a value that was left out: nothing, `~` or a plain `null`.
  var isNull: Bool {
    guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
    return scalar.string.isEmpty || scalar.string == "~" || scalar.string == "null"
  }
}

/// Turns text into YAML nodes within bounds: nothing that a file can hold takes much time, memory or stack.
///
/// Aliases can make a small file expand without end, and Yams hashes keys in full while it reads. So a file is first
/// read with its aliases disarmed, which is linear; only if its shape is within bounds is it read as it is.
struct YAMLSource {
  static let maxBytes = 4 << 20
  static let maxNodes = 100_000
  static let maxDepth = 32
  static let maxAnchors = 100
  /// Takes an alias's `*` in the first reading: a character that no key or name may have.
  private static let disarmed: Unicode.Scalar = "\u{E000}"

  let file: String
  let mistakes: Mistakes

  /// The root node; nil when the text has none or is not acceptable, which is then among the mistakes.
  func compose(_ text: String) -> YAMLValue? {
    guard text.utf8.count <= YAMLSource.maxBytes else {
      mistakes.add(whole, "the file is larger than 4 MiB", "Split it into several files of one folder.")
      return nil
    }
    let safe = YAMLSource.withoutAliases(text)
    guard let shape = parse(safe, original: text, mostAnchors: YAMLSource.maxAnchors) else { return nil }
    if safe.utf8.elementsEqual(text.utf8) { return shape }
    // An alias repeats its value with the anchor on it, so that anchors are not counted again.
    return parse(text, original: text, mostAnchors: .max)
  }

  private var whole: Place { Place(file: file, line: 0, column: 0) }

  /// Replaces the `*` of all that may be an alias (libyaml: followed by a letter, digit, `-` or `_`).
  private static func withoutAliases(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    var pending = false
    for scalar in text.unicodeScalars {
      if pending { scalars.append(isAnchorCharacter(scalar) ? disarmed : "*") }
      pending = scalar == "*"
      if !pending { scalars.append(scalar) }
    }
    if pending { scalars.append("*") }
    return String(scalars)
  }

  private static func isAnchorCharacter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
    default: false
    }
  }

  private func parse(_ text: String, original: String, mostAnchors: Int) -> YAMLValue? {
    do {
      // Without resolver rules a scalar stays what was written: `no` is a name, not a boolean.
      let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      // Anchors live only as long as the parser.
      return try withExtendedLifetime(parser) {
        guard let root = try parser.singleRoot() else { return nil }
        var inspection = Inspection(file: file, mistakes: mistakes, mostAnchors: mostAnchors)
        guard inspection.accepts(root, depth: 1) else { return nil }
        return YAMLValue(node: root, file: file)
      }
    } catch let error as YamlError {
      report(error, in: original)
    } catch {
      mistakes.add(whole, "the file cannot be read as YAML")
    }
    return nil
  }

  /// One walk over all nodes, before anything is made of them.
  private struct Inspection {
    let file: String
    let mistakes: Mistakes
    let mostAnchors: Int
    var nodes = 0
    var anchors = 0

    mutating func accepts(_ node: Node, depth: Int) -> Bool {
      let place = YAMLValue(node: node, file: file).place
      nodes += 1
      if node.anchor != nil { anchors += 1 }
      if anchors > mostAnchors { return refuse(place, "the file has more than \(mostAnchors) anchors") }
      if nodes > maxNodes { return refuse(place, "the file holds more than \(maxNodes) values, aliases expanded") }
      if depth > maxDepth { return refuse(place, "nested deeper than \(maxDepth) levels") }
      switch node {
      case .scalar(let scalar):
        return acceptsTag(scalar.tag.description, place)
      case .sequence(let sequence):
        return acceptsTag(sequence.tag.description, place) && sequence.allSatisfy { accepts($0, depth: depth + 1) }
      case .mapping(let mapping):
        return acceptsTag(mapping.tag.description, place)
          && mapping.allSatisfy { acceptsKey($0.key) && accepts($0.value, depth: depth + 1) }
      case .alias:
        return refuse(place, "an alias that leads nowhere")
      }
    }

    private mutating func acceptsKey(_ key: Node) -> Bool {
      let place = YAMLValue(node: key, file: file).place
      nodes += 1
      if key.anchor != nil { anchors += 1 }
      guard case .scalar(let scalar) = key, !scalar.string.unicodeScalars.starts(with: [disarmed]) else {
        return refuse(place, "a key must be plain text")
      }
      return acceptsTag(scalar.tag.description, place)
    }

    private func acceptsTag(_ tag: String, _ place: Place) -> Bool {
      switch tag {
      case "", "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq": return true
      default: return refuse(place, "the YAML tag \(tag.prefix(60)) means nothing here")
      }
    }

    private func refuse(_ place: Place, _ message: String) -> Bool {
      mistakes.add(place, message)
      return false
    }
  }
}

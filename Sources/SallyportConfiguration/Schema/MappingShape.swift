/// What one mapping of the configuration may hold: which keys there are, and what stands behind each.
///
/// Declared once, beside the code that reads it: `MappingReader` takes no key that is not declared and misses none that
/// is, and the JSON Schema for editors is made of the same declaration.
struct MappingShape: Sendable {
  struct Key: Sendable {
    var name: String
    var value: ValueShape
    /// One sentence for whoever writes the file.
    var note: String
    var isRequired: Bool

    init(_ name: String, _ value: ValueShape, _ note: String = "", required: Bool = false) {
      self.name = name
      self.value = value
      self.note = note
      isRequired = required
    }
  }
  /// Unique; what the schema calls it.
  var name: String
  var keys: [Key]
  /// Keys of the design that this version does not have.
  var planned: [String]
  /// Keys of which exactly one must be there; empty without such a choice.
  var oneOf: [String]
  /// Keys of which at least one must be there; empty without such a demand.
  var anyOf: [String]

  init(_ name: String, _ keys: [Key], planned: [String] = [], oneOf: [String] = [], anyOf: [String] = []) {
    self.name = name
    self.keys = keys
    self.planned = planned
    self.oneOf = oneOf
    self.anyOf = anyOf
  }

  func key(_ name: String) -> Key? { keys.first { $0.name == name } }
}

/// What may stand behind a key.
indirect enum ValueShape: Sendable {
  /// Any text, also what YAML takes for a number or a truth value.
  case text
  /// Text that this regular expression describes (ECMA 262, as JSON Schema has them).
  case pattern(String)
  case integer(ClosedRange<Int>)
  /// `30s`, `2m`, `1h` or `0`.
  case duration
  case words([String])
  /// The address of something on the web, whose path may be a secret.
  case address
  /// A reference to a secret, never the secret.
  case secret
  case mapping(MappingShape)
  /// A mapping from names that the file chooses.
  case named(ValueShape)
  case list(ValueShape)
  /// A list that is not empty, or one value in place of a list of one.
  case oneOrMore(ValueShape)
  case either([ValueShape])
}

extension ValueShape {
  /// Groups, users, connections: what people are called.
  static let name = ValueShape.pattern("^[A-Za-z0-9._@+-]{1,63}$")
}

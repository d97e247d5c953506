import Foundation

/// The configuration's JSON Schema (draft 2020-12), made from what the reader goes by.
///
/// The reader is stricter where a schema cannot follow: names that lead nowhere, rules that contradict each other.
public enum JSONSchema {
  /// Of the whole configuration, as JSON text with a newline at its end; the same every time.
  public static func configuration() -> String {
    var definitions: [String: [String: Any]] = [:]
    var schema = object(.file, &definitions)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Sallyport configuration"
    schema["$defs"] = definitions
    return text(schema)
  }

  static func text(_ schema: [String: Any]) -> String {
    let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? JSONSerialization.data(withJSONObject: schema, options: options) else { return "{}\n" }
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  private static func object(
    _ shape: MappingShape, _ definitions: inout [String: [String: Any]]
  ) -> [String: Any] {
    var properties: [String: Any] = [:]
    for key in shape.keys {
      var value = schema(of: key.value, &definitions)
      if !key.note.isEmpty { value["description"] = key.note }
      properties[key.name] = value
    }
    var schema: [String: Any] = ["type": "object", "properties": properties, "additionalProperties": false]
    let required = shape.keys.filter(\.isRequired).map(\.name)
    if !required.isEmpty { schema["required"] = required }
    if !shape.oneOf.isEmpty { schema["oneOf"] = shape.oneOf.map { ["required": [$0]] } }
    if !shape.anyOf.isEmpty { schema["anyOf"] = shape.anyOf.map { ["required": [$0]] } }
    return schema
  }

  /// A mapping stands once, under `$defs`.
  private static func reference(
    to shape: MappingShape, _ definitions: inout [String: [String: Any]]
  ) -> [String: Any] {
    if definitions[shape.name] == nil {
      definitions[shape.name] = [:]
      definitions[shape.name] = object(shape, &definitions)
    }
    return ["$ref": "#/$defs/\(shape.name)"]
  }

  private static func schema(
    of shape: ValueShape, _ definitions: inout [String: [String: Any]]
  ) -> [String: Any] {
    switch shape {
    // `name: 42` is text to the reader, and a number to YAML.
    case .text: return ["type": ["string", "number", "boolean"], "minLength": 1, "maxLength": 4096]
    case .pattern(let pattern): return ["type": ["string", "number", "boolean"], "pattern": pattern]
    case .address: return ["type": "string", "pattern": "^https?://", "maxLength": 4096]
    case .integer(let range):
      let number: [String: Any] = ["type": "integer", "minimum": range.lowerBound, "maximum": range.upperBound]
      return ["anyOf": [number, ["type": "string", "pattern": "^[0-9]+$"]]]
    case .duration: return ["anyOf": [["type": "string", "pattern": "^[0-9]+[smh]$"], ["const": 0], ["const": "0"]]]
    case .words(let words):
      // YAML has a meaning of its own for some words.
      return ["enum": words.map { $0 as Any } + (words.contains("null") ? [NSNull()] : [])]
    case .secret: return reference(to: .secret, &definitions)
    case .mapping(let shape): return reference(to: shape, &definitions)
    case .named(let value):
      return ["type": "object", "additionalProperties": schema(of: value, &definitions)]
    case .list(let value): return ["type": "array", "items": schema(of: value, &definitions)]
    case .oneOrMore(let value):
      let one = schema(of: value, &definitions)
      return ["anyOf": [one, ["type": "array", "items": one, "minItems": 1, "uniqueItems": true]]]
    case .either(let values):
      var choices: [Any] = []
      for value in values { choices.append(schema(of: value, &definitions)) }
      return ["anyOf": choices]
    }
  }
}

import AccessModel
import PolicyEngine

extension ConfigurationReader {
  /// `mask: { columns: […], with: … }`.
  func columnMask(_ value: YAMLValue) -> ColumnMask? {
    guard var keys = MappingReader(value, "mask", mistakes, .mask) else { return nil }
    let columns: [NamePattern]?
    if let value = keys.take("columns") {
      columns = patterns(value, "columns", parts: 3, example: "\"public.customers.ssn\" or \"*.*.email\"")
    } else {
      columns = nil
      if !keys.has("detect") {
        mistakes.add(keys.place, "mask has no columns", "Name them, such as columns: [\"public.customers.ssn\"].")
      }
    }
    let mask = keys.require("with", "Say how, such as with: redact.").flatMap { self.mask($0) }
    keys.finish()
    guard let columns, let mask else { return nil }
    return ColumnMask(columns: columns, mask: mask)
  }

  private func mask(_ value: YAMLValue) -> Mask? {
    if case .scalar(let scalar) = value.node {
      // The word, though YAML has a meaning of its own for it.
      if scalar.string == "null" { return .null }
      if scalar.string == "partial" || scalar.string == "fixed" {
        return refuse(
          value.place, "mask \"\(scalar.string)\" needs to be told more",
          "Write it like { partial: { keep_last: 4 } } or { fixed: \"hidden\" }.")
      }
      return word(
        value, "mask", among: [("redact", Mask.redact), ("null", .null)],
        planned: MappingShape.with.planned)
    }
    guard var keys = MappingReader(value, "with", mistakes, .with) else { return nil }
    let partial = keys.take("partial")
    let fixed = keys.take("fixed")
    let before = mistakes.found.count
    keys.finish()
    if let fixed, partial != nil { return refuse(fixed.place, "two masks where one is asked for", "Keep one of them.") }
    if let partial { return self.partial(partial) }
    if let fixed { return text(fixed, "fixed").map(Mask.fixed) }
    if mistakes.found.count == before {
      mistakes.add(value.place, "with names no mask", "Write redact, null, { partial: … } or { fixed: … }.")
    }
    return nil
  }

  private func partial(_ value: YAMLValue) -> Mask? {
    guard var keys = MappingReader(value, "partial", mistakes, .partial) else { return nil }
    let first = keys.take("keep_first").map { integer($0, "keep_first") } ?? 0
    let last = keys.take("keep_last").map { integer($0, "keep_last") } ?? 0
    let before = mistakes.found.count
    keys.finish()
    guard let first, let last else { return nil }
    if first == 0, last == 0, mistakes.found.count == before {
      return refuse(value.place, "partial keeps nothing", "Write keep_first or keep_last, or use redact.")
    }
    return .partial(keepFirst: first, keepLast: last)
  }
}

extension MappingShape {
  static let mask = MappingShape(
    "mask",
    [
      Key(
        "columns", .oneOrMore(.text), "`[schema.]table.column`, bound from the right; * stays within one part.",
        required: true),
      Key(
        "with", .either([.words(["redact", "null"]), .mapping(.with)]), "What stands in place of the value.",
        required: true),
    ], planned: ["detect", "direction"])

  static let with = MappingShape(
    "with",
    [
      Key("partial", .mapping(.partial), "The ends stay, the middle becomes *."),
      Key("fixed", .text, "This text, in a form that the column's type allows."),
    ], planned: ["hash", "tokenize", "bucket"], oneOf: ["partial", "fixed"])

  static let partial = MappingShape(
    "partial",
    [
      Key("keep_first", .integer(0...100), "Characters at the beginning. Default: 0."),
      Key("keep_last", .integer(0...100), "Characters at the end. Default: 0."),
    ], anyOf: ["keep_first", "keep_last"])
}

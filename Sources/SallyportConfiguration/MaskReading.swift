import AccessModel
import Detection
import PolicyEngine

extension ConfigurationReader {
  /// `mask: { columns: […], with: … }`.
  func columnMask(_ value: YAMLValue) -> ColumnMask? {
    guard var keys = MappingReader(value, "mask", mistakes, .mask) else { return nil }
    let columnsValue = keys.take("columns")
    let columns = columnsValue.flatMap {
      patterns($0, "columns", parts: 3, example: "\"public.customers.ssn\" or \"*.*.email\"")
    }
    let detectValue = keys.take("detect")
    let confidence = keys.take("confidence").map { value in
      word(value, "confidence", among: Confidence.allCases.map { ($0.name, $0) })
    }
    let detectors = detectValue.flatMap { texts($0, "detect") }
    if columnsValue == nil, detectValue == nil {
      mistakes.add(
        keys.place, "mask has no columns", "Name them, such as columns: [\"public.customers.ssn\"], or detect: [email]."
      )
    }
    let mask = keys.require("with", "Say how, such as with: redact.").flatMap { self.mask($0) }
    let predicates = keys.take("predicates").map(self.predicates)
    keys.finish()
    guard let mask, (columnsValue == nil) == (columns == nil), (detectValue == nil) == (detectors == nil) else {
      return nil
    }
    if let detectValue, case .bucket = mask {
      return refuse(detectValue.place, "what detectors find is a part of a text, which has no ranges", "Use redact.")
    }
    var made = ColumnMask(columns: columns ?? [], mask: mask, predicates: (predicates ?? .deny) ?? .deny)
    if let detectors {
      // Which ones is known when all files are read.
      made.detectors = DetectorSet([], minimum: (confidence ?? .medium) ?? .medium)
      detectorsOfRule = detectors
    }
    return made
  }

  /// `deny`, `equality`, `allow`, or `{ equality: { constants: 3, per_hour: 100 } }`.
  private func predicates(_ value: YAMLValue) -> ColumnMask.Predicates? {
    let equality = ColumnMask.Predicates.equality(
      constants: ColumnMask.Predicates.mostConstants, perHour: ColumnMask.Predicates.defaultPerHour)
    if case .scalar = value.node {
      return word(value, "predicates", among: [("deny", .deny), ("equality", equality), ("allow", .allow)])
    }
    guard var keys = MappingReader(value, "predicates", mistakes, .predicates) else { return nil }
    let more = keys.require("equality", "Say how much, such as equality: { per_hour: 100 }.")
    keys.finish()
    guard let more, var terms = MappingReader(more, "equality", mistakes, .equality) else { return nil }
    let constants = terms.take("constants").map { integer($0, "constants") } ?? ColumnMask.Predicates.mostConstants
    let perHour = terms.take("per_hour").map { integer($0, "per_hour") } ?? ColumnMask.Predicates.defaultPerHour
    terms.finish()
    guard let constants, let perHour else { return nil }
    return .equality(constants: constants, perHour: perHour)
  }

  private func mask(_ value: YAMLValue) -> Mask? {
    if case .scalar(let scalar) = value.node {
      // The word, though YAML has a meaning of its own for it.
      if scalar.string == "null" { return .null }
      if ["partial", "fixed", "bucket"].contains(scalar.string) {
        return refuse(
          value.place, "mask \"\(scalar.string)\" needs to be told more",
          "Write it like { partial: { keep_last: 4 } }, { fixed: \"hidden\" } or { bucket: { date: year } }.")
      }
      return word(
        value, "mask",
        among: [("redact", Mask.redact), ("null", .null), ("hash", .hash), ("tokenize", .tokenize(domain: ""))],
        planned: MappingShape.with.planned)
    }
    guard var keys = MappingReader(value, "with", mistakes, .with) else { return nil }
    let partial = keys.take("partial")
    let fixed = keys.take("fixed")
    let bucket = keys.take("bucket")
    let tokenize = keys.take("tokenize")
    let before = mistakes.found.count
    keys.finish()
    let named = [partial, fixed, bucket, tokenize].compactMap { $0 }
    if named.count > 1 { return refuse(named[1].place, "two masks where one is asked for", "Keep one of them.") }
    if let bucket { return self.bucket(bucket) }
    if let tokenize { return self.tokenize(tokenize) }
    if let partial { return self.partial(partial) }
    if let fixed { return text(fixed, "fixed").map(Mask.fixed) }
    if mistakes.found.count == before {
      mistakes.add(
        value.place, "with names no mask",
        "Write redact, null, hash, tokenize, { partial: … }, { bucket: … } or { fixed: … }.")
    }
    return nil
  }

  private func partial(_ value: YAMLValue) -> Mask? {
    guard var keys = MappingReader(value, "partial", mistakes, .partial) else { return nil }
    let first = keys.take("keep_first").map { integer($0, "keep_first") } ?? 0
    let last = keys.take("keep_last").map { integer($0, "keep_last") } ?? 0
    let kept = keys.take("keep").map(self.kept) ?? Mask.Kept()
    let before = mistakes.found.count
    keys.finish()
    guard let first, let last, let kept else { return nil }
    if first == 0, last == 0, kept.isEmpty, mistakes.found.count == before {
      return refuse(
        value.place, "partial keeps nothing",
        "Write keep_first, keep_last, keep: domain or keep: format, or use redact.")
    }
    return .partial(keepFirst: first, keepLast: last, keeping: kept)
  }

  /// `tokenize: { domain: customers }`.
  private func tokenize(_ value: YAMLValue) -> Mask? {
    guard var keys = MappingReader(value, "tokenize", mistakes, .tokenize) else { return nil }
    let domain = keys.require("domain", "Name it like domain: customers, or write with: tokenize.")
    keys.finish()
    guard let domain, let text = text(domain, "the domain"),
      let name = name(Located(value: text, place: domain.place), "a domain")
    else { return nil }
    return .tokenize(domain: name)
  }

  private func kept(_ value: YAMLValue) -> Mask.Kept? {
    guard let texts = texts(value, "keep") else { return nil }
    let kept = texts.compactMap { word($0, "keep", among: [("domain", Mask.Kept.domain), ("format", .format)]) }
    return kept.count == texts.count ? Mask.Kept(kept) : nil
  }

  /// `bucket: { date: year, number: 1000 }`.
  private func bucket(_ value: YAMLValue) -> Mask? {
    guard var keys = MappingReader(value, "bucket", mistakes, .bucket) else { return nil }
    let date = keys.take("date")
    let number = keys.take("number")
    let before = mistakes.found.count
    keys.finish()
    if date == nil, number == nil, mistakes.found.count == before {
      return refuse(value.place, "bucket names no ranges", "Write date: year, date: month or number: 1000.")
    }
    var bucket = Mask.Bucket()
    if let date {
      guard let unit = word(date, "date", among: Mask.Bucket.Unit.allCases.map { ($0.rawValue, $0) }) else {
        return nil
      }
      bucket.date = unit
    }
    if let number {
      guard let width = integer(number, "number") else { return nil }
      bucket.number = Int64(width)
    }
    return .bucket(bucket)
  }
}

extension MappingShape {
  static let mask = MappingShape(
    "mask",
    [
      Key(
        "columns", .oneOrMore(.text), "`[schema.]table.column`, bound from the right; * stays within one part."),
      Key(
        "detect", .oneOrMore(.text),
        "Kinds of data that are found by content in any column: detectors, groups of them (all, national-ids, secrets), "
          + "or those under `detectors`."),
      Key(
        "confidence", .words(Confidence.allCases.map(\.name)),
        "How sure a detector must be. Default: medium."),
      Key(
        "with", .either([.words(["redact", "null", "hash", "tokenize"]), .mapping(.with)]),
        "What stands in place of the value.",
        required: true),
      Key(
        "predicates", .either([.words(["deny", "equality", "allow"]), .mapping(.predicates)]),
        "Whether statements may compare, sort or group by the columns, by which values can be guessed. Default: deny."),
    ], planned: ["direction"], anyOf: ["columns", "detect"])

  static let with = MappingShape(
    "with",
    [
      Key("partial", .mapping(.partial), "The ends stay, the middle becomes *."),
      Key("fixed", .text, "This text, in a form that the column's type allows."),
      Key("bucket", .mapping(.bucket), "The range that the value lies in."),
      Key("tokenize", .mapping(.tokenize), "Another value of the same format, which the gateway can turn back."),
    ], oneOf: ["partial", "fixed", "bucket", "tokenize"])

  static let tokenize = MappingShape(
    "tokenize",
    [
      Key(
        "domain", .name, "Equal values get equal tokens where the domain is the same. Default: one for all.",
        required: true)
    ])

  static let predicates = MappingShape(
    "predicates",
    [Key("equality", .mapping(.equality), "WHERE may compare the columns with constants for equality.", required: true)]
  )

  static let equality = MappingShape(
    "equality",
    [
      Key("constants", .integer(1...ColumnMask.Predicates.mostConstants), "In one statement. Default: 10."),
      Key("per_hour", .integer(1...100_000), "Of one person within an hour. Default: 60."),
    ])

  static let bucket = MappingShape(
    "bucket",
    [
      Key("date", .words(Mask.Bucket.Unit.allCases.map(\.rawValue)), "Dates become the first day of this."),
      Key("number", .integer(2...1_000_000_000_000), "Numbers become the next lower multiple of this."),
    ], anyOf: ["date", "number"])

  static let partial = MappingShape(
    "partial",
    [
      Key("keep_first", .integer(0...100), "Characters at the beginning. Default: 0."),
      Key("keep_last", .integer(0...100), "Characters at the end. Default: 0."),
      Key(
        "keep", .oneOrMore(.words(["domain", "format"])),
        "Also what stands behind the last @, or what is neither letter nor digit."),
    ], anyOf: ["keep_first", "keep_last", "keep"])
}

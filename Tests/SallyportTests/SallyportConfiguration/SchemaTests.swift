import Foundation
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: JSON Schema")
struct SchemaTests {
  /// A YAML text, and whether the reader takes it.
  private struct Sample: Encodable {
    var name: String
    var text: String
    var isGood: Bool

    init(_ name: String, _ text: String) {
      self.name = name
      self.text = text
      isGood = ConfigurationSample.mistakes(text).isEmpty
    }
  }

  /// Runs Python's `jsonschema` over the samples: one line for each, `name: good` or `name: bad`.
  private func validate(_ samples: [Sample]) throws -> [String: Bool] {
    let folder = try TestRun.newFolder("schema")
    try JSONSchema.configuration().write(toFile: "\(folder)/schema.json", atomically: false, encoding: .utf8)
    try JSONEncoder().encode(samples).write(to: URL(filePath: "\(folder)/samples.json"))
    let program = """
      import json, re, sys, yaml, jsonschema
      # YAML 1.2's core schema, which editors use: only true and false are truth values, and nothing is a date.
      class Loader(yaml.SafeLoader): pass
      Loader.yaml_implicit_resolvers = {k: [(t, r) for t, r in v if t not in
          ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")]
          for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
      Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
      Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?[0-9]+$"), list("-0123456789"))
      schema = json.load(open(sys.argv[1] + "/schema.json"))
      jsonschema.Draft202012Validator.check_schema(schema)
      validator = jsonschema.Draft202012Validator(schema)
      for sample in json.load(open(sys.argv[1] + "/samples.json")):
          error = next(iter(validator.iter_errors(yaml.load(sample["text"], Loader))), None)
          print(sample["name"], "good" if error is None else "bad", sep="\\t")
      """
    let end = try ChildProcess.run(try TestRun.python(), ["-c", program, folder], within: 60)
    #expect(end.status == 0, "\(end.errors)")
    return end.output.split(separator: "\n").reduce(into: [:]) { verdicts, line in
      let parts = line.split(separator: "\t")
      if parts.count == 2 { verdicts[String(parts[0])] = parts[1] == "good" }
    }
  }

  private static func texts(of folder: String) throws -> [(name: String, text: String)] {
    try FileManager.default.contentsOfDirectory(atPath: "\(ConfigurationSample.fixtures)/\(folder)").sorted()
      .filter { $0.hasSuffix(".yaml") }
      .map { ($0, try ConfigurationSample.text("\(folder)/\($0)")) }
  }

  @Test("What the reader takes, the schema takes: every sample, and every value of them in another form")
  func accepted() throws {
    let everything = try ConfigurationSample.text("policies/good/everything.yaml")
    var samples = try Self.texts(of: "policies/good").map { Sample($0.name, $0.text) }
    samples.append(Sample("demo", try ConfigurationSample.text("demo/sallyport.yaml")))
    samples.append(Sample("base", ConfigurationSample.base))
    for sample in samples { #expect(sample.isGood, "\(sample.name): \(ConfigurationSample.mistakes(sample.text))") }
    let count = samples.count
    for range in Self.values(in: everything) {
      for other in ["7", "[x]", "{ a: b }", "null"] {
        let text = everything.replacingCharacters(in: range, with: other)
        let sample = Sample("\(everything[range]) = \(other)", text)
        if sample.isGood { samples.append(sample) }
      }
    }
    #expect(samples.count > count + 30)
    let verdicts = try validate(samples)
    for sample in samples { #expect(verdicts[sample.name] == true, "the schema refuses \(sample.name)") }
  }

  @Test("Every key of the reader is in the sample of all keys, and misspelt it is refused by both")
  func everyKey() throws {
    let everything = try ConfigurationSample.text("policies/good/everything.yaml")
    var samples: [Sample] = []
    let keys = Set(Self.shapes().flatMap { shape in shape.keys.map(\.name) }).sorted()
    for key in keys {
      let places = everything.ranges(of: try Regex("\\b\(key):"))
      #expect(!places.isEmpty, "no sample has \(key)")
      for (index, place) in places.enumerated() {
        samples.append(Sample("\(key) \(index)", everything.replacingCharacters(in: place, with: "\(key)x:")))
      }
    }
    for key in MappingShape.gateway.planned {
      samples.append(Sample("\(key) 0", "gateway: { \(key): x }\n" + ConfigurationSample.base))
    }
    let verdicts = try validate(samples)
    for key in keys + MappingShape.gateway.planned {
      let refused = samples.filter { $0.name.hasPrefix("\(key) ") && !$0.isGood && verdicts[$0.name] == false }
      #expect(!refused.isEmpty, "a misspelt \(key) is taken")
    }
  }

  /// Every mapping that the file can hold.
  private static func shapes() -> [MappingShape] {
    var found: [String: MappingShape] = [:]
    func visit(_ value: ValueShape) {
      switch value {
      case .text, .pattern, .integer, .duration, .words, .address: break
      case .secret: visit(.mapping(.secret))
      case .named(let inner), .list(let inner), .oneOrMore(let inner): visit(inner)
      case .either(let inner): for value in inner { visit(value) }
      case .mapping(let shape):
        guard found.updateValue(shape, forKey: shape.name) == nil else { return }
        for key in shape.keys { visit(key.value) }
      }
    }
    visit(.mapping(.file))
    return found.values.sorted { $0.name < $1.name }
  }

  /// Where values stand: one word or text, or a list of such.
  private static func values(in text: String) -> [Range<String.Index>] {
    text.matches(of: /: +([^\s\[{|>#&*,}][^#\[{,}\n]*?|\[[^\[\]{}]*\])(?= *(,|}|\n| #))/)
      .map { $0.output.1.startIndex..<$0.output.1.endIndex }
  }
}

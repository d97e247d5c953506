import Foundation
import Testing

@testable import Gateway
@testable import SallyportConfiguration

/// Every example of docs/policy.md is a configuration that is accepted, and decides what is said of it.
@Suite("Documentation: the policy reference")
struct PolicyReferenceTests {
  /// A block of YAML of the page.
  private struct Block {
    var line: Int
    var text: String
    var isExpectation: Bool { text.contains("tests:") }
  }

  private func blocks() throws -> [Block] {
    let page = "\(ConfigurationSample.fixtures)/../docs/policy.md"
    let text = try String(contentsOfFile: page, encoding: .utf8)
    var blocks: [Block] = []
    var open: Block?
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line == "```yaml" {
        open = Block(line: index + 2, text: "")
      } else if line == "```" {
        if let open { blocks.append(open) }
        open = nil
      } else {
        open?.text += line + "\n"
      }
    }
    return blocks
  }

  @Test func everyExample() throws {
    let blocks = try blocks()
    let base = try #require(blocks.first)
    var current: GatewayConfiguration?
    var (decided, configurations) = (0, 0)
    for block in blocks {
      if block.isExpectation {
        decided += try decide(block, try #require(current, "expectations come before a configuration"))
        continue
      }
      configurations += 1
      var sources = [ConfigurationSource(file: "base.yaml", text: base.text)]
      if block.line != base.line { sources.append(ConfigurationSource(file: "policy.md", text: block.text)) }
      switch ConfigurationLoader.parse(sources, digest: { "\($0.count)" }) {
      case .success(let configuration): current = configuration
      case .failure(let list): Issue.record("the example at line \(block.line): \(list)")
      }
    }
    #expect(configurations >= 8 && decided >= 30)
  }

  /// How many statements were decided.
  private func decide(_ block: Block, _ configuration: GatewayConfiguration) throws -> Int {
    let read = PolicyExpectations.parse([ConfigurationSource(file: "policy.md", text: block.text)])
    let expectations: PolicyExpectations
    switch read {
    case .success(let found): expectations = found
    case .failure(let list): throw TestFailure("the expectations at line \(block.line): \(list)")
    }
    let trial = PolicyTrial(configuration, catalog: expectations.catalog)
    for expectation in expectations.cases {
      let found = try trial.explain(
        expectation.statement, user: expectation.user, connection: expectation.connection,
        client: expectation.client, time: expectation.time, rows: expectation.rows)
      #expect(
        found.meets(expectation.expected),
        "line \(block.line + expectation.line - 1): \(expectation.statement) is \(found.outcome), not \(expectation.expected)\n\(found)"
      )
    }
    return expectations.cases.count
  }

  @Test("Every key of when, unless and then is on the page")
  func keys() throws {
    let page = try String(contentsOfFile: "\(ConfigurationSample.fixtures)/../docs/policy.md", encoding: .utf8)
    for shape in [MappingShape.matcher, .sql, .ssh, .rule, .then, .mask, .with, .partial, .bucket, .hours] {
      for key in shape.keys { #expect(page.contains(key.name), "\(key.name) of \(shape.name) is not explained") }
    }
  }
}

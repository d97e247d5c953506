import AccessModel
import Foundation
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: audit and recording")
struct RecordingConfigurationTests {
  static let rest = """

    users: { ana: { groups: [g] } }
    connections:
      shop: { protocol: postgres, address: "127.0.0.1:5432", credentials: [{ user: app }] }
    access: [{ groups: [g], connections: [shop], allow: { postgres: all } }]

    """

  private func configuration(_ text: String) throws -> GatewayConfiguration {
    try ConfigurationSample.parse(text + Self.rest).get()
  }

  @Test("bound values are kept unless somebody says otherwise")
  func binds() throws {
    #expect(try configuration("").gateway.audit.recordsBinds)
    #expect(try configuration("gateway: { audit: { binds: on } }").gateway.audit.recordsBinds)
    #expect(try !configuration("gateway: { audit: { binds: off } }").gateway.audit.recordsBinds)
  }

  @Test("heads are kept outside only where somebody says so")
  func checkpoint() throws {
    #expect(try configuration("").gateway.audit.checkpointFile == nil)
    let said = "gateway: { audit: { checkpoint: { file: /x/head.jsonl } } }"
    #expect(try configuration(said).gateway.audit.checkpointFile == "/x/head.jsonl")
  }

  @Test("results are recorded where a connection says so, or the gateway and not the connection, each bound by itself")
  func recording() throws {
    func bounds(_ gateway: String, _ connection: String) throws -> ResultBounds? {
      let text = "gateway: { \(gateway) }" + Self.rest.replacing("credentials:", with: "\(connection) credentials:")
      let read = try ConfigurationSample.parse(text).get()
      return read.recordedResults(on: try #require(read.connections["shop"]))
    }
    #expect(try bounds("name: g", "") == nil)
    #expect(try bounds("recording: { max_rows: 5 }", "") == nil)
    #expect(try bounds("recording: { rows: masked }", "") == ResultBounds(rows: 1_000, bytes: 1 << 20))
    #expect(try bounds("recording: { rows: masked }", "recording: { rows: none },") == nil)
    #expect(
      try bounds("recording: { max_rows: 5, max_bytes: 2KiB }", "recording: { rows: masked, max_bytes: 1MiB },")
        == ResultBounds(rows: 5, bytes: 1 << 20))
    #expect(try bounds("recording: { rows: raw, max_rows: 3 }", "")?.rows == 3)
    #expect(try configuration("gateway: { recording: { keep: 90d } }").gateway.recording.keepSeconds == 90 * 86_400)
    #expect(try configuration("gateway: { recording: { keep: 12h } }").gateway.recording.keepSeconds == 43_200)
  }

  @Test("what is stored passes all detectors, unless raw is said")
  func detectors() throws {
    let standard = try configuration("detectors: [{ name: badge, words: [EMP] }]")
    #expect(standard.auditDetectors?.kinds == .all && standard.auditDetectors?.custom.map(\.name) == ["badge"])
    #expect(standard.recordedContents(on: try #require(standard.connections["shop"])) != nil)
    let raw = try configuration("gateway: { audit: { record: raw }, recording: { rows: raw } }")
    let shop = try #require(raw.connections["shop"])
    #expect(raw.auditDetectors == nil && raw.recordedContents(on: shop) == nil)
  }

  @Test("keep is of the gateway alone")
  func keepOfConnection() {
    let text = Self.rest.replacing("credentials:", with: "recording: { keep: 1d }, credentials:")
    #expect(
      ConfigurationSample.mistakes(text).map { $0.split(separator: ": ", maxSplits: 1).last } == [
        "unknown key \"keep\" in recording"
      ])
  }

  @Test(
    "mistakes name their place and the mend",
    arguments: [
      ("gateway: { audit: { binds: no } }", "1:28: unknown binds \"no\""),
      ("gateway: { audit: { bind: on } }", "1:21: unknown key \"bind\" in audit"),
      ("gateway: { audit: { durability: synk } }", "1:33: unknown durability \"synk\""),
      ("gateway: { audit: { checkpoint: { file: [] } } }", "1:41: the file of checkpoint must be text, not a list"),
      ("gateway: { audit: { checkpoint: {} } }", "1:33: checkpoint has neither file nor webhook"),
      (
        "gateway: { audit: { checkpoint: { webhook: { url: \"http://example.org\", secret: { env: S } } } } }",
        "1:51: url is not encrypted, and what is posted is not for everybody"
      ),
      (
        "gateway: { listen: { control: { path: /x, mode: \"0077\" } } }",
        "1:49: mode must be the mode of a file whose owner may read and write it"
      ),
      ("gateway: { listen: { control: { mode: \"0600\" } } }", "1:31: control has no path"),
      ("gateway: { audit: on }", "1:19: audit must be a mapping of keys and values, not text"),
      ("gateway: { recording: { rows: all } }", "1:31: unknown rows \"all\""),
      ("gateway: { recording: { max_rows: 0 } }", "1:35: max_rows must be a number from 1 to 1000000"),
      ("gateway: { recording: { max_bytes: 9MiB } }", "1:36: max_bytes must be from 1KiB to 8MiB"),
      ("gateway: { recording: { max_bytes: 99999999999999999MiB } }", "1:36: max_bytes must be from 1KiB to 8MiB"),
      ("gateway: { recording: { keep: 90 } }", "1:31: keep must be from 1h to 3650d"),
      ("gateway: { recording: { keep: 4000d } }", "1:31: keep must be from 1h to 3650d"),
      ("gateway: { recording: { keeps: 1d } }", "1:25: unknown key \"keeps\" in recording"),
    ])
  func mistakes(_ text: String, _ mistake: String) {
    #expect(ConfigurationSample.mistakes(text + Self.rest) == [mistake])
  }
}

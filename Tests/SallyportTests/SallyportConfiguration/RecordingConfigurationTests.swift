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

  @Test(
    "mistakes name their place and the mend",
    arguments: [
      ("gateway: { audit: { binds: no } }", "1:28: unknown binds \"no\""),
      ("gateway: { audit: { bind: on } }", "1:21: unknown key \"bind\" in audit"),
      ("gateway: { audit: { checkpoint: { file: [] } } }", "1:41: the file of checkpoint must be text, not a list"),
      ("gateway: { audit: on }", "1:19: audit must be a mapping of keys and values, not text"),
    ])
  func mistakes(_ text: String, _ mistake: String) {
    #expect(ConfigurationSample.mistakes(text + Self.rest) == [mistake])
  }
}

import Foundation

@testable import SallyportConfiguration

/// Fixtures and short configurations that the configuration tests share.
enum ConfigurationSample {
  /// `fixtures/` of the repository.
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "fixtures").path

  static func text(_ fixture: String) throws -> String {
    String(decoding: try BoundedFile.read("\(fixtures)/\(fixture)", limit: 1 << 20), as: UTF8.self)
  }

  static func load(_ fixture: String) -> Result<GatewayConfiguration, DiagnosticList> {
    ConfigurationLoader.load(path: "\(fixtures)/\(fixture)", hostName: "host", digest: { "\($0.count)" })
  }

  static func parse(_ text: String) -> Result<GatewayConfiguration, DiagnosticList> {
    ConfigurationLoader.parse([ConfigurationSource(file: "t.yaml", text: text)], digest: { "\($0.count)" })
  }

  /// Diagnostics one to a line, without suggestions; none for an accepted text.
  static func mistakes(_ text: String) -> [String] {
    switch parse(text) {
    case .success: []
    case .failure(let list): list.diagnostics.map { "\($0.line):\($0.column): \($0.message)" }
    }
  }

  /// A configuration that is accepted, with room for more sections.
  static let base = """
    users: { ana: { groups: [engineering] } }
    connections:
      shop: { protocol: postgres, address: 127.0.0.1:5432, credentials: [{ user: app }] }

    """
}

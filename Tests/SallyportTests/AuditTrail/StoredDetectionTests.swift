import AccessModel
import Detection
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// What detectors find is kept out of the trail, texts and values alike.
@Suite("Detectors over what the trail keeps") struct StoredDetectionTests {
  private let fixture = TrailFixture()

  /// What readers see of statements, and all bytes of the segment.
  private func kept(
    _ texts: [String], _ parameters: Parameters = .none, detectors: DetectorSet? = DetectorSet()
  ) throws -> (entries: [AuditEntry], bytes: Data) {
    let lane = try fixture.lane(in: fixture.directory())
    lane.detectors = detectors
    let session = AuditedSession("0123456789abc")
    for (index, text) in texts.enumerated() {
      try lane.permitted(
        CommandID(UInt64(index + 1)),
        Command(facts: CommandFacts(text: text, shape: RecordContentTests.nothing), parameters: parameters),
        in: session,
        policy: "p", values: .kept)
    }
    return (try fixture.records().compactMap(\.entry), Data(try fixture.read(1)))
  }

  @Test("A text is kept with the names of what was found in it, also where only its text is new")
  func texts() throws {
    let (entries, bytes) = try kept([
      "select 1 from t where mail = 'ana@example.com'", "select 1 from t where mail = 'bob@example.com'",
      "select 1 from t where id = 4711",
    ])
    #expect(
      entries.map(\.text) == [
        "select 1 from t where mail = '[email]'", "select 1 from t where mail = '[email]'",
        "select 1 from t where id = 4711",
      ])
    #expect(bytes.range(of: Data("@example".utf8)) == nil)
  }

  @Test("A value in which something is found is a secret, and the others are kept")
  func values() throws {
    let (entries, bytes) = try kept(
      ["insert into t values ($1, $2)"], bound([Array("4111 1111 1111 1111".utf8), Array("plain".utf8)]))
    #expect(entries.first?.binds?.description == "[secret, 'plain']")
    #expect(bytes.range(of: Data("4111".utf8)) == nil)
  }

  @Test("raw keeps them")
  func raw() throws {
    let text = "select 'ana@example.com', $1"
    let (entries, _) = try kept([text], bound([Array("4111 1111 1111 1111".utf8)]), detectors: nil)
    #expect(entries.first?.text == text && entries.first?.binds?.description == "['4111 1111 1111 1111']")
  }
}

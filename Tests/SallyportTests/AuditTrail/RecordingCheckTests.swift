import AccessModel
import Crypto
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// Recordings compared with what the trail says of them.
@Suite struct RecordingCheckTests {
  private let fixture = TrailFixture()
  private static let piece = RecordingFile.piece(.stream, command: 1, time: 1, Array("a result".utf8))

  private func path(_ session: String) throws -> String {
    try #require(RecordingFile.path(data: fixture.data, session: session))
  }

  /// Two results in each of three sessions, and a trail that says so; `sweep` names sessions that were taken away.
  private func make(sweep: [String] = []) throws {
    let directory = try fixture.directory()
    try FileManager.default.createDirectory(
      atPath: RecordingFile.folder(data: fixture.data), withIntermediateDirectories: true)
    let hash = Array(SHA256.hash(data: Self.piece)).hex
    let lane = try fixture.lane(in: directory)
    for session in ["s1", "s2", "s3"] {
      try Data(RecordingFile.magic + Self.piece + Self.piece).write(to: URL(filePath: try path(session)))
      for index in 0..<2 {
        try lane.append(
          .recorded(
            RecordedResult(
              session: session, command: CommandID(UInt64(index + 1)),
              offset: RecordingFile.magic.count + index * Self.piece.count, bytes: Self.piece.count, rows: 1,
              isCut: false, hash: hash)))
      }
    }
    lane.close()
    let control = try fixture.lane(AuditDirectory.controlLane, in: directory)
    if !sweep.isEmpty {
      let subject = "\(sweep.count) older than 60 s: \(sweep.joined(separator: " "))"
      try control.append(.administration(actor: "gateway", verb: "recordings.sweep", subject: subject))
      for session in sweep { try FileManager.default.removeItem(atPath: try path(session)) }
    }
    control.close()
  }

  private func check() throws -> VerificationReport {
    var basis = VerificationBasis()
    basis.recordings = fixture.data
    return try AuditVerifier.verify(fixture.trail, basis)
  }

  @Test func whatIsAsItWasIsCountedAndWhatWasTakenAwayIsNoFault() throws {
    try make(sweep: ["s2"])
    let report = try check()
    #expect(report.isSound)
    let recordings = try #require(report.recordings)
    #expect(recordings.results == 6 && recordings.removed == 2 && recordings.bytes == UInt64(4 * Self.piece.count))
  }

  @Test func everyChangedByteAndEveryCutIsNamedByItsFirstRecord() throws {
    try make()
    let whole = try Data(contentsOf: URL(filePath: try path("s2")))
    for index in RecordingFile.magic.count..<whole.count {
      var changed = whole
      changed[index] ^= 0x41
      try changed.write(to: URL(filePath: try path("s2")))
      let report = try check()
      let record = index < RecordingFile.magic.count + Self.piece.count ? 3 : 4
      #expect(!report.isSound && report.recordings?.damaged == 1)
      #expect(report.recordings?.fault?.hasPrefix("lane loop-0, record \(record), session s2, command") == true)
    }
    try whole.dropLast().write(to: URL(filePath: try path("s2")))
    #expect(try check().recordings?.fault?.hasSuffix("the recording ends before") == true)
  }

  @Test func whatIsGoneWithoutWordsIsAFault() throws {
    try make(sweep: ["s1"])
    try FileManager.default.removeItem(atPath: try path("s3"))
    let report = try check()
    #expect(!report.isSound && report.recordings?.lost == 2 && report.recordings?.removed == 2)
    #expect(report.recordings?.fault?.hasPrefix("lane loop-0, record 5, session s3: the recording is gone") == true)
    // A link in its place leads nowhere.
    try FileManager.default.createSymbolicLink(atPath: try path("s3"), withDestinationPath: try path("s2"))
    #expect(try check().isSound == false)
  }
}

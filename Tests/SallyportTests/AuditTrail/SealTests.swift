import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// Signatures over the trail: what they find that chains alone do not (DECISIONS 24).
@Suite struct SealTests {
  private let fixture = TrailFixture()

  /// Two lanes with a few segments each, sealed twice; records behind the last seal too.
  private func sealedTrail() throws -> SealPublicKey {
    let directory = try fixture.directory()
    let key = try SealKey(data: fixture.data)
    let log = try SealLog(directory, key: key, gateway: "gw", now: fixture.time)
    let lanes = [try fixture.lane("loop-0", in: directory, size: 8_192), try fixture.lane("loop-1", in: directory)]
    for round in 0..<2 as Range<UInt64> {
      for id in 1...40 as ClosedRange<UInt64> {
        try lanes[0].append(decided("select \(round) + \(id)", id: id, action: .deny))
      }
      try lanes[1].append(decided("select \(round)", action: .deny))
      _ = try log.seal(lanes.map(\.standing), now: fixture.time)
    }
    try key.publish(data: fixture.data)
    try lanes[0].append(decided("select 'behind the seal'", action: .deny))
    for lane in lanes { lane.close() }
    return key.publicKey
  }

  private func report(
    _ key: SealPublicKey?, _ change: (inout VerificationBasis) -> Void = { _ in }
  ) throws -> VerificationReport {
    var basis = VerificationBasis()
    basis.key = key
    basis.expectsSeals = key != nil
    change(&basis)
    return try AuditVerifier.verify(fixture.trail, basis)
  }

  private func faults(_ report: VerificationReport) -> String {
    ([report.seals?.fault] + report.lanes.map(\.fault)).compactMap { $0 }.joined(separator: "; ")
  }

  private var lines: [String] {
    get throws {
      try String(contentsOfFile: "\(fixture.trail)/seals.jsonl", encoding: .utf8).split(separator: "\n").map(
        String.init)
    }
  }

  private func write(_ lines: [String]) throws {
    try lines.map { $0 + "\n" }.joined().write(
      toFile: "\(fixture.trail)/seals.jsonl", atomically: false, encoding: .utf8)
  }

  @Test func eachClosedSegmentHasASealAndTheReportSaysHowFarTheTrailIsProved() throws {
    let key = try sealedTrail()
    let seals = try lines.compactMap(Seal.init(line:))
    let closed = seals.compactMap { seal -> UInt64? in
      if case .segment(let standing) = seal.content { standing.segment } else { nil }
    }
    let segments = try #require(try fixture.records().last { $0.lane == "loop-0" }).segment
    #expect(segments > 2 && closed == Array(1..<segments))
    let found = try report(key)
    #expect(found.isSound, "\(faults(found))")
    #expect(found.lanes.map(\.sealed) == [80, 2] && found.lanes.map(\.records) == [81, 2])
    #expect(found.seals?.count == UInt64(seals.count) && found.seals?.key == key.fingerprint)
    #expect(found.claim.contains("up to seal \(seals.count) of ") && found.claim.contains("cut off at its end"))
    #expect(found.claim.contains("(found beside the trail)"))
    // Without the key less is claimed.
    #expect(
      try report(nil).claim == "detects changed, removed and inserted records, but not a trail that was cut off at "
        + "its end or written anew by whoever can write to the data folder: that needs a head kept elsewhere")
  }

  @Test func aLaneTakenAwayIsFound() throws {
    let key = try sealedTrail()
    try FileManager.default.removeItem(atPath: "\(fixture.trail)/loop-1")
    #expect(faults(try report(key)).contains("lane loop-1, record 1: the end is cut off: seal "))
  }

  @Test func theLastSegmentTakenAwayIsFound() throws {
    let key = try sealedTrail()
    let segments = try Files.segments(in: "\(fixture.trail)/loop-0")
    try FileManager.default.removeItem(atPath: fixture.file(segments.last ?? 0))
    #expect(faults(try report(key)).contains("the end is cut off: seal "))
  }

  /// Who can write the folder can make a chain that is sound in itself. Not one that fits the seals.
  @Test func aLaneWrittenAnewIsFound() throws {
    let key = try sealedTrail()
    let first = try #require(try fixture.records().first { $0.lane == "loop-1" })
    try FileManager.default.removeItem(atPath: "\(fixture.trail)/loop-1")
    do {
      let lane = try fixture.lane("loop-1", in: fixture.directory())
      for text in ["select 'nothing happened'", "select 2"] { try lane.append(decided(text, action: .deny)) }
      lane.close()
    }
    #expect(first.sequence == 1)
    #expect(faults(try report(key)).contains("lane loop-1, segment 1, record 1, "))
    #expect(faults(try report(key)).contains("the record is not the one that seal "))
  }

  @Test func everyChangeOfASealIsFound() throws {
    let key = try sealedTrail()
    let original = try lines
    for index in original.indices {
      var dropped = original
      dropped.remove(at: index)
      try write(dropped)
      // The last one taken away is a cut end, which only a seal kept elsewhere shows.
      if index < original.count - 1 { #expect(try !report(key).isSound, "seal \(index + 1) taken away") }
      #expect(try !report(key) { $0.stored = Seal(line: original[original.count - 1]) }.isSound)
      var changed = original
      changed[index] = changed[index].replacingOccurrences(of: "\"sequence\":", with: "\"sequence\":1")
      if changed[index] == original[index] { changed[index] = original[index].replacing("\"gw\"", with: "\"gv\"") }
      try write(changed)
      #expect(try !report(key).isSound, "seal \(index + 1) changed")
    }
    try write([])
    #expect(faults(try report(key)).contains("they are missing"))
    try write(original)
    #expect(try report(key).isSound)
    // Another key: seals made by somebody else.
    #expect(faults(try report(SealKey().publicKey)).contains("seal 1: it is signed by key "))
  }

  @Test func aChangedByteOfASignatureIsFound() throws {
    let key = try sealedTrail()
    let last = try lines.last
    let seal = try #require(Seal(line: last ?? ""))
    #expect(seal.isSigned(by: key))
    let bytes = Array(seal.line.utf8)
    for place in stride(from: 0, to: bytes.count, by: 7) {
      var changed = bytes
      changed[place] ^= 1
      #expect(Seal(line: String(decoding: changed, as: UTF8.self))?.isSigned(by: key) != true, "\(place)")
    }
  }

  @Test func aSealThatWasNotFinishedIsNone() throws {
    let key = try sealedTrail()
    let original = try lines
    let torn = original.map { $0 + "\n" }.joined() + String(original[0].prefix(90))
    try torn.write(toFile: "\(fixture.trail)/seals.jsonl", atomically: false, encoding: .utf8)
    #expect(try report(key).isSound)
    do {
      let directory = try fixture.directory()
      let log = try SealLog(directory, key: SealKey(data: fixture.data), gateway: "gw", now: fixture.time)
      #expect(log.newest?.line == original.last)
      let standings = try directory.standings(except: [])
      try log.check(standings)
      #expect(try log.seal(standings, now: fixture.time)?.number == UInt64(original.count + 1))
    }
    let found = try report(key)
    #expect(found.isSound && found.lanes.map(\.sealed) == [81, 2], "\(faults(found))")
  }

  @Test func aTrailThatWasCutIsNotContinued() throws {
    _ = try sealedTrail()
    try FileManager.default.removeItem(atPath: "\(fixture.trail)/loop-1")
    let directory = try fixture.directory()
    let log = try SealLog(directory, key: SealKey(data: fixture.data), gateway: "gw", now: fixture.time)
    #expect(throws: AuditFailure.self) { try log.check(try directory.standings(except: [])) }
  }

  @Test func theKeyIsTheOwnersAndIsNotReplaced() throws {
    let key = try sealedTrail()
    let path = SealKey.path(data: fixture.data)
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    #expect(try SealKey(data: fixture.data).publicKey.fingerprint == key.fingerprint)
    #expect(try SealPublicKey(file: SealPublicKey.path(data: fixture.data))?.fingerprint == key.fingerprint)
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: AuditFailure.self) { try SealKey(data: fixture.data) }
  }

  @Test func nothingNewIsNotSealedAgain() throws {
    let directory = try fixture.directory()
    let log = try SealLog(directory, key: SealKey(), gateway: "gw", now: 1)
    let lane = try fixture.lane(in: directory)
    try lane.append(finished(1))
    #expect(try log.seal([lane.standing], now: 1)?.number == 2)
    #expect(try log.seal([lane.standing], now: 60_000_000)?.number == 2)
    try lane.append(finished(2))
    #expect(try log.seal([lane.standing], now: 60_000_000)?.number == 3)
  }

  @Test func headsAreReadBackFromWhateverTheyWereKeptIn() throws {
    let key = try sealedTrail()
    let heads = try AuditHead.read(trail: fixture.trail)
    #expect(heads.map(\.sequence) == [81, 2])
    #expect(KeptHeads(text: heads.map(\.text).joined(separator: "\n"))?.heads == heads)
    #expect(try Seal.newest(trail: fixture.trail)?.line == lines.last)
    #expect(KeptHeads(text: "nothing") == nil && AuditHead(text: "loop-0:x:00") == nil)
    // A file that was being written when the disk was full.
    let kept = "\(fixture.data)/kept.jsonl"
    try (lines.joined(separator: "\n") + "\n{\"format\"").write(toFile: kept, atomically: true, encoding: .utf8)
    let seal = try #require(try KeptHeads(file: kept).seal)
    #expect(try report(key) { $0.seals = [seal] }.isSound)
    #expect(try report(key) { $0.seals = [seal] }.comparedHeads)
  }
}

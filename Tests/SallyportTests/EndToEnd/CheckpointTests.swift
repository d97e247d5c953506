import Foundation
import Glibc
import Testing

/// Seals and checkpoints of a running gateway.
@Suite("End to end: checkpoints", .serialized)
struct EndToEndCheckpointTests {
  private func configuration(_ database: String, audit: String) throws -> String {
    try TestConfiguration.open(database).replacing("threads: 2 }", with: "threads: 2, audit: { \(audit) } }")
  }

  private func verify(_ data: String, _ more: String...) throws -> ProcessEnd {
    try ChildProcess.run(try TestRun.binary(), ["audit", "verify", "--data", data] + more)
  }

  @Test("a head kept elsewhere finds a trail cut off together with its seals; the store alone does, too")
  func outside() throws {
    let database = try TestCluster.shared().createDatabase("checkpoint")
    let kept = TestRun.newPath("head.jsonl")
    try withGateway(try configuration(database, audit: "checkpoint: { file: \(kept) }")) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      #expect(try psql(dsn, "SELECT 'early';").status == 0)
      // What a thief restores: a whole trail, sound in itself, with its seals, from before.
      let early = "\(gateway.folder)/early"
      try FileManager.default.createDirectory(atPath: early, withIntermediateDirectories: true)
      for name in ["audit", "audit-seal.pub"] {
        try FileManager.default.copyItem(atPath: "\(gateway.data)/\(name)", toPath: "\(early)/\(name)")
      }
      for turn in 0..<4 { #expect(try psql(dsn, "SELECT 'later \(turn)';").status == 0) }
      let sealed = try gateway.command("audit", "seal")
      #expect(sealed.status == 0 && sealed.output.hasPrefix("sealed: seal "), "\(sealed.output)\(sealed.errors)")

      let whole = try verify(gateway.data, "--head", kept)
      #expect(whole.status == 0, "\(whole.output)\(whole.errors)")
      #expect(whole.output.contains("detects every change up to the heads given"))
      #expect(try verify(early).status == 0, "without a head a cut cannot be told")
      let cut = try verify(early, "--head", kept)
      #expect(cut.status == 3 && cut.output.contains("seals up to "), "\(cut.output)\(cut.errors)")
      #expect(cut.output.contains("the end is cut off: records up to "))
      // The same by text.
      let heads = try gateway.command("audit", "head").output.split(separator: "\n").map(String.init)
      #expect(heads.count == 3)
      let longest = heads.max { $0.count < $1.count } ?? ""
      #expect(try verify(gateway.data, "--head", longest).status == 0)
      #expect(try heads.map { try verify(early, "--head", $0).status }.contains(3))
      let seal = try gateway.command("audit", "head", "--seal").output.trimmingCharacters(in: .newlines)
      #expect(try String(contentsOfFile: kept, encoding: .utf8).hasSuffix("\(seal)\n"))
      #expect(try verify(early, "--head", seal).status == 3)
      #expect(try verify(early, "--head", "nonsense").status == 64)
      // A forged head is no reason to doubt the trail.
      #expect(try verify(early, "--head", seal.replacing("\"sequence\":", with: "\"sequence\":1")).status == 64)

      // The thief leaves the store as it is.
      try gateway.stop()
      try FileManager.default.removeItem(atPath: "\(gateway.data)/audit")
      try FileManager.default.copyItem(atPath: "\(early)/audit", toPath: "\(gateway.data)/audit")
      let restored = try verify(gateway.data)
      #expect(restored.status == 3 && restored.output.contains("seals up to "), "\(restored.output)\(restored.errors)")
      // Somebody has to look at it: for the test, they put the new one back.
      try gateway.restart()
      #expect(gateway.log.contains("not the one that was sealed last"), "\(gateway.log)")
      let mismatch = try gateway.records().first { $0.verb == "audit.mismatch" }
      #expect(mismatch?.subject?.contains("the store has seal ") == true)
      _ = try gateway.command("audit", "seal")
    }
  }

  @Test("a place for checkpoints that fails: said, recorded, and told again when it is back; no record is lost")
  func failingPlace() throws {
    let database = try TestCluster.shared().createDatabase("checkpoint")
    let folder = try TestRun.newFolder("elsewhere")
    let kept = "\(folder)/head.jsonl"
    try withGateway(try configuration(database, audit: "checkpoint: { file: \(kept) }")) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      #expect(try gateway.command("status").output == "running\n")
      try FileManager.default.removeItem(atPath: folder)
      #expect(try psql(dsn, "SELECT 'unseen';").status == 0)
      _ = try gateway.command("audit", "seal")
      #expect(try gateway.command("status").output.contains("audit checkpoint to file \(kept): could not write"))
      #expect(try psql(dsn, "SELECT 'unseen';").output == "unseen\n")
      #expect(gateway.log.contains("audit checkpoint failed"))
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      _ = try gateway.command("audit", "seal")
      #expect(try gateway.command("status").output == "running\n")
      let verbs = try gateway.records().compactMap(\.verb)
      #expect(verbs.contains("audit.checkpoint.failed") && verbs.contains("audit.checkpoint.restored"))
      #expect(try verify(gateway.data, "--head", kept).status == 0)
    }
  }

  @Test(
    "a disk too full for seals: the trail goes on, and is sealed when there is room",
    .enabled(if: SmallDisk.isPossible, "this process may not mount"))
  func noRoomForSeals() throws {
    let database = try TestCluster.shared().createDatabase("checkpoint")
    let disk = try SmallDisk(megabytes: 200)
    try withGateway(try TestConfiguration.open(database), data: "\(disk.path)/data") { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      #expect(try psql(dsn, "SELECT 'sealed';").status == 0)
      _ = try gateway.command("audit", "seal")
      try disk.fill()
      // Each seal takes some hundred bytes; the last page of the file has room for a few.
      let refused = try eventually("a seal that finds no room") {
        #expect(try psql(dsn, "SELECT 'recorded';").output == "recorded\n")
        let end = try gateway.command("audit", "seal")
        return end.status == 0 && !end.output.contains("audit ") ? nil : end
      }
      let words = refused.output + refused.errors
      // The seal itself, or the store's copy of it.
      #expect(words.contains("No space left on device") || words.contains("disk is full"), "\(refused)")
      #expect(try gateway.command("status").output.contains("audit "))
      disk.free()
      let sealed = try gateway.command("audit", "seal")
      #expect(sealed.status == 0, "\(sealed.errors)")
      let report = try verify(gateway.data)
      #expect(report.status == 0, "\(report.output)")
      #expect(try gateway.records().contains { $0.verb == "audit.checkpoint.restored" })
    }
  }
}

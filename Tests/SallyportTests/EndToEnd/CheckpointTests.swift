import Foundation
import Glibc
import Testing

/// Seals and checkpoints of a running gateway.
@Suite("End to end: checkpoints", .serialized)
struct EndToEndCheckpointTests {
  private func configuration(_ database: String, audit: String) throws -> String {
    try TestConfiguration.open(database).replacing("threads: 2 }", with: "threads: 2, audit: { \(audit) } }")
  }

  private static let console = "listen: { postgres: \"127.0.0.1:0\", console: \"127.0.0.1:0\" }"

  private func withConsole(_ configuration: String) -> String {
    configuration.replacing("listen: { postgres: \"127.0.0.1:0\" }", with: Self.console)
  }

  private func ask(_ gateway: GatewayProcess, _ path: String) throws -> String {
    let program = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode(), end='')"
    return try ChildProcess.run(try TestRun.python(), ["-c", program, "http://\(gateway.console)\(path)"]).output
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
    try withGateway(withConsole(try configuration(database, audit: "checkpoint: { file: \(kept) }"))) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      #expect(try gateway.command("status").output == "running\n")
      #expect(
        try ask(gateway, "/readyz") == "ok\n" && ask(gateway, "/metrics").contains("sallyport_audit_troubles 0\n"))
      try FileManager.default.removeItem(atPath: folder)
      #expect(try psql(dsn, "SELECT 'unseen';").status == 0)
      _ = try gateway.command("audit", "seal")
      #expect(try gateway.command("status").output.contains("audit checkpoint to file \(kept): could not write"))
      #expect(try psql(dsn, "SELECT 'unseen';").output == "unseen\n")
      #expect(gateway.log.contains("audit checkpoint failed"))
      // Nothing is lost by it: whoever sends sessions here goes on, and is told.
      #expect(try ask(gateway, "/readyz") == "ok\nan audit checkpoint fails: see `sallyport status`\n")
      #expect(try ask(gateway, "/metrics").contains("sallyport_audit_troubles 1\n"))
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

  @Test("seals are posted, signed; what was sent finds a cut end, by address, by file and by standard input")
  func webhook() throws {
    let database = try TestCluster.shared().createDatabase("checkpoint")
    let receiver = try HeadReceiver()
    let hook =
      "checkpoint: { webhook: { url: \"\(receiver.url("/heads"))\", secret: { file: \(receiver.secretFile) } } }"
    try withGateway(withConsole(try configuration(database, audit: hook))) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      let early = "\(gateway.folder)/early"
      try FileManager.default.createDirectory(atPath: early, withIntermediateDirectories: true)
      for name in ["audit", "audit-seal.pub"] {
        try FileManager.default.copyItem(atPath: "\(gateway.data)/\(name)", toPath: "\(early)/\(name)")
      }
      for turn in 0..<4 { #expect(try psql(dsn, "SELECT 'later \(turn)';").status == 0) }
      #expect(try gateway.command("audit", "seal").status == 0)
      let seal = try gateway.command("audit", "head", "--seal").output
      _ = try eventually("the seal at its receiver") { receiver.heads.hasSuffix(seal) ? true : nil }
      let request = try #require(try receiver.requests().last)
      let check = """
        import hashlib, hmac, sys
        key, text = sys.argv[1].encode(), (sys.argv[2] + "." + sys.argv[3]).encode()
        print("v1=" + hmac.new(key, text, hashlib.sha256).hexdigest())
        """
      let expected = try ChildProcess.run(
        try TestRun.python(), ["-c", check, HeadReceiver.secret, request.time, request.body])
      #expect("\(request.signature)\n" == expected.output && request.body == seal)

      let there = receiver.url("/heads")
      #expect(try verify(gateway.data, "--head", there).status == 0)
      let cut = try verify(early, "--head", there)
      #expect(cut.status == 3 && cut.output.contains("the end is cut off"), "\(cut.output)\(cut.errors)")
      for data in [(early, 3), (gateway.data, 0)] as [(String, Int32)] {
        let end = try ChildProcess.run(
          try TestRun.binary(), ["audit", "verify", "--data", data.0, "--head", "-"], input: receiver.heads)
        #expect(end.status == data.1, "\(end.output)\(end.errors)")
      }
      // What cannot be had, or could be anybody's, is said and not passed over.
      for (place, words, status) in [
        (receiver.url("/moved"), "it answered 302", 1), ("http://192.0.2.1/heads", "is not encrypted", 1),
        ("https://127.0.0.1:1/heads", "could not read 127.0.0.1", 1), ("-", "holds neither seals", 64),
      ] as [(String, String, Int32)] {
        let end = try verify(gateway.data, "--head", place)
        #expect(end.status == status && end.errors.contains(words), "\(place): \(end.status) \(end.errors)")
      }
      #expect(try ask(gateway, "/metrics").contains("sallyport_audit_checkpoint_time_seconds{place=\"webhook\"} 1"))
      let doctor = try ChildProcess.run(
        try TestRun.binary(), ["doctor", "--config", "\(gateway.folder)/sallyport.yaml", "--data", gateway.data])
      #expect(doctor.output.contains("webhook of checkpoint: 127.0.0.1 answers"), "\(doctor.output)")
      #expect(doctor.output.contains("gateway: it runs, and says that all works"))
      // The end of the trail is told, too.
      let before = try receiver.requests().count
      try gateway.stop()
      #expect(try receiver.requests().count == before + 1)
      #expect(try verify(gateway.data, "--head", there).status == 0)
    }
  }

  @Test("a webhook that hangs holds up neither commands nor seals nor the end")
  func hangingWebhook() throws {
    let database = try TestCluster.shared().createDatabase("checkpoint")
    let receiver = try HeadReceiver()
    let hook =
      "checkpoint: { webhook: { url: \"\(receiver.url("/hang"))\", secret: { file: \(receiver.secretFile) } } }"
    try withGateway(try configuration(database, audit: hook)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      _ = try eventually("the first seal") { try receiver.requests().first }
      let began = monotonicSeconds()
      for _ in 0..<3 {
        #expect(try psql(dsn, "SELECT 'still here';").output == "still here\n")
        #expect(try gateway.command("audit", "seal").status == 0)
      }
      try gateway.stop()
      #expect(monotonicSeconds() - began < 8)
    }
  }

  @Test("a reload keeps seals elsewhere from then on, at once, and stops telling those who are no longer named")
  func reloaded() throws {
    let database = try TestCluster.shared().createDatabase("checkpoint")
    let receiver = try HeadReceiver()
    let (first, second) = (TestRun.newPath("first.jsonl"), TestRun.newPath("second.jsonl"))
    let hook = "webhook: { url: \"\(receiver.url("/heads"))\", secret: { file: \(receiver.secretFile) } }"
    try withGateway(try configuration(database, audit: "checkpoint: { file: \(first) }")) { gateway in
      func seals(_ file: String) -> Int {
        (try? String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").count) ?? 0
      }
      _ = try eventually("a first seal") { seals(first) > 0 ? true : nil }
      let next = try configuration(database, audit: "checkpoint: { file: \(second), \(hook) }")
      try "\(next)\n".write(toFile: "\(gateway.folder)/sallyport.yaml", atomically: true, encoding: .utf8)
      let reload = try gateway.command("reload")
      #expect(
        reload.status == 0 && !reload.output.contains("next start") && !reload.output.contains("/heads"),
        "\(reload.output)\(reload.errors)")
      _ = try eventually("a seal in both places") { seals(second) > 0 && !receiver.heads.isEmpty ? true : nil }
      let before = seals(first)
      #expect(try psql(gateway.dsn("ana", try gateway.token("ana")), "SELECT 1;").status == 0)
      #expect(try gateway.command("audit", "seal").status == 0)
      #expect(seals(second) > 1 && seals(first) == before)
      #expect(try verify(gateway.data, "--head", second, "--head", receiver.url("/heads")).status == 0)
    }
  }
}

import ArgumentParser
import AuditTrail
import Foundation
import Gateway

extension AuditCommand {
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check every record of the trail, and name the first that is not as it was written.",
      discussion: """
        Seals, what was kept elsewhere, and recordings are compared with it, too. Exit code 3 when the trail is not sound. \
        Keep the heads that it prints somewhere else.
        """)
    @Option(help: "The gateway's data folder.")
    var data = "data"
    @Option(
      help: ArgumentHelp(
        "What was kept elsewhere: a head as LANE:SEQUENCE:HASH, a seal, or a file or https:// address of them; - reads "
          + "them from standard input. Can be repeated.", valueName: "head"))
    var head: [String] = []
    @Option(help: "The public key of the seals, kept elsewhere; default: audit-seal.pub in the data folder.")
    var key: String?
    @Flag(name: .customLong("no-recordings"), help: "Do not read the recordings of results.")
    var skipsRecordings = false
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
      let progress = Progress("records checked")
      let report = try AuditVerifier.verify(AuditDirectory.path(data: data), try basis()) { progress.step() }
      progress.end()
      // Nothing at all is not sound: it may be the wrong folder.
      if report.lanes.isEmpty, report.seals == nil { throw AuditCommand.noTrail(data) }
      if json { try printJSON(report) } else { print(report) }
      guard report.isSound else { throw ExitCode(3) }
    }

    /// What the trail is compared with. The store's own checkpoint is looked up before the trail is read, which only grows.
    private func basis() throws -> VerificationBasis {
      var basis = VerificationBasis()
      do {
        basis.key = try SealPublicKey(file: key ?? SealPublicKey.path(data: data))
      } catch { throw ValidationError(error.message) }
      if let key, basis.key == nil { throw ValidationError("there is no file \(key)") }
      basis.keyIsTheirs = key != nil
      basis.expectsSeals = basis.key != nil
      var heads: [AuditHead] = []
      for text in head {
        let kept = try AuditCommand.keptHeads(text)
        heads += kept.heads
        if let seal = kept.seal { basis.seals.append(try signed(seal, basis.key)) }
      }
      basis.heads = heads.isEmpty ? nil : heads
      basis.recordings = skipsRecordings ? nil : data
      if let line = try AuditCheckpoints.latest(data: data), let seal = Seal(line: line) { basis.stored = seal }
      return basis
    }

    private func signed(_ seal: Seal, _ key: SealPublicKey?) throws -> Seal {
      guard let key, !seal.isSigned(by: key) else { return seal }
      throw ValidationError("the seal given by --head is not signed by key \(key.fingerprint)")
    }

    private func print(_ recordings: VerificationReport.Recordings) {
      var words = ["\(recordings.results) recorded results, \(recordings.bytes) bytes as they were"]
      if recordings.removed > 0 { words.append("\(recordings.removed) taken away because of their age") }
      if recordings.lost > 0 { words.append("\(recordings.lost) gone") }
      if recordings.damaged > 0 { words.append("\(recordings.damaged) changed") }
      Output.line("recordings: \(words.joined(separator: ", "))")
      if let fault = recordings.fault { Output.line("  FAULT: \(fault)") }
    }

    private func printJSON(_ report: VerificationReport) throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      Output.line(String(decoding: try encoder.encode(report), as: UTF8.self))
    }

    private func print(_ report: VerificationReport) {
      for lane in report.lanes {
        let segments = lane.segments == 1 ? "1 segment" : "\(lane.segments) segments"
        Output.line("\(lane.name): \(lane.records) records in \(segments)")
        Output.line("  head \(lane.head.text)")
        if report.seals != nil, lane.fault == nil, lane.sealed < lane.head.sequence {
          Output.line("  sealed up to record \(lane.sealed); those behind it are chained, but not signed yet")
        }
        if lane.hasUnfinishedRecord {
          Output.line("  the last record is unfinished: the process ended while writing it")
        }
        if let fault = lane.fault { Output.line("  FAULT: \(fault)") }
      }
      if let seals = report.seals {
        Output.line(
          "seals: \(seals.count)\(seals.time.isEmpty ? "" : ", the last of \(seals.time)"), "
            + (seals.key.map { "checked with key \($0)" } ?? "not checked: there is no public key, give it by --key"))
        if let fault = seals.fault { Output.line("  FAULT: \(fault)") }
      }
      if let recordings = report.recordings { print(recordings) }
      Output.line(report.isSound ? "sound; this \(report.claim)" : "NOT SOUND")
    }
  }

  /// Says that there is no trail, where there is none: the folder may be another one.
  static func requireTrail(_ data: String) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: AuditDirectory.path(data: data), isDirectory: &isFolder)
    guard exists, isFolder.boolValue else { throw noTrail(data) }
  }

  static func noTrail(_ data: String) -> ExitCode {
    Output.error("sallyport: there is no audit trail in \(data)\n  Name the gateway's data folder with --data.")
    return ExitCode(1)
  }

  /// What stands behind one `--head`.
  static func keptHeads(_ text: String) throws -> KeptHeads {
    if let kept = KeptHeads(text: text) { return kept }
    if text == "-" {
      let input = FileHandle.standardInput
      return try keptHeads(in: try input.read(upToCount: RemoteHeads.limit) ?? Data(), "standard input")
    }
    if text.hasPrefix("https://") || text.hasPrefix("http://") {
      do {
        return try keptHeads(in: Data(try RemoteHeads.fetch(text)), text)
      } catch let failure as GatewayFailure {
        Output.error("sallyport: \(failure)")
        throw ExitCode(1)
      }
    }
    guard FileManager.default.fileExists(atPath: text) else {
      throw ValidationError(
        "--head takes LANE:SEQUENCE:HASH as `audit head` prints it, a seal, a file or address of either, or -")
    }
    do { return try KeptHeads(file: text) } catch { throw ValidationError(error.message) }
  }

  private static func keptHeads(in content: Data, _ place: String) throws -> KeptHeads {
    guard let kept = KeptHeads(text: String(decoding: content, as: UTF8.self)) else {
      throw ValidationError("\(place) holds neither seals nor lines like LANE:SEQUENCE:HASH")
    }
    return kept
  }

  struct Head: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Print the last record of each lane, or the newest seal: to be kept elsewhere, for `audit verify --head`.")
    @Option(help: "The gateway's data folder.")
    var data = "data"
    @Flag(help: "Print the newest seal, which the gateway signed, instead.")
    var seal = false

    func run() throws {
      let trail = AuditDirectory.path(data: data)
      if seal {
        guard let newest = try Seal.newest(trail: trail) else {
          Output.error("sallyport: the trail in \(data) has no seal\n  It gets its first when the gateway starts.")
          throw ExitCode(1)
        }
        return Output.line(newest.line)
      }
      try AuditCommand.requireTrail(data)
      for head in try AuditHead.read(trail: trail) { Output.line(head.text) }
    }
  }

  struct SealCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "seal",
      abstract: "Have the gateway seal the trail now, and keep the seal wherever its configuration says.")
    @OptionGroup var control: ControlOptions

    func run() throws {
      let response = try control.ask(.auditSeal)
      if control.json { return try control.printJSON(response) }
      Output.line(response.message ?? "")
      for trouble in response.troubles ?? [] { Output.line("  \(trouble)") }
    }
  }

  struct Tail: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the newest records, one line each.")
    @Option(help: "The gateway's data folder.")
    var data = "data"
    @Option(name: [.short, .long], help: "How many of those that are there, 1 to 100000.")
    var number = 20
    @Flag(name: [.short, .long], help: "Go on with new ones until interrupted.")
    var follow = false
    @Flag(help: "Print JSON lines.")
    var json = false
    @OptionGroup var filter: AuditFilterOptions

    func run() throws {
      guard (1...100_000).contains(number) else { throw ValidationError("--number takes 1 to 100000") }
      // Who follows may be there before the gateway is.
      if !follow { try AuditCommand.requireTrail(data) }
      var tail = AuditTail(directory: AuditDirectory.path(data: data))
      var selection = AuditSelection(try filter.filter(now: Clock.now()))
      var formatter = AuditFormatter()
      var newest: [String] = []
      try tail.skipToEnd { record in
        guard selection.includes(record) else { return formatter.observe(record) }
        newest.append(line(record, &formatter))
        if newest.count > number * 2 { newest.removeFirst(newest.count - number) }
      }
      for line in newest.suffix(number) { Output.line(line) }
      while follow {
        for record in try tail.poll() {
          if selection.includes(record) { Output.line(line(record, &formatter)) } else { formatter.observe(record) }
        }
        usleep(200_000)
      }
    }

    private func line(_ record: AuditRecord, _ formatter: inout AuditFormatter) -> String {
      json ? AuditFormatter.jsonLine(for: record) : formatter.line(for: record)
    }
  }
}

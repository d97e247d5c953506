import ArgumentParser
import AuditTrail
import Foundation

extension AuditCommand {
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check every record of the trail, and name the first that is not as it was written.",
      discussion: "Exit code 3 when the trail is not sound. Keep the heads that it prints somewhere else.")
    @Option(help: "The gateway's data folder.")
    var data = "data"
    @Option(help: "A head from an earlier check, as LANE:SEQUENCE:HASH; can be repeated.")
    var head: [String] = []
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
      let heads = try head.map(AuditCommand.parseHead)
      let report = try AuditVerifier.verify(
        AuditDirectory.path(data: data), expectedHeads: heads.isEmpty ? nil : heads)
      if json { try printJSON(report) } else { print(report) }
      guard report.isSound else { throw ExitCode(3) }
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
        Output.line("  head \(lane.head.lane):\(lane.head.sequence):\(lane.head.hash)")
        if lane.hasUnfinishedRecord {
          Output.line("  the last record is unfinished: the process ended while writing it")
        }
        if let fault = lane.fault { Output.line("  FAULT: \(fault)") }
      }
      Output.line(report.isSound ? "sound; this \(report.claim)" : "NOT SOUND")
    }
  }

  static func parseHead(_ text: String) throws -> AuditHead {
    let parts = text.split(separator: ":").map(String.init)
    guard parts.count == 3, let sequence = UInt64(parts[1]) else {
      throw ValidationError("--head takes LANE:SEQUENCE:HASH, as `audit verify` prints it")
    }
    return AuditHead(lane: parts[0], sequence: sequence, hash: parts[2].lowercased())
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

    func run() throws {
      guard (1...100_000).contains(number) else { throw ValidationError("--number takes 1 to 100000") }
      var tail = AuditTail(directory: AuditDirectory.path(data: data))
      var formatter = AuditFormatter()
      var newest: [String] = []
      try tail.skipToEnd { record in
        newest.append(line(record, &formatter))
        if newest.count > number * 2 { newest.removeFirst(newest.count - number) }
      }
      for line in newest.suffix(number) { Output.line(line) }
      while follow {
        for record in try tail.poll() { Output.line(line(record, &formatter)) }
        usleep(200_000)
      }
    }

    private func line(_ record: AuditRecord, _ formatter: inout AuditFormatter) -> String {
      json ? AuditFormatter.jsonLine(for: record) : formatter.line(for: record)
    }
  }
}

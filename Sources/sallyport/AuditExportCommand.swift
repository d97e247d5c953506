import ArgumentParser
import AuditTrail
import Foundation
import Gateway

/// Which records of the trail are meant.
struct AuditFilterOptions: ParsableArguments {
  @Option(help: "From this time on: 2026-11-21, 2026-11-21T08:00:00Z, or 30m, 2h, 7d ago.")
  var since: String?
  @Option(help: "Up to this time.")
  var until: String?
  @Option(help: "Of this session.")
  var session: String?
  @Option(help: "Of this person.")
  var user: String?

  /// `now` is µs since 1970.
  func filter(now: Int64) throws -> AuditFilter {
    AuditFilter(
      since: try since.map { try AuditFilterOptions.time($0, "--since", now: now) },
      until: try until.map { try AuditFilterOptions.time($0, "--until", now: now) }, session: session, user: user)
  }

  /// µs since 1970.
  static func time(_ text: String, _ option: String, now: Int64) throws -> Int64 {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    if let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()),
      (0...1_000_000).contains(number)
    {
      return now - number * unit * 1_000_000
    }
    let isDay = text.utf8.count == 10
    let format = ISO8601DateFormatter()
    format.formatOptions = isDay ? [.withFullDate] : [.withInternetDateTime]
    if let date = format.date(from: text) { return Int64(date.timeIntervalSince1970) * 1_000_000 }
    format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    if let date = format.date(from: text) { return Int64(date.timeIntervalSince1970 * 1_000_000) }
    throw ValidationError("\(option) takes a time like 2026-11-21T08:00:00Z, a day like 2026-11-21, or 30m, 2h, 7d")
  }
}

extension AuditCommand {
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the records for other systems, one JSON object a line.",
      discussion: """
        Format json has each record with the facts of its session; ocsf has commands as Datastore Activity (class 6005) and \
        sign-ins as Authentication (class 3002) of the Open Cybersecurity Schema Framework. Exit code 3 where the trail is \
        not as it was written: what came before was printed.
        """)
    @Option(help: "The gateway's data folder.")
    var data = "data"
    @Option(help: "json or ocsf.")
    var format = "json"
    @OptionGroup var filter: AuditFilterOptions

    func run() throws {
      guard let format = AuditExporter.Format(rawValue: format) else {
        throw ValidationError("--format takes json or ocsf")
      }
      try AuditCommand.requireTrail(data)
      var exporter = AuditExporter(
        format, filter: try filter.filter(now: Clock.now()), version: GatewayServer.version)
      do {
        var cursor = try AuditReader(directory: AuditDirectory.path(data: data)).records()
        while let record = try cursor.next() {
          for line in exporter.lines(for: record) { Output.line(line) }
        }
      } catch let fault as AuditFault {
        Output.error("sallyport: the trail is not sound: \(fault)\n  Look at it with `sallyport audit verify`.")
        throw ExitCode(3)
      }
      for line in exporter.remainder() { Output.line(line) }
    }
  }
}

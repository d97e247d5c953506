import ArgumentParser
import AuditTrail
import Foundation
import Gateway

/// `sallyport sessions`: who is connected, who was, and what they did.
struct SessionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sessions", abstract: "List, show, replay, export and end sessions.",
    discussion: """
      For the gateway's own account, and by a token in the environment variable SALLYPORT_TOKEN for those with the role \
      auditor or admin (kill: admin). Each look at a session is itself in the audit trail.
      """,
    subcommands: [List.self, Show.self, Replay.self, Export.self, Kill.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List sessions, those that are open first.")
    @OptionGroup var control: ControlOptions
    @Option(help: "Only of this user.")
    var user: String?
    @Option(help: "Only on this connection.")
    var connection: String?
    @Option(help: "Opened since: a time such as 2026-11-21T08:00:00Z, or how long ago, such as 2h or 7d.")
    var since = "24h"
    @Option(help: "Opened until; as --since.")
    var until: String?
    @Flag(help: "Only those that are open.")
    var live = false
    @Option(help: "The most to list, 1 to 1000.")
    var limit = 100

    func run() throws {
      guard (1...1_000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000") }
      var arguments = ["limit": String(limit)]
      arguments["user"] = user
      arguments["connection"] = connection
      arguments["since"] = String(try SessionsCommand.time(since, "--since"))
      arguments["until"] = try until.map { String(try SessionsCommand.time($0, "--until")) }
      var response = try control.ask(.sessionsList, arguments)
      if live { response.sessions?.removeAll { !$0.isLive } }
      if control.json { return try control.printJSON(response) }
      let sessions = response.sessions ?? []
      if sessions.isEmpty { Output.line("no session") }
      for session in sessions {
        let closed = session.closedAt.map { "\(SessionsCommand.words($0)) \(session.reason ?? "")" }
        let end = session.isLive ? "open" : closed ?? "ended with the gateway"
        Output.line(
          AuditFormatter.harmless(
            "\(session.session)  \(session.user)@\(session.connection)  \(session.client)  "
              + "\(SessionsCommand.words(session.openedAt))  \(end)"))
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show one session: who, when, where, and each statement with its decision and its end.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The session's name.")
    var session: String

    func run() throws {
      let screen = SessionScreen()
      try SessionsCommand.lines(of: session, .sessionsShow, control) { line in
        if control.json { return Output.line(line) }
        guard let frame = screen.frame(line) else { return }
        if frame.kind == .words || frame.kind == .mark { Output.text(frame.text) }
      }
    }
  }

  struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the statements of a session and what is recorded of their results, as time went.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The session's name.")
    var session: String
    @Option(help: "So many times as fast, 0.1 to 1000.")
    var speed = 1.0
    @Flag(help: "Print it all at once.")
    var noWait = false
    @Option(name: .customLong("max-wait"), help: "Seconds of waiting at most, wherever nobody did anything.")
    var maxWait = 5.0

    func run() throws {
      guard (0.1...1_000).contains(speed), (0...3_600).contains(maxWait) else {
        throw ValidationError("--speed takes 0.1 to 1000, --max-wait 0 to 3600")
      }
      let screen = SessionScreen()
      var filter = TerminalFilter()
      var last: Int64?
      try SessionsCommand.lines(of: session, .sessionsReplay, control) { line in
        guard let frame = screen.frame(line) else { return }
        if !noWait, let last, frame.time > last {
          let seconds = min(Double(frame.time - last) / 1_000_000 / speed, maxWait)
          usleep(UInt32(seconds * 1_000_000))
        }
        last = max(last ?? frame.time, frame.time)
        switch frame.kind {
        case .words, .mark: Output.text(frame.text)
        case .output, .errors: Output.text(filter.harmless(frame.text))
        case .size: break
        }
      }
    }
  }

  struct Export: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case jsonl, cast, cast3 }
    static let configuration = CommandConfiguration(
      abstract: "Print a session with its recorded results, for other programs.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The session's name.")
    var session: String
    @Option(help: "jsonl: lines of JSON. cast: asciicast v2, for asciinema; cast3: v3.")
    var format = Format.jsonl

    func run() throws {
      let screen = SessionScreen()
      var cast = Asciicast(title: session, version: format == .cast3 ? 3 : 2)
      try SessionsCommand.lines(of: session, .sessionsExport, control) { line in
        if format == .jsonl { return Output.line(line) }
        guard let frame = screen.frame(line) else { return }
        for line in cast.lines(frame) { Output.line(line) }
      }
    }
  }

  struct Kill: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End an open session at once; what it runs is cancelled.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The session's name.")
    var session: String
    @Option(help: "Why; the person who is connected reads it, and it is in the audit trail.")
    var reason: String

    func run() throws {
      let response = try control.ask(.sessionsKill, ["session": session, "reason": reason])
      if control.json { return try control.printJSON(response) }
      Output.line(response.message ?? "")
    }
  }
}

extension SessionsCommand {
  /// Each line that the gateway has of a session, page by page.
  static func lines(
    of session: String, _ verb: ControlVerb, _ control: ControlOptions, _ visit: (String) -> Void
  ) throws {
    var arguments = ["session": session]
    repeat {
      let response = try control.ask(verb, arguments)
      for line in response.lines ?? [] { visit(line) }
      arguments["from"] = response.next
    } while arguments["from"] != nil
  }

  /// µs since 1970 of a time, or of one that is so long ago.
  static func time(_ text: String, _ option: String, now: Date = Date()) throws -> Int64 {
    if let seconds = Lifetime.seconds(text) {
      return Int64(now.timeIntervalSince1970 * 1_000_000) - seconds * 1_000_000
    }
    guard let date = try? Date(text, strategy: .iso8601) else {
      throw ValidationError("\(option) takes a time such as 2026-11-21T08:00:00Z, or how long ago, such as 2h or 7d")
    }
    return Int64(date.timeIntervalSince1970) * 1_000_000
  }

  /// A time for people, of µs since 1970.
  static func words(_ time: Int64) -> String {
    Date(timeIntervalSince1970: TimeInterval(time / 1_000_000)).ISO8601Format()
  }
}

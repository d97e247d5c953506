import ArgumentParser
import Foundation
import Gateway

/// `sallyport reload`: has the running gateway read its configuration again.
struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Have the running gateway read its configuration again.",
    discussion: """
      When it ends with 0, every session is under the new policy. A configuration with a mistake is refused whole, and \
      the old one stays: exit code 2.
      """)

  @OptionGroup var control: ControlOptions

  func run() throws {
    let response = try control.ask(.reload)
    let report = response.reload
    if control.json {
      try control.printJSON(response)
    } else {
      for line in report?.changes ?? [] { Output.line(line) }
      for note in report?.notes ?? [] { report?.isAccepted == true ? Output.line(note) : Output.error(note) }
      Output.line(response.message ?? "")
      if let ended = report?.ended, ended > 0 { Output.line("sessions that lost their access and ended: \(ended)") }
    }
    if report?.isAccepted != true { throw ExitCode(2) }
  }
}

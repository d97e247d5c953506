import ArgumentParser
import Foundation
import Gateway

/// `sallyport doctor`: whether what the gateway needs is there, and what to mend.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look at backends, credentials, clocks, disk and certificates, and say what to mend.",
    discussion: """
      Signs in to each backend with each of its accounts, as sessions do, and changes nothing. Exit codes: 0 all good, or \
      warnings; 1 something is broken; 2 a mistake in the configuration.
      """)

  @Option(help: "The configuration: a file, or a folder of YAML files.")
  var config = "sallyport.yaml"
  @Option(help: "The data folder; overrides gateway.data.")
  var data: String?
  @Option(help: "Seconds that a backend has to answer, 1 to 120.")
  var patience = 10
  @Flag(help: "Print JSON lines.")
  var json = false

  func validate() throws {
    guard (1...120).contains(patience) else { throw ValidationError("--patience must be from 1 to 120") }
  }

  func run() throws {
    let configuration = try ConfigurationFile.load(config)
    let folder = data ?? configuration.path(of: configuration.gateway.data)
    let doctor = Doctor(configuration, data: folder, patience: .seconds(patience))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var counts: [Finding.Verdict: Int] = [:]
    try doctor.examine { finding in
      counts[finding.verdict, default: 0] += 1
      if json {
        Output.line(String(decoding: (try? encoder.encode(finding)) ?? Data(), as: UTF8.self))
      } else {
        Output.line(DoctorCommand.line(finding))
      }
    }
    let (broken, warnings) = (counts[.broken] ?? 0, counts[.warning] ?? 0)
    if !json { Output.line("\(counts[.good] ?? 0) good, \(warnings) warnings, \(broken) broken") }
    if broken > 0 { throw ExitCode(1) }
  }

  private static func line(_ finding: Finding) -> String {
    let label =
      switch finding.verdict {
      case .good: "good   "
      case .warning: "WARNING"
      case .broken: "BROKEN "
      }
    return "\(label)  \(finding.subject): \(finding.words)" + (finding.mend.map { "\n         \($0)" } ?? "")
  }
}

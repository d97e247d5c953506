import ArgumentParser
import Foundation
import SallyportConfiguration

/// `sallyport check`: reads a configuration and names every mistake.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a configuration, with file, line, column and the mend of every mistake.")

  @Argument(help: "A file, or a folder of YAML files. Default: sallyport.yaml.")
  var path: String?

  @Option(help: "The same, as other commands take it.")
  var config: String?

  @Flag(help: "Print the JSON Schema of the configuration, for editors.")
  var schema = false

  func run() throws {
    guard !schema else { return Output.text(JSONSchema.configuration()) }
    guard path == nil || config == nil else { throw ValidationError("name the configuration once") }
    let path = path ?? config ?? "sallyport.yaml"
    let configuration = try ConfigurationFile.load(path)
    Output.line(
      "\(path): good (\(configuration.connections.count) connections, \(configuration.users.count) users, "
        + "\(configuration.policy.rules.count) rules; policy \(configuration.policyHash.prefix(16)))")
  }
}

import ArgumentParser
import Foundation
import Gateway

/// How commands find the running gateway.
struct ControlOptions: ParsableArguments {
  @Option(help: "The gateway's data folder.")
  var data = "data"
  @Option(help: "The control socket; default: control.sock in the data folder.")
  var socket: String?
  @Option(
    help: ArgumentHelp(
      "A gateway over the network instead, by the token in SALLYPORT_TOKEN: https:// and its console's address.",
      valueName: "url"))
  var gateway: String?
  @Option(help: "Certificates that the gateway's must be signed by, as `ca export` prints them; default: the system's.")
  var ca: String?
  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    if gateway != nil, socket != nil { throw ValidationError("--gateway and --socket exclude each other") }
    if ca != nil, gateway == nil { throw ValidationError("--ca belongs to --gateway") }
  }

  /// Asks the gateway; a refusal is printed and ends the command with exit code 1.
  func ask(_ verb: ControlVerb, _ arguments: [String: String] = [:]) throws -> ControlResponse {
    let token = ProcessInfo.processInfo.environment["SALLYPORT_TOKEN"]
    let request = ControlRequest(verb, arguments, token: token)
    let response: ControlResponse
    do {
      response =
        if let gateway {
          try ControlClient.send(request, gateway: gateway, authority: ca)
        } else {
          try ControlClient.send(request, socket: socket ?? ControlClient.socketPath(data: data))
        }
    } catch let error as GatewayFailure {
      Output.error("sallyport: \(error)")
      throw ExitCode(1)
    }
    if let error = response.error {
      Output.error("sallyport: \(error)" + (response.hint.map { "\n  \($0)" } ?? ""))
      throw ExitCode(1)
    }
    return response
  }

  /// Prints an answer as JSON, for scripts.
  func printJSON(_ response: ControlResponse) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    Output.line(String(decoding: try encoder.encode(response), as: UTF8.self))
  }
}

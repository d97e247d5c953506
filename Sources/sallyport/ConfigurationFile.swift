import ArgumentParser
import Crypto
import Foundation
import SallyportConfiguration

/// Loads a configuration for a command; mistakes are printed and end the command with exit code 2.
enum ConfigurationFile {
  static func load(_ path: String) throws -> GatewayConfiguration { try open(path).configuration }

  /// The configuration, and where it came from.
  static func open(_ path: String) throws -> (configuration: GatewayConfiguration, origin: ConfigurationOrigin) {
    let hostName = ProcessInfo.processInfo.hostName
    let files = try required(ConfigurationLoader.read(path: path))
    let configuration = try required(ConfigurationLoader.parse(files, hostName: hostName, digest: digest))
    return (configuration, ConfigurationOrigin(path: path, hostName: hostName, digest: digest, files: files))
  }

  /// SHA-256 as lower-case hex.
  @Sendable static func digest(_ bytes: [UInt8]) -> String {
    SHA256.hash(data: bytes).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  static func required<Value>(_ result: Result<Value, DiagnosticList>) throws -> Value {
    switch result {
    case .success(let value): return value
    case .failure(let list):
      Output.error("\(list)")
      throw ExitCode(2)
    }
  }
}

/// What commands print. Standard output is not buffered past a line, so that whoever waits for one sees it.
enum Output {
  static func line(_ text: String) {
    FileHandle.standardOutput.write(Data((text + "\n").utf8))
  }

  /// As it is, without a line's end of our own.
  static func text(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }

  static func error(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}

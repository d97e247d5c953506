import ArgumentParser
import Crypto
import Foundation
import SallyportConfiguration

/// Loads a configuration for a command; mistakes are printed and end the command with exit code 2.
enum ConfigurationFile {
  static func load(_ path: String) throws -> GatewayConfiguration {
    let result = ConfigurationLoader.load(path: path, hostName: ProcessInfo.processInfo.hostName) { bytes in
      SHA256.hash(data: bytes).map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
      }.joined()
    }
    switch result {
    case .success(let configuration): return configuration
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

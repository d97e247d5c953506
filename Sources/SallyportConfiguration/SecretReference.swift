import Foundation

/// Where a secret is to be found; the secret itself is never in the configuration.
public enum SecretReference: Sendable, Hashable {
  /// An environment variable of the gateway's process, by name.
  case environment(String)
  /// A file, as written in the configuration; one newline at its end does not belong to the secret.
  case file(String)

  /// The largest secret, in bytes: room for a chain of certificates with its key.
  public static let maxBytes = 65_536

  static func isVariableName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}

extension SecretReference: CustomStringConvertible {
  /// `env SHOP_PASSWORD`, `file /run/secrets/shop`.
  public var description: String {
    switch self {
    case .environment(let name): "env \(name)"
    case .file(let path): "file \(path)"
    }
  }
}

/// Why a secret could not be had.
public struct SecretFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// Lower case, without a full stop; names the reference, never the secret.
  public var message: String
  public var description: String { message }
}

extension SecretReference {
  /// Reads the secret. Blocks on a file, so call it at start or off the event loop.
  ///
  /// `directory` is what relative files are relative to, empty for the process's own. Throws when the variable is not
  /// set, the file cannot be read, or the secret is empty, over `maxBytes`, not UTF-8 or holds a zero byte.
  public func resolve(
    relativeTo directory: String = "",
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(SecretFailure) -> String {
    switch self {
    case .environment(let name):
      guard let value = environment[name] else { throw SecretFailure(message: "\(self) is not set") }
      return try checked(Array(value.utf8))
    case .file(let path):
      let bytes: [UInt8]
      do {
        bytes = try BoundedFile.read(BoundedFile.join(directory, path), limit: SecretReference.maxBytes + 1)
      } catch {
        throw SecretFailure(message: "\(self): \(error.message)")
      }
      return try checked(bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes)
    }
  }

  private func checked(_ bytes: [UInt8]) throws(SecretFailure) -> String {
    if bytes.isEmpty { throw SecretFailure(message: "\(self) is empty") }
    if bytes.count > SecretReference.maxBytes { throw SecretFailure(message: "\(self) is larger than 64 KiB") }
    guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
      throw SecretFailure(message: "\(self) is not text")
    }
    return text
  }
}

extension ClientCertificate {
  /// Reads the chain and the key, both PEM. Blocks on files, so call it off the event loop.
  public func resolve(relativeTo directory: String = "") throws(SecretFailure) -> (chain: String, key: String) {
    (try SecretReference.file(chain).resolve(relativeTo: directory), try key.resolve(relativeTo: directory))
  }
}

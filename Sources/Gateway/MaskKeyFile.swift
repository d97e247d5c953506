import Foundation
import Postgres

/// The key of hashed values: made on first start, in the data folder, readable by its owner alone.
///
/// Whoever has it can try values against hashes; whoever loses it has other hashes from then on.
enum MaskKeyFile {
  /// Bytes of the key.
  private static let size = 32

  static func load(data: String) throws -> MaskKey {
    let path = data + "/mask.key"
    if !FileManager.default.fileExists(atPath: path) {
      let bytes = (0..<size).map { _ in UInt8.random(in: .min ... .max) }
      try PrivateFile.write(Data(bytes).base64EncodedString() + "\n", to: path, mode: 0o600)
    }
    let text = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    guard let bytes = Data(base64Encoded: text), bytes.count == size else {
      throw GatewayFailure(
        "\(path) holds no key",
        hint: "Restore it from a backup; a new one, made when it is missing, changes all hashes.")
    }
    return MaskKey(Array(bytes))
  }
}

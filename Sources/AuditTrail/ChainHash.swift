import CSodium
import Crypto

/// The hash that links records and headers of a segment; which one, the segment's version says.
///
/// BLAKE2b with 32 bytes of output (RFC 7693; `b2sum -l 256`) since version 4. What is hashed for a statement is one link
/// and a short record: one block of 128 bytes, where SHA-256 takes two and the space of its padding, on processors
/// without instructions for SHA at three times the cost for each byte. SHA-256 in the segments before.
enum ChainHash {
  /// Bytes of a hash.
  static let size = 32
  /// The first version of segments with BLAKE2b.
  static let firstVersion: UInt32 = 4

  /// Lets the library choose what the processor does fastest; without that it is slower and no less right.
  private static let isReady = sodium_init() >= 0

  /// Writes BLAKE2b-256 of `bytes` to the 32 bytes at `digest`. Allocates nothing.
  @inline(__always)
  static func write(of bytes: UnsafeRawBufferPointer, to digest: UnsafeMutableRawPointer) {
    _ = isReady
    crypto_generichash_blake2b(
      digest.assumingMemoryBound(to: UInt8.self), size, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
      UInt64(bytes.count), nil, 0)
  }

  /// The hash of `bytes` in a segment of this version.
  static func of(_ bytes: [UInt8], version: UInt32) -> [UInt8] {
    guard version >= firstVersion else { return Array(SHA256.hash(data: bytes)) }
    var digest = [UInt8](repeating: 0, count: size)
    bytes.withUnsafeBytes { bytes in
      digest.withUnsafeMutableBytes { digest in
        if let start = digest.baseAddress { write(of: bytes, to: start) }
      }
    }
    return digest
  }
}

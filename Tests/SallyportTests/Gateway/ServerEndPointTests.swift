import Crypto
import Foundation
import NIOSSL
import Testing

@testable import Gateway

/// The hash that clients bind to follows the certificate's own signature (RFC 5929 §4.1).
@Suite("tls-server-end-point") struct ServerEndPointTests {
  private func certificate(_ arguments: [String]) throws -> NIOSSLCertificate {
    let folder = try TestRun.newFolder("end-point")
    let end = try ChildProcess.run(
      "/usr/bin/openssl",
      ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=x", "-keyout", "\(folder)/key", "-out", "\(folder)/pem"]
        + arguments)
    guard end.status == 0 else { throw TestFailure("openssl: \(end.errors)") }
    return try #require(try NIOSSLCertificate.fromPEMFile("\(folder)/pem").first)
  }

  private static let rsa = ["-newkey", "rsa:2048"]
  private static let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
  private static let probabilistic = ["-sigopt", "rsa_padding_mode:pss"]

  @Test(
    arguments: [
      (rsa + ["-sha256"], ServerEndPoint.Digest.sha256), (rsa + ["-sha384"], .sha384), (rsa + ["-sha512"], .sha512),
      (rsa + ["-sha1"], .sha256), (curve + ["-sha256"], .sha256), (curve + ["-sha384"], .sha384),
      (curve + ["-sha512"], .sha512), (rsa + probabilistic + ["-sha256"], .sha256),
      (rsa + probabilistic + ["-sha384"], .sha384), (rsa + probabilistic + ["-sha1"], .sha256),
      (["-newkey", "ed25519"], nil),
    ] as [([String], ServerEndPoint.Digest?)])
  func digests(_ arguments: [String], _ digest: ServerEndPoint.Digest?) throws {
    let certificate = try certificate(arguments)
    let der = try certificate.toDERBytes()
    #expect(ServerEndPoint.digest(ofDER: der) == digest, "\(arguments)")
    let expected: [UInt8]? =
      switch digest {
      case .sha256: Array(SHA256.hash(data: der))
      case .sha384: Array(SHA384.hash(data: der))
      case .sha512: Array(SHA512.hash(data: der))
      case nil: nil
      }
    #expect(ServerEndPoint.hash(of: certificate) == expected)
  }

  @Test("what is no certificate has no hash, and does no harm")
  func hostile() throws {
    let der = try certificate(Self.curve).toDERBytes()
    for end in 0..<der.count { #expect(ServerEndPoint.digest(ofDER: Array(der.prefix(end))) == nil) }
    for index in der.indices {
      var changed = der
      changed[index] ^= 0xff
      _ = ServerEndPoint.digest(ofDER: changed)
    }
  }
}

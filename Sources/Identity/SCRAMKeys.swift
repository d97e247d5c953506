import Crypto

/// The keys that SCRAM-SHA-256 derives from a password, a salt and an iteration count (RFC 5802 §3).
///
/// Whoever holds the client key can sign in: keep it in memory only. It is worth keeping, because deriving it is the
/// costly step of signing in to a backend (4096 iterations are PostgreSQL's default).
public struct SCRAMKeys: Hashable, Sendable {
  public let salt: [UInt8]
  public let iterations: Int
  let clientKey: [UInt8]
  let serverKey: [UInt8]

  /// Derives the keys. Costs two SHA-256 blocks per iteration; an iteration count below 1 counts as 1.
  ///
  /// ASCII passwords are what SASLprep (RFC 4013) leaves them as. Others are used as their UTF-8 bytes, which is what
  /// PostgreSQL does when SASLprep fails; a password that SASLprep would change (compatibility characters, no-break
  /// spaces) therefore does not fit a verifier that PostgreSQL made.
  public init(password: String, salt: [UInt8], iterations: Int) {
    self.salt = salt
    self.iterations = max(1, iterations)
    let salted = SCRAMKeys.saltedPassword(Array(password.utf8), salt: salt, iterations: self.iterations)
    clientKey = hmacSHA256(key: salted, Array("Client Key".utf8))
    serverKey = hmacSHA256(key: salted, Array("Server Key".utf8))
  }

  var storedKey: [UInt8] { sha256(clientKey) }

  /// `Hi()` of RFC 5802 §2.2: PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) with an output of one block.
  ///
  /// The two hash states that hold the padded key are made once and copied, which halves the work of each HMAC.
  static func saltedPassword(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
    var block = password.count > SHA256.blockByteCount ? sha256(password) : password
    block += [UInt8](repeating: 0, count: SHA256.blockByteCount - block.count)
    var inner = SHA256()
    inner.update(data: block.map { $0 ^ 0x36 })
    var outer = SHA256()
    outer.update(data: block.map { $0 ^ 0x5C })

    func hmac(_ hash: SHA256) -> SHA256.Digest {
      var outer = outer
      hash.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
      return outer.finalize()
    }
    var first = inner
    first.update(data: salt)
    first.update(data: [0, 0, 0, 1])
    var round = hmac(first)
    var result = Array(round)
    for _ in 1..<max(1, iterations) {
      var next = inner
      round.withUnsafeBytes { next.update(bufferPointer: $0) }
      round = hmac(next)
      round.withUnsafeBytes { bytes in
        for (index, byte) in zip(result.indices, bytes) { result[index] ^= byte }
      }
    }
    return result
  }
}

/// What the gateway stores of a password or token: enough to check a proof, not enough to make one (RFC 5802 §3).
public struct SCRAMVerifier: Hashable, Sendable {
  public var salt: [UInt8]
  public var iterations: Int
  /// 32 bytes.
  public var storedKey: [UInt8]
  /// 32 bytes.
  public var serverKey: [UInt8]

  public init(salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]) {
    self.salt = salt
    self.iterations = iterations
    self.storedKey = storedKey
    self.serverKey = serverKey
  }

  /// Derives the verifier of a password; for the cost and for what becomes of non-ASCII passwords see `SCRAMKeys`.
  public init(password: String, salt: [UInt8], iterations: Int) {
    let keys = SCRAMKeys(password: password, salt: salt, iterations: iterations)
    self.init(salt: salt, iterations: keys.iterations, storedKey: keys.storedKey, serverKey: keys.serverKey)
  }
}

extension SCRAMVerifier {
  /// As PostgreSQL keeps it in `pg_authid.rolpassword`: `SCRAM-SHA-256$4096:salt$storedKey:serverKey`.
  public var text: String {
    func base64(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }
    return "SCRAM-SHA-256$\(iterations):\(base64(salt))$\(base64(storedKey)):\(base64(serverKey))"
  }

  /// nil when the text is not a verifier in PostgreSQL's form.
  public init?(text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].elementsEqual("SCRAM-SHA-256".utf8) else { return nil }
    let work = parts[1].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    let keys = parts[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard work.count == 2, keys.count == 2, let iterations = SCRAMSyntax.iterations(work[0]),
      let salt = Base64.decode(work[1]), !salt.isEmpty, salt.count <= SCRAMLimits.salt,
      let storedKey = Base64.decode(keys[0]), storedKey.count == SHA256.byteCount,
      let serverKey = Base64.decode(keys[1]), serverKey.count == SHA256.byteCount
    else { return nil }
    self.init(salt: salt, iterations: iterations, storedKey: storedKey, serverKey: serverKey)
  }
}

func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

func hmacSHA256(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
  Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
}

/// True when both are equal; how long it takes depends on the lengths only.
func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  var difference: UInt8 = 0
  for (x, y) in zip(a, b) { difference |= x ^ y }
  return difference == 0
}

func xor(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] { zip(a, b).map { $0 ^ $1 } }

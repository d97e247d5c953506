/// The gateway's side of SCRAM-SHA-256 towards a backend (RFC 5802, RFC 7677; PostgreSQL 53.3.1).
///
/// Pure: client-first out, server-first in, client-final out, server-final in. Only when `receiveServerFinal` has
/// returned has the backend proved that it knows the password too.
public struct SCRAMClient: Sendable {
  private enum State: Sendable {
    case start
    case expectsServerFirst
    case expectsServerFinal(signature: [UInt8])
    case ended
  }

  /// `n,,`: no channel binding, no authorization identity.
  private static let header = Array("n,,".utf8)

  private let password: String
  private let nonce: [UInt8]
  private var state = State.start
  /// The keys derived in this exchange, to be kept in memory and handed to the next one with the same backend.
  public private(set) var keys: SCRAMKeys?

  /// - Parameters:
  ///   - nonce: the gateway's part of the nonce: printable ASCII without a comma.
  ///   - keys: of an earlier exchange with the same password; used when salt and iteration count are still the same.
  public init(password: String, nonce: [UInt8] = SCRAMNonce.generate(), keys: SCRAMKeys? = nil) {
    self.password = password
    self.nonce = nonce
    self.keys = keys
  }

  /// The client-first-message, with an empty user as libpq sends it: the StartupMessage has named the user.
  public mutating func clientFirst() -> [UInt8] {
    guard case .start = state else {
      state = .ended
      return []
    }
    state = .expectsServerFirst
    return SCRAMClient.header + clientFirstBare
  }

  /// Takes the server-first-message and returns the client-final-message.
  ///
  /// Derives the keys, unless it has them: about 8 ms for PostgreSQL's 4096 iterations, up to two seconds for
  /// the most that is accepted; so on an event loop only with `keys`.
  public mutating func receiveServerFirst(_ bytes: [UInt8]) throws(SCRAMError) -> [UInt8] {
    guard case .expectsServerFirst = state else {
      state = .ended
      throw .outOfOrder
    }
    state = .ended
    let first = try ServerFirst(bytes)
    guard first.nonce.count > nonce.count, first.nonce.starts(with: nonce) else { throw .nonceMismatch }

    let keys = keys(salt: first.salt, iterations: first.iterations)
    self.keys = keys
    let withoutProof = Array("c=".utf8) + Base64.encode(SCRAMClient.header) + Array(",r=".utf8) + first.nonce
    let comma = [UInt8(ascii: ",")]
    let message = clientFirstBare + comma + bytes + comma + withoutProof
    let proof = xor(keys.clientKey, hmacSHA256(key: keys.storedKey, message))
    state = .expectsServerFinal(signature: hmacSHA256(key: keys.serverKey, message))
    return withoutProof + Array(",p=".utf8) + Base64.encode(proof)
  }

  /// Takes the server-final-message; returns when the backend's signature is right.
  public mutating func receiveServerFinal(_ bytes: [UInt8]) throws(SCRAMError) {
    guard case .expectsServerFinal(let signature) = state else {
      state = .ended
      throw .outOfOrder
    }
    state = .ended
    try SCRAMSyntax.checkMessage(bytes)
    var attributes = SCRAMAttributes(bytes[...])
    let (name, value) = try attributes.next(.signature)
    if name == UInt8(ascii: "e") { throw .refused(SCRAMClient.printable(value)) }
    guard name == UInt8(ascii: "v"), attributes.ended, let theirs = Base64.decode(value), theirs.count == 32
    else { throw .malformed(.signature) }
    guard constantTimeEqual(theirs, signature) else { throw .signatureMismatch }
  }

  private var clientFirstBare: [UInt8] { Array("n=,r=".utf8) + nonce }

  private func keys(salt: [UInt8], iterations: Int) -> SCRAMKeys {
    if let keys, keys.salt == salt, keys.iterations == iterations { return keys }
    return SCRAMKeys(password: password, salt: salt, iterations: iterations)
  }

  private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.prefix(64).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}

/// The backend's answer to the client's nonce: both nonces, salt and iteration count.
struct ServerFirst {
  var nonce: [UInt8]
  var salt: [UInt8]
  var iterations: Int

  init(_ bytes: [UInt8]) throws(SCRAMError) {
    try SCRAMSyntax.checkMessage(bytes)
    var attributes = SCRAMAttributes(bytes[...])
    let nonce = try attributes.value(of: "r", .nonce)
    try SCRAMSyntax.checkNonce(nonce)
    let encodedSalt = try attributes.value(of: "s", .salt)
    guard encodedSalt.count <= (SCRAMLimits.salt + 2) / 3 * 4 else { throw .tooLong(.salt) }
    guard let salt = Base64.decode(encodedSalt), !salt.isEmpty else { throw .malformed(.salt) }
    guard salt.count <= SCRAMLimits.salt else { throw .tooLong(.salt) }
    let digits = try attributes.value(of: "i", .iterations)
    guard attributes.ended else { throw .malformed(.message) }
    guard let iterations = SCRAMSyntax.iterations(digits) else {
      let numeric = !digits.isEmpty && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      throw numeric ? .iterationsOutOfRange : .malformed(.iterations)
    }
    self.nonce = Array(nonce)
    self.salt = salt
    self.iterations = iterations
  }
}

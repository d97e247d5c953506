/// What the gateway says of channel binding when it signs in to a backend (RFC 5802 §6).
public enum SCRAMBinding: Hashable, Sendable {
  /// `n`: it does not want any.
  case unsupported
  /// `y`: it would, but PLUS is not offered. A backend that did offer it refuses then.
  case notOffered
  /// `p=tls-server-end-point`, with the hash of the backend's certificate.
  case endPoint([UInt8])

  /// The mechanism that goes with it.
  public var mechanism: SCRAMMechanism {
    switch self {
    case .unsupported, .notOffered: .plain
    case .endPoint: .plus
    }
  }

  /// The gs2 header, without an authorization identity.
  var header: [UInt8] {
    switch self {
    case .unsupported: Array("n,,".utf8)
    case .notOffered: Array("y,,".utf8)
    case .endPoint: Array("p=\(SCRAMMechanism.endPointBinding),,".utf8)
    }
  }

  /// What follows the header in client-final's `c=`.
  var data: [UInt8] {
    switch self {
    case .unsupported, .notOffered: []
    case .endPoint(let hash): hash
    }
  }
}

/// Keys that are still to be derived: milliseconds of work, up to two seconds, so not for an event loop.
public struct SCRAMDerivation: Hashable, Sendable, CustomStringConvertible {
  private let password: String
  private let salt: [UInt8]
  public let iterations: Int

  init(password: String, salt: [UInt8], iterations: Int) {
    self.password = password
    self.salt = salt
    self.iterations = iterations
  }

  public func derive() -> SCRAMKeys { SCRAMKeys(password: password, salt: salt, iterations: iterations) }

  /// Without the password.
  public var description: String { "derivation with \(iterations) iterations" }
}

/// The gateway's side of SCRAM-SHA-256 towards a backend (RFC 5802, RFC 7677; PostgreSQL 53.3.1).
///
/// Pure: client-first out, server-first in, client-final out, server-final in. Only when `receiveServerFinal` has
/// returned has the backend proved that it knows the password too.
public struct SCRAMClient: Sendable {
  private enum State: Sendable {
    case start
    case expectsServerFirst
    case expectsKeys(ServerFirst, message: [UInt8])
    case expectsServerFinal(signature: [UInt8])
    case ended
  }

  private let password: String
  public let binding: SCRAMBinding
  private let nonce: [UInt8]
  private var state = State.start
  /// The keys derived in this exchange, to be kept in memory and handed to the next one with the same backend.
  public private(set) var keys: SCRAMKeys?

  /// - Parameters:
  ///   - nonce: the gateway's part of the nonce: printable ASCII without a comma.
  ///   - keys: of an earlier exchange with the same password; used when salt and iteration count are still the same.
  public init(
    password: String, binding: SCRAMBinding = .unsupported, nonce: [UInt8] = SCRAMNonce.generate(),
    keys: SCRAMKeys? = nil
  ) {
    self.password = password
    self.binding = binding
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
    return binding.header + clientFirstBare
  }

  /// Takes the server-first-message and returns the client-final-message, deriving the keys here and now where they
  /// are not known: about 8 ms for PostgreSQL's 4096 iterations.
  public mutating func receiveServerFirst(_ bytes: [UInt8]) throws(SCRAMError) -> [UInt8] {
    let derivation = try takeServerFirst(bytes)
    return try clientFinal(with: derivation?.derive())
  }

  /// Takes the server-first-message. Returns what must be derived for `clientFinal`; nil when the keys of an earlier
  /// exchange fit.
  public mutating func takeServerFirst(_ bytes: [UInt8]) throws(SCRAMError) -> SCRAMDerivation? {
    guard case .expectsServerFirst = state else {
      state = .ended
      throw .outOfOrder
    }
    state = .ended
    let first = try ServerFirst(bytes)
    guard first.nonce.count > nonce.count, first.nonce.starts(with: nonce) else { throw .nonceMismatch }

    state = .expectsKeys(first, message: bytes)
    if let keys, keys.salt == first.salt, keys.iterations == first.iterations { return nil }
    return SCRAMDerivation(password: password, salt: first.salt, iterations: first.iterations)
  }

  /// The client-final-message. `derived` are the keys that `takeServerFirst` asked for; nil where it did not.
  public mutating func clientFinal(with derived: SCRAMKeys?) throws(SCRAMError) -> [UInt8] {
    guard case .expectsKeys(let first, let bytes) = state, let keys = derived ?? keys, keys.salt == first.salt,
      keys.iterations == first.iterations
    else {
      state = .ended
      throw .outOfOrder
    }
    self.keys = keys
    let withoutProof =
      Array("c=".utf8) + Base64.encode(binding.header + binding.data) + Array(",r=".utf8) + first.nonce
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

  private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.prefix(64).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}

/// The backend's answer to the client's nonce: both nonces, salt and iteration count.
struct ServerFirst: Sendable {
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

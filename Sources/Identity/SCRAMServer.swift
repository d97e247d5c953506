/// The gateway's side of SCRAM-SHA-256 towards its client (RFC 5802, RFC 7677; PostgreSQL 53.3.1).
///
/// Pure: client-first in, server-first out, client-final in, server-final out. Nothing is looked up here; the caller
/// brings the user's salt and verifiers, and a decoy's for a user that there is not.
public struct SCRAMServer: Sendable {
  /// The one mechanism that is offered.
  public static let mechanism = "SCRAM-SHA-256"

  private enum State: Sendable {
    case expectsClientFirst
    case expectsSalt(ClientFirst, bare: [UInt8])
    case expectsClientFinal(Challenge)
    case ended
  }

  /// What was agreed upon before the proof.
  private struct Challenge: Sendable {
    var header: [UInt8]
    var nonce: [UInt8]
    var salt: [UInt8]
    var iterations: Int
    /// client-first-message-bare "," server-first-message ","
    var transcript: [UInt8]
  }

  private let nonce: [UInt8]
  private var state = State.expectsClientFirst

  /// `nonce` is the gateway's part of the nonce: printable ASCII without a comma; anything else fails the first step.
  public init(nonce: [UInt8] = SCRAMNonce.generate()) {
    self.nonce = nonce
  }

  /// Takes the client-first-message.
  ///
  /// Channel binding is not offered, so `n` (not supported) and `y` (supported, believed not offered) pass and `p`
  /// does not. The user inside is checked and ignored, as PostgreSQL does: the StartupMessage names the user.
  public mutating func receiveClientFirst(_ bytes: [UInt8]) throws(SCRAMError) -> ClientFirst {
    guard case .expectsClientFirst = state else { throw fail(.outOfOrder) }
    do throws(SCRAMError) {
      try SCRAMSyntax.checkNonce(nonce)
      let (first, bare) = try ClientFirst.parse(bytes)
      guard first.nonce.count + nonce.count <= SCRAMLimits.nonce else { throw .tooLong(.nonce) }
      state = .expectsSalt(first, bare: bare)
      return first
    } catch {
      throw fail(error)
    }
  }

  /// The server-first-message: both nonces, the user's salt and iteration count.
  ///
  /// Empty when no client-first-message was accepted before; the exchange has then failed.
  public mutating func serverFirst(salt: [UInt8], iterations: Int) -> [UInt8] {
    guard case .expectsSalt(let first, let bare) = state else {
      state = .ended
      return []
    }
    let combined = first.nonce + nonce
    let message = Array("r=".utf8) + combined + Array(",s=".utf8) + Base64.encode(salt) + Array(",i=\(iterations)".utf8)
    state = .expectsClientFinal(
      Challenge(
        header: first.header, nonce: combined, salt: salt, iterations: iterations,
        transcript: bare + [UInt8(ascii: ",")] + message + [UInt8(ascii: ",")]))
    return message
  }

  /// Takes the client-final-message and tries its proof against the user's verifiers (DECISIONS 30).
  ///
  /// Always does the work of `SCRAMLimits.verifiers` attempts, so that time tells neither whether the user exists nor
  /// how many tokens there are. A verifier with another salt or iteration count than was announced never matches.
  /// - Returns: the index of the verifier that matches, and the server-final-message.
  public mutating func receiveClientFinal(
    _ bytes: [UInt8], verifiers: [SCRAMVerifier]
  ) throws(SCRAMError) -> (index: Int, serverFinal: [UInt8]) {
    guard case .expectsClientFinal(let challenge) = state else { throw fail(.outOfOrder) }
    state = .ended
    guard verifiers.count <= SCRAMLimits.verifiers else { throw .tooManyVerifiers }
    let final = try ClientFinal(bytes)
    guard final.channelBinding == challenge.header else { throw .channelBindingMismatch }
    guard constantTimeEqual(final.nonce, challenge.nonce) else { throw .nonceMismatch }

    let message = challenge.transcript + final.withoutProof
    let decoy = SCRAMVerifier(
      salt: challenge.salt, iterations: challenge.iterations, storedKey: [UInt8](repeating: 0, count: 32),
      serverKey: [UInt8](repeating: 0, count: 32))
    var matched: Int?
    for attempt in 0..<SCRAMLimits.verifiers {
      let real = attempt < verifiers.count
      let verifier = real ? verifiers[attempt] : decoy
      let clientKey = xor(final.proof, hmacSHA256(key: verifier.storedKey, message))
      let fits = constantTimeEqual(sha256(clientKey), verifier.storedKey)
      if fits, real, matched == nil, verifier.salt == challenge.salt, verifier.iterations == challenge.iterations {
        matched = attempt
      }
    }
    guard let matched else { throw .proofMismatch }
    let signature = hmacSHA256(key: verifiers[matched].serverKey, message)
    return (matched, Array("v=".utf8) + Base64.encode(signature))
  }

  private mutating func fail(_ error: SCRAMError) -> SCRAMError {
    state = .ended
    return error
  }
}

/// The message that opens an exchange: what the client says of channel binding, and its nonce.
public struct ClientFirst: Hashable, Sendable {
  /// What the client says of channel binding (RFC 5802 §6).
  public enum ChannelBinding: String, Hashable, Sendable {
    /// `n`: it does not support it.
    case unsupported
    /// `y`: it does, and believes that we do not.
    case notOffered
  }
  public var channelBinding: ChannelBinding
  /// The client's part of the nonce.
  public var nonce: [UInt8]
  /// The gs2 header, which client-final repeats.
  var header: [UInt8]

  static func parse(_ bytes: [UInt8]) throws(SCRAMError) -> (first: ClientFirst, bare: [UInt8]) {
    try SCRAMSyntax.checkMessage(bytes)
    let channelBinding: ChannelBinding
    switch bytes.first {
    case UInt8(ascii: "n"): channelBinding = .unsupported
    case UInt8(ascii: "y"): channelBinding = .notOffered
    case UInt8(ascii: "p"): throw .channelBindingNotOffered
    case _: throw .malformed(.header)
    }
    let header = Array(bytes.prefix(3))
    if header.count == 3, header[1] == UInt8(ascii: ","), header[2] == UInt8(ascii: "a") {
      throw .authorizationIdentity
    }
    guard header.dropFirst().elementsEqual(",,".utf8) else { throw .malformed(.header) }
    let bare = bytes.dropFirst(3)
    var attributes = SCRAMAttributes(bare)
    try SCRAMSyntax.checkUser(attributes.value(of: "n", .user))
    let nonce = try attributes.value(of: "r", .nonce)
    try SCRAMSyntax.checkNonce(nonce)
    // Optional extensions are allowed and ignored, as in PostgreSQL.
    while !attributes.ended {
      if try attributes.next(.message).name == UInt8(ascii: "m") { throw .mandatoryExtension }
    }
    return (ClientFirst(channelBinding: channelBinding, nonce: Array(nonce), header: header), Array(bare))
  }
}

/// The message that proves that the client knows the password.
struct ClientFinal {
  var channelBinding: [UInt8]
  var nonce: [UInt8]
  /// 32 bytes.
  var proof: [UInt8]
  var withoutProof: [UInt8]

  init(_ bytes: [UInt8]) throws(SCRAMError) {
    try SCRAMSyntax.checkMessage(bytes)
    var attributes = SCRAMAttributes(bytes[...])
    guard let binding = Base64.decode(try attributes.value(of: "c", .channelBinding)) else {
      throw .malformed(.channelBinding)
    }
    let nonce = try attributes.value(of: "r", .nonce)
    try SCRAMSyntax.checkNonce(nonce)
    var proof: ArraySlice<UInt8> = []
    var proofStart = bytes.endIndex
    while proofStart == bytes.endIndex {
      let start = attributes.rest.startIndex
      let (name, value) = try attributes.next(.proof)
      if name == UInt8(ascii: "m") { throw .mandatoryExtension }
      guard name == UInt8(ascii: "p") else { continue }
      proof = value
      proofStart = start
    }
    guard attributes.ended, let decoded = Base64.decode(proof), decoded.count == 32 else { throw .malformed(.proof) }
    channelBinding = binding
    self.nonce = Array(nonce)
    self.proof = decoded
    withoutProof = Array(bytes[..<(proofStart - 1)])
  }
}

/// The two mechanisms of SCRAM that PostgreSQL has, by their names in SASL.
public enum SCRAMMechanism: String, Hashable, Sendable, CaseIterable {
  case plain = "SCRAM-SHA-256"
  /// Bound to the TLS channel by the hash of the server's certificate.
  case plus = "SCRAM-SHA-256-PLUS"

  /// The one kind of channel binding that PostgreSQL and we know (RFC 5929 §4).
  static let endPointBinding = "tls-server-end-point"
}

/// The gateway's side of SCRAM-SHA-256 towards its client (RFC 5802, RFC 7677; PostgreSQL 53.3.1).
///
/// Pure: client-first in, server-first out, client-final in, server-final out. Nothing is looked up here; the caller
/// brings the user's salt and verifiers, and a decoy's for a user that there is not.
public struct SCRAMServer: Sendable {
  private enum State: Sendable {
    case expectsClientFirst
    case expectsSalt(ClientFirst, bare: [UInt8])
    case expectsClientFinal(Challenge)
    case ended
  }

  /// What was agreed upon before the proof.
  private struct Challenge: Sendable {
    /// What client-final must repeat: the gs2 header, and the channel's data under PLUS.
    var binding: [UInt8]
    var nonce: [UInt8]
    var salt: [UInt8]
    var iterations: Int
    /// client-first-message-bare "," server-first-message ","
    var transcript: [UInt8]
  }

  private let mechanism: SCRAMMechanism
  private let endPoint: [UInt8]?
  private let nonce: [UInt8]
  private var state = State.expectsClientFirst

  /// - Parameters:
  ///   - mechanism: the one that the client chose.
  ///   - endPoint: the hash of our certificate (RFC 5929 §4.1) where SCRAM-SHA-256-PLUS was offered too; else nil.
  ///   - nonce: the gateway's part of the nonce: printable ASCII without a comma; anything else fails the first step.
  public init(
    mechanism: SCRAMMechanism = .plain, endPoint: [UInt8]? = nil, nonce: [UInt8] = SCRAMNonce.generate()
  ) {
    self.mechanism = mechanism
    self.endPoint = endPoint
    self.nonce = nonce
  }

  /// Takes the client-first-message.
  ///
  /// Under PLUS it must bind to `tls-server-end-point`. Else it must not: `n` (not supported) passes, and `y`
  /// (supported, believed not offered) only where binding was indeed not offered. The user inside is checked and
  /// ignored, as PostgreSQL does: the StartupMessage names the user.
  public mutating func receiveClientFirst(_ bytes: [UInt8]) throws(SCRAMError) -> ClientFirst {
    guard case .expectsClientFirst = state else { throw fail(.outOfOrder) }
    do throws(SCRAMError) {
      try SCRAMSyntax.checkNonce(nonce)
      let (first, bare) = try ClientFirst.parse(bytes)
      guard first.nonce.count + nonce.count <= SCRAMLimits.nonce else { throw .tooLong(.nonce) }
      try check(first.channelBinding)
      state = .expectsSalt(first, bare: bare)
      return first
    } catch {
      throw fail(error)
    }
  }

  private func check(_ binding: ClientFirst.ChannelBinding) throws(SCRAMError) {
    switch (mechanism, binding) {
    case (.plain, .unsupported): break
    case (.plain, .notOffered): if endPoint != nil { throw .channelBindingDowngrade }
    case (.plain, .endPoint), (.plain, .other): throw .channelBindingNotOffered
    case (.plus, .endPoint): if endPoint == nil { throw .channelBindingNotOffered }
    case (.plus, .other): throw .channelBindingUnsupported
    case (.plus, .unsupported), (.plus, .notOffered): throw .channelBindingMissing
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
        binding: first.header + (mechanism == .plus ? endPoint ?? [] : []),
        nonce: combined, salt: salt, iterations: iterations,
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
    guard final.channelBinding == challenge.binding else { throw .channelBindingMismatch }
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
    /// `p=tls-server-end-point`: it binds to the server's certificate.
    case endPoint
    /// `p=` something else.
    case other
  }
  public var channelBinding: ChannelBinding
  /// The client's part of the nonce.
  public var nonce: [UInt8]
  /// The gs2 header, which client-final repeats.
  var header: [UInt8]

  static func parse(_ bytes: [UInt8]) throws(SCRAMError) -> (first: ClientFirst, bare: [UInt8]) {
    try SCRAMSyntax.checkMessage(bytes)
    guard let comma = bytes.firstIndex(of: UInt8(ascii: ",")) else { throw .malformed(.header) }
    let channelBinding = try ChannelBinding(flag: bytes[..<comma])
    let rest = bytes[(comma + 1)...]
    if rest.first == UInt8(ascii: "a") { throw .authorizationIdentity }
    guard rest.first == UInt8(ascii: ",") else { throw .malformed(.header) }
    let header = Array(bytes[...(comma + 1)])
    let bare = rest.dropFirst()
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

extension ClientFirst.ChannelBinding {
  /// `n`, `y` or `p=name`, the part of the gs2 header in front of the first comma (RFC 5802 §7).
  init(flag: ArraySlice<UInt8>) throws(SCRAMError) {
    if flag.elementsEqual("n".utf8) {
      self = .unsupported
    } else if flag.elementsEqual("y".utf8) {
      self = .notOffered
    } else if flag.starts(with: "p=".utf8), flag.count > 2, flag.dropFirst(2).allSatisfy(SCRAMSyntax.isInBindingName) {
      self = flag.dropFirst(2).elementsEqual(SCRAMMechanism.endPointBinding.utf8) ? .endPoint : .other
    } else {
      throw .malformed(.header)
    }
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

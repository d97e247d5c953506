// Identity: who connects: SCRAM on both sides of the gateway, access tokens and what is stored of them.

/// Why an exchange of SCRAM messages ended without a sign-in.
///
/// The cases are for the audit trail and the log of the gateway; the client is to be told only that authentication
/// failed, whatever the case (PostgreSQL answers 28P01 to all of them but malformed messages, 08P01).
public enum SCRAMError: Error, Hashable, Sendable {
  /// A message does not follow the grammar of RFC 5802 §7.
  case malformed(Field)
  /// Longer than `SCRAMLimits` allows.
  case tooLong(Field)
  /// A step was called out of order, or after the exchange had failed.
  case outOfOrder
  /// The client wants to bind to a TLS channel, which was not offered.
  case channelBindingNotOffered
  /// The client supports channel binding and says that it was not offered, which it was: somebody between the two took
  /// it out of the list of mechanisms (RFC 5802 §6).
  case channelBindingDowngrade
  /// The client chose SCRAM-SHA-256-PLUS and binds to nothing.
  case channelBindingMissing
  /// The client binds to something else than `tls-server-end-point`.
  case channelBindingUnsupported
  /// The client repeats another channel binding header than it opened with (RFC 5802 §6: a downgrade).
  case channelBindingMismatch
  /// The client wants to act for somebody else; PostgreSQL does not know that either.
  case authorizationIdentity
  /// An extension that must be understood and is not (RFC 5802 §5.1, attribute `m`).
  case mandatoryExtension
  /// The nonce is not the one agreed upon.
  case nonceMismatch
  /// The backend asks for no iteration, or for more than `SCRAMLimits.iterations`.
  case iterationsOutOfRange
  /// The proof fits none of the verifiers: a wrong password or token, or an unknown user.
  case proofMismatch
  /// More verifiers than `SCRAMLimits.verifiers`; nothing was tried.
  case tooManyVerifiers
  /// The backend's signature is wrong: it does not know the password, so it is not the one it claims to be.
  case signatureMismatch
  /// The backend ended the exchange with `e=`; its reason in printable ASCII, at most 64 characters.
  case refused(String)

  /// The part of a message that is at fault.
  public enum Field: String, Hashable, Sendable {
    case message, header, user, nonce, channelBinding = "channel binding", salt, iterations, proof, signature
  }

  /// Lower case, without a full stop, without a secret.
  public var message: String {
    switch self {
    case .malformed(let field): "malformed SCRAM message: \(field.rawValue)"
    case .tooLong(let field): "SCRAM message too long: \(field.rawValue)"
    case .outOfOrder: "SCRAM message out of order"
    case .channelBindingNotOffered: "client requires SCRAM channel binding, which was not offered"
    case .channelBindingMismatch: "SCRAM channel binding check failed"
    case .channelBindingDowngrade: "SCRAM channel binding negotiation error"
    case .channelBindingMissing: "client selected SCRAM-SHA-256-PLUS without channel binding"
    case .channelBindingUnsupported: "unsupported SCRAM channel-binding type"
    case .authorizationIdentity: "client uses authorization identity, but it is not supported"
    case .mandatoryExtension: "client requires an unsupported SCRAM extension"
    case .nonceMismatch: "SCRAM nonce does not match"
    case .iterationsOutOfRange: "SCRAM iteration count out of range"
    case .proofMismatch: "SCRAM proof does not match"
    case .tooManyVerifiers: "too many SCRAM verifiers for one user"
    case .signatureMismatch: "incorrect SCRAM server signature"
    case .refused(let reason): "SCRAM exchange refused: \(reason)"
    }
  }
}

/// The bounds of an exchange: what exceeds them is refused before it is worked on.
public enum SCRAMLimits {
  /// Bytes of one message.
  public static let message = 4096
  /// Bytes of a nonce, the client's and the combined one (CVE-2026-6665: a backend that sends 64 KiB).
  public static let nonce = 256
  /// Bytes of a decoded salt.
  public static let salt = 256
  /// The most iterations that a backend may ask of the gateway: about two seconds of work.
  public static let iterations = 1_000_000
  /// The most verifiers that one proof is tried against (DECISIONS 30).
  public static let verifiers = 16
}

import AccessModel
import Crypto
import Identity
import NIOCore

/// What the gateway knows of somebody who claims to be `user`: enough to test a proof, never a secret in clear.
public struct ClientCredentials: Hashable, Sendable {
  public enum Method: String, Hashable, Sendable {
    case scram
    /// A token as password in clear, over TLS or loopback only.
    case token
  }
  public var method: Method
  public var salt: [UInt8]
  public var iterations: Int
  /// At most 16 (DECISIONS 30); none for an unknown user, who is then refused in the same time and words.
  public var verifiers: [SCRAMVerifier]
  /// SHA-256 of each token, in the order of `verifiers`.
  public var tokenDigests: [[UInt8]]

  public init(
    method: Method, salt: [UInt8], iterations: Int, verifiers: [SCRAMVerifier], tokenDigests: [[UInt8]]
  ) {
    self.method = method
    self.salt = salt
    self.iterations = iterations
    self.verifiers = verifiers
    self.tokenDigests = tokenDigests
  }
}

/// The client's side of a connection until it has proven who it is. Sans-IO; the driver adds TLS and deadlines.
public struct ClientHandshake {
  public enum Event: Hashable, Sendable {
    /// The answer `S` is in the output: write it, then start TLS before anything else is read.
    case startTLS
    /// The client began with TLS itself (PostgreSQL 17, `sslnegotiation=direct`): start TLS and give it these bytes.
    case startDirectTLS(ByteBuffer)
    /// A CancelRequest: forward it if it fits a session, close without an answer in any case.
    case cancel(process: Int32, secret: [UInt8])
    /// Look up what is known of this user and call `supply`.
    case needsCredentials(user: String)
    /// Proven. `verifier` is the index of the credential that fitted.
    case authenticated(user: String, verifier: Int)
    /// The error, if the client is to hear one, is in the output: write it and close. `user` is the claimed name, empty
    /// before it is known.
    case failed(user: String, reason: String)
  }

  private enum State {
    case startup
    case startingTLS
    case startingDirectTLS
    case waitingForCredentials
    case password(ClientCredentials)
    case saslInitial(ClientCredentials)
    case saslFinal(SCRAMServer, ClientCredentials)
    case done
  }

  private var state = State.startup
  private var buffer = ByteBuffer()
  private var output = ByteBuffer()
  private var encryptionRequests = 0
  private let limits: Limits
  private let offersTLS: Bool
  private let isLoopback: Bool
  private let endPoint: [UInt8]?
  public private(set) var isEncrypted = false
  /// What the client asked for; nil until its StartupMessage came.
  public private(set) var startup: StartupMessage?

  /// - Parameters:
  ///   - offersTLS: whether SSLRequest is answered with `S`.
  ///   - isLoopback: whether the client is on this machine, so that a token may pass without TLS.
  ///   - endPoint: the hash of our certificate for channel binding (RFC 5929 §4.1); nil when it has none.
  public init(offersTLS: Bool, isLoopback: Bool, endPoint: [UInt8]? = nil, limits: Limits = .standard) {
    self.offersTLS = offersTLS
    self.isLoopback = isLoopback
    self.endPoint = endPoint
    self.limits = limits
  }

  /// The newest minor version of protocol 3 that is spoken here (PostgreSQL 18's).
  public static let newestMinor = 2
  /// The name by which TLS clients ask for PostgreSQL's protocol (ALPN; PostgreSQL 17, 53.2.11).
  public static let applicationProtocol = "postgresql"

  /// The minor version that the client is spoken to in.
  public var minor: Int { min(startup?.minor ?? 0, ClientHandshake.newestMinor) }
  public var user: String { startup?["user"] ?? "" }
  /// The connection that was asked for: `database`, or the user's name as PostgreSQL has it. For physical replication,
  /// `sallyport.connection` before both.
  public var database: String {
    if startup?.replication == .physical, let name = startup?.setting(StartupMessage.connectionSetting), !name.isEmpty {
      return name
    }
    if let database = startup?["database"], !database.isEmpty { return database }
    return user
  }

  public mutating func takeOutput() -> ByteBuffer? {
    guard output.readableBytes > 0 else { return nil }
    defer { output = ByteBuffer() }
    return output
  }

  /// Bytes that came behind the last authentication message, for the session that follows.
  public mutating func takeRemainder() -> ByteBuffer {
    defer { buffer = ByteBuffer() }
    return buffer
  }

  /// TLS was begun: what comes next is encrypted. Where the client began it, `negotiated` has to be called before.
  public mutating func startedTLS() {
    isEncrypted = true
    if case .startingTLS = state { state = .startup }
  }

  /// TLS is up, with this protocol by ALPN. A client that began with TLS must have asked for ours, so that one which
  /// was made to speak to the wrong port is not understood by accident; it gets no answer, as from PostgreSQL.
  public mutating func negotiated(_ applicationProtocol: String?) -> Event? {
    guard case .startingDirectTLS = state else { return nil }
    guard applicationProtocol == ClientHandshake.applicationProtocol else {
      state = .done
      return .failed(
        user: "", reason: "received direct SSL connection request without ALPN protocol negotiation extension")
    }
    state = .startup
    return advance()
  }

  /// Takes bytes from the client; returns the next event, or nil when more bytes are needed.
  public mutating func receive(_ bytes: ByteBuffer) -> Event? {
    var bytes = bytes
    buffer.writeBuffer(&bytes)
    return advance()
  }

  /// Continues with bytes that are already here.
  public mutating func advance() -> Event? {
    do {
      switch state {
      case .startup: return try receiveStartup()
      case .startingTLS:
        // CVE-2021-3935: what came in clear behind SSLRequest must not be read as if TLS had protected it.
        throw ProtocolError.client("received unencrypted data after SSL request")
      case .startingDirectTLS, .waitingForCredentials, .done:
        guard buffer.readableBytes <= limits.authenticationMessage else {
          throw ProtocolError.client("too many bytes before authentication")
        }
        return nil
      case .password(let credentials): return try receivePassword(credentials)
      case .saslInitial(let credentials): return try receiveSASLInitial(credentials)
      case .saslFinal(let server, let credentials): return try receiveSASLFinal(server, credentials)
      }
    } catch let error as ProtocolError {
      return fail(code: error.code, error.message, hint: error.hint)
    } catch {
      return fail(code: "XX000", "internal error")
    }
  }

  /// The first byte of a TLS handshake; as a start-up packet's length it would be far too long.
  private static let tlsRecord = UInt8(0x16)

  private mutating func receiveStartup() throws -> Event? {
    if !isEncrypted, encryptionRequests == 0,
      buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == ClientHandshake.tlsRecord
    {
      return startDirectTLS()
    }
    guard let packet = try StartupPacket.take(from: &buffer, limits: limits) else { return nil }
    switch packet {
    case .sslRequest:
      try countEncryptionRequest()
      guard offersTLS, !isEncrypted else {
        output.writeInteger(UInt8(ascii: "N"))
        return try receiveStartup()
      }
      guard buffer.readableBytes == 0 else {
        throw ProtocolError.client("received unencrypted data after SSL request")
      }
      output.writeInteger(UInt8(ascii: "S"))
      state = .startingTLS
      return .startTLS
    case .gssEncryptionRequest:
      try countEncryptionRequest()
      output.writeInteger(UInt8(ascii: "N"))
      return try receiveStartup()
    case .cancelRequest(let process, let secret):
      state = .done
      return .cancel(process: process, secret: secret)
    case .startup(let message):
      return try begin(message)
    }
  }

  private mutating func startDirectTLS() -> Event {
    guard offersTLS else {
      state = .done
      return .failed(user: "", reason: "direct TLS is not offered")
    }
    state = .startingDirectTLS
    return .startDirectTLS(takeRemainder())
  }

  private mutating func countEncryptionRequest() throws {
    encryptionRequests += 1
    guard encryptionRequests <= limits.encryptionRequests else {
      throw ProtocolError.client("too many requests for encryption")
    }
  }

  private mutating func begin(_ message: StartupMessage) throws -> Event? {
    guard message.major == 3 else {
      throw ProtocolError.client(
        "unsupported frontend protocol \(message.major).\(message.minor): the gateway supports 3.0 to 3.2",
        code: "0A000")
    }
    startup = message
    let options = message.parameters.map(\.name).filter { $0.hasPrefix("_pq_.") }
    if message.minor > minor || !options.isEmpty {
      NegotiateProtocolVersion(minor: minor, unrecognizedOptions: options).encode(into: &output)
    }
    guard !user.isEmpty else {
      throw ProtocolError.client("no PostgreSQL user name specified in startup packet", code: "28000")
    }
    // Refused before anything is asked of anyone (CVE-2025-12819).
    _ = try StartupPolicy.backendParameters(for: message, user: "", database: "", person: "")
    state = .waitingForCredentials
    return .needsCredentials(user: user)
  }

  /// Answers `.needsCredentials`: asks the client for its proof.
  public mutating func supply(_ credentials: ClientCredentials) -> Event? {
    switch credentials.method {
    case .token:
      guard isEncrypted || isLoopback else {
        return fail(
          code: "28000", "a token in clear needs an encrypted connection",
          hint: "Connect with sslmode=require or stricter.")
      }
      AuthenticationRequest.cleartextPassword.encode(into: &output)
      state = .password(credentials)
    case .scram:
      let mechanisms: [SCRAMMechanism] = bindingEndPoint == nil ? [.plain] : [.plus, .plain]
      AuthenticationRequest.sasl(mechanisms: mechanisms.map(\.rawValue)).encode(into: &output)
      state = .saslInitial(credentials)
    }
    return advance()
  }

  /// What a client can bind to; nil where it cannot.
  private var bindingEndPoint: [UInt8]? { isEncrypted ? endPoint : nil }

  /// The next `p` message's body, or nil while it is incomplete.
  private mutating func takeResponse() throws(ProtocolError) -> ByteBuffer? {
    guard let header = try FrameHeader.peek(buffer, offset: 0, from: .client) else { return nil }
    guard header.tag == FrontendTag.password else {
      throw .client("expected password response, got message type \(header.tag)")
    }
    guard header.bodyLength <= limits.authenticationMessage else { throw .client("authentication message too long") }
    guard var frame = buffer.readSlice(length: header.frameLength) else { return nil }
    frame.moveReaderIndex(forwardBy: FrameHeader.size)
    return frame
  }

  private mutating func receivePassword(_ credentials: ClientCredentials) throws -> Event? {
    guard let body = try takeResponse() else { return nil }
    let digest = Array(SHA256.hash(data: Array(try PasswordMessage.decodePassword(body).utf8)))
    var match: Int?
    for (index, candidate) in credentials.tokenDigests.enumerated() where constantTimeEqual(candidate, digest) {
      match = index
    }
    guard let match else { return failAuthentication() }
    return succeed(verifier: match)
  }

  private mutating func receiveSASLInitial(_ credentials: ClientCredentials) throws -> Event? {
    guard let body = try takeResponse() else { return nil }
    let initial = try PasswordMessage.decodeSASLInitialResponse(body)
    guard let mechanism = SCRAMMechanism(rawValue: initial.mechanism), let data = initial.data,
      mechanism == .plain || bindingEndPoint != nil
    else {
      throw ProtocolError.client("client selected an invalid SASL authentication mechanism")
    }
    var server = SCRAMServer(mechanism: mechanism, endPoint: bindingEndPoint)
    do {
      _ = try server.receiveClientFirst(data)
      let reply = server.serverFirst(salt: credentials.salt, iterations: credentials.iterations)
      AuthenticationRequest.saslContinue(reply).encode(into: &output)
    } catch { return failSCRAM(error) }
    state = .saslFinal(server, credentials)
    return advance()
  }

  private mutating func receiveSASLFinal(_ server: SCRAMServer, _ credentials: ClientCredentials) throws -> Event? {
    guard let body = try takeResponse() else { return nil }
    var server = server
    do {
      let (index, final) = try server.receiveClientFinal(
        Array(body.readableBytesView), verifiers: credentials.verifiers)
      AuthenticationRequest.saslFinal(final).encode(into: &output)
      return succeed(verifier: index)
    } catch { return failSCRAM(error) }
  }

  /// A wrong channel binding is said as PostgreSQL says it: it tells nothing of the credential, and the person should
  /// know that somebody may stand in between. Everything else is a failed authentication.
  private mutating func failSCRAM(_ error: SCRAMError) -> Event {
    switch error {
    case .channelBindingDowngrade:
      return fail(
        code: "28000", error.message,
        detail: "The client supports SCRAM channel binding but thinks the server does not. "
          + "However, this server does support channel binding.")
    case .channelBindingMismatch: return fail(code: "28000", error.message)
    case .channelBindingNotOffered, .channelBindingMissing:
      return fail(code: "08P01", "malformed SCRAM message", detail: error.message)
    case .channelBindingUnsupported: return fail(code: "08P01", error.message)
    case .proofMismatch: return failAuthentication()
    case .malformed, .tooLong, .outOfOrder, .authorizationIdentity, .mandatoryExtension, .nonceMismatch,
      .iterationsOutOfRange, .tooManyVerifiers, .signatureMismatch, .refused:
      return failAuthentication(error.message)
    }
  }

  private mutating func succeed(verifier: Int) -> Event {
    AuthenticationRequest.ok.encode(into: &output)
    state = .done
    return .authenticated(user: user, verifier: verifier)
  }

  /// Unknown, wrong, expired and revoked all say the same.
  private mutating func failAuthentication(_ reason: String = "wrong or expired credential") -> Event {
    _ = fail(code: "28P01", "password authentication failed for user \"\(user)\"")
    return .failed(user: user, reason: reason)
  }

  /// Puts a FATAL error into the output and ends the handshake.
  public mutating func fail(code: String, _ message: String, detail: String? = nil, hint: String? = nil) -> Event {
    state = .done
    ErrorFields(severity: "FATAL", code: code, message: message, detail: detail, hint: hint).encodeError(into: &output)
    return .failed(user: user, reason: message)
  }
}

/// Compares without stopping at the first difference; lengths are not secret.
func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  var difference: UInt8 = 0
  for (x, y) in zip(a, b) { difference |= x ^ y }
  return difference == 0
}

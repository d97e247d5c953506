import AccessModel
import Identity
import NIOCore

/// How the connection to a backend is encrypted, in libpq's words.
public enum BackendTLS: String, Hashable, Sendable, CaseIterable {
  case disable, prefer, require
  case verifyCA = "verify-ca"
  case verifyFull = "verify-full"
}

/// What the sign-in to a backend asks of channel binding, in libpq's words.
public enum ChannelBinding: String, Hashable, Sendable, CaseIterable {
  case disable, prefer, require
}

/// The account on the backend. Its password exists in memory only and is never printed.
public struct BackendAccount: Sendable {
  public var user: String
  public var password: String?
  /// What an earlier sign-in derived from the password, which takes milliseconds; nil at first.
  public var keys: SCRAMKeys?
  public init(user: String, password: String?, keys: SCRAMKeys? = nil) {
    self.user = user
    self.password = password
    self.keys = keys
  }
}

/// The backend's side of a connection until it is ready for the first command. Sans-IO; the driver adds TLS.
public struct BackendHandshake {
  public enum Event: Hashable, Sendable {
    /// The backend agreed to TLS: start it, then call `startedTLS`.
    case startTLS
    /// Derive these keys, off the event loop, and call `supply`.
    case needsKeys(SCRAMDerivation)
    /// The backend is ready; `takeReady` has what it said of itself.
    case ready
    case failed(Failure)
  }

  /// Why a backend could not be used. `message` is for the audit trail and the log; it may come from the backend.
  public struct Failure: Hashable, Sendable {
    public var message: String
    /// The backend's own error, for those that a user may see (too many connections, starting up); else nil.
    public var passOn: ErrorFields?
    /// The backend does not take the account: a wrong or rotated password, a certificate, a line of pg_hba.conf.
    public var isAboutAccount: Bool

    public init(message: String, passOn: ErrorFields? = nil, isAboutAccount: Bool = false) {
      self.message = message
      self.passOn = passOn
      self.isAboutAccount = isAboutAccount
    }
  }

  /// What the backend said of itself before it was ready.
  public struct Ready: Hashable, Sendable {
    /// ParameterStatus and NoticeResponse frames as they came.
    public var greeting: ByteBuffer
    public var settings: [String: String]
    public var key: BackendKeyData?
    public var status: TransactionStatus
  }

  enum State {
    case idle, tlsAnswer, startingTLS, authenticating, saslFirst(SCRAMClient), deriving(SCRAMClient)
    case saslFinal(SCRAMClient), starting, done
  }

  var state = State.idle
  private var buffer = ByteBuffer()
  var output = ByteBuffer()
  let account: BackendAccount
  /// What is said once the connection is as private as it will be: a StartupMessage or a CancelRequest.
  private let opener: StartupPacket
  private let tls: BackendTLS
  let channelBinding: ChannelBinding
  private let limits: Limits
  private(set) var isEncrypted = false
  /// The hash of the backend's certificate (RFC 5929 §4.1).
  private(set) var endPoint: [UInt8]?
  /// The backend has proved that it is at the other end of this very TLS channel.
  var isBound = false
  /// What this sign-in derived from the password, to be kept for the next one.
  public internal(set) var keys: SCRAMKeys?
  private var ready = Ready(greeting: ByteBuffer(), settings: [:], key: nil, status: .idle)

  public init(
    account: BackendAccount, parameters: [StartupMessage.Parameter], tls: BackendTLS,
    channelBinding: ChannelBinding = .prefer, limits: Limits = .standard
  ) {
    self.account = account
    opener = .startup(StartupMessage(parameters: parameters))
    self.tls = tls
    self.channelBinding = channelBinding
    self.limits = limits
  }

  /// A connection that only asks for a statement to be cancelled. It has no event but `.startTLS` and `.failed`.
  public init(cancelling key: BackendKeyData, tls: BackendTLS, limits: Limits = .standard) {
    account = BackendAccount(user: "", password: nil)
    opener = .cancelRequest(process: key.process, secret: key.secret)
    self.tls = tls
    channelBinding = .disable
    self.limits = limits
  }

  /// The parameters that a client's start-up becomes on the way to the backend.
  public static func parameters(
    for startup: StartupMessage, user: String, database: String, person: String
  ) throws(ProtocolError) -> [StartupMessage.Parameter] {
    try StartupPolicy.backendParameters(for: startup, user: user, database: database, person: person)
  }

  public mutating func takeOutput() -> ByteBuffer? {
    guard output.readableBytes > 0 else { return nil }
    defer { output = ByteBuffer() }
    return output
  }

  public mutating func takeReady() -> Ready { ready }

  /// Bytes that came behind the first ReadyForQuery; none from a backend that keeps to the protocol.
  public mutating func takeRemainder() -> ByteBuffer {
    defer { buffer = ByteBuffer() }
    return buffer
  }

  /// The connection is up: says the first words.
  public mutating func start() {
    switch tls {
    case .disable: sendOpener()
    case .prefer, .require, .verifyCA, .verifyFull:
      StartupPacket.sslRequest.encode(into: &output)
      state = .tlsAnswer
    }
  }

  public mutating func startedTLS() {
    isEncrypted = true
    sendOpener()
  }

  /// TLS is up: the hash of the backend's certificate, for channel binding; nil where its kind has none.
  public mutating func established(endPoint: [UInt8]?) { self.endPoint = endPoint }

  private mutating func sendOpener() {
    opener.encode(into: &output)
    state = if case .startup = opener { .authenticating } else { .done }
  }

  public mutating func receive(_ bytes: ByteBuffer) -> Event? {
    var bytes = bytes
    buffer.writeBuffer(&bytes)
    return proceed { handshake in try handshake.advance() }
  }

  /// Answers `.needsKeys`.
  public mutating func supply(_ keys: SCRAMKeys) -> Event? {
    guard case .deriving(let client) = state else { return nil }
    return proceed { handshake in
      try handshake.answer(client, with: keys)
      return try handshake.advance()
    }
  }

  private mutating func proceed(_ step: (inout BackendHandshake) throws -> Event?) -> Event? {
    do {
      return try step(&self)
    } catch let error as ProtocolError {
      return fail(error.message)
    } catch let error as SCRAMError {
      return fail("the backend's SCRAM exchange is invalid: \(error.message)")
    } catch {
      return fail("the backend's sign-in failed")
    }
  }

  private mutating func fail(_ message: String) -> Event {
    state = .done
    return .failed(Failure(message: message))
  }

  private mutating func advance() throws -> Event? {
    while true {
      switch state {
      case .idle, .done: return nil
      case .startingTLS: throw ProtocolError.backend("the backend sent unencrypted data after its answer to SSLRequest")
      case .deriving:
        // The backend has nothing to say until it has our answer.
        guard buffer.readableBytes <= limits.authenticationMessage else {
          throw ProtocolError.backend("the backend's authentication messages are out of order")
        }
        return nil
      case .tlsAnswer:
        guard let answer = buffer.readInteger(as: UInt8.self) else { return nil }
        if let event = try receiveTLSAnswer(answer) { return event }
      case .authenticating, .saslFirst, .saslFinal, .starting:
        guard let (tag, body) = try takeMessage() else { return nil }
        if let event = try receive(tag: tag, body: body) { return event }
      }
    }
  }

  private mutating func receiveTLSAnswer(_ answer: UInt8) throws -> Event? {
    switch answer {
    case UInt8(ascii: "S"):
      guard buffer.readableBytes == 0 else {
        throw ProtocolError.backend("the backend sent unencrypted data after its answer to SSLRequest")
      }
      state = .startingTLS
      return .startTLS
    case UInt8(ascii: "N"):
      guard tls == .prefer else { return fail("the backend does not offer TLS, which this connection requires") }
      sendOpener()
      return nil
    case _:
      return fail("the backend gave no valid answer to SSLRequest")
    }
  }

  private mutating func takeMessage() throws(ProtocolError) -> (tag: UInt8, body: ByteBuffer)? {
    guard let header = try FrameHeader.peek(buffer, offset: 0, from: .backend) else { return nil }
    let bound = header.tag == BackendTag.authentication ? limits.authenticationMessage : limits.shortMessage
    guard header.bodyLength <= bound else { throw .backend("the backend sent a message too long for start-up") }
    guard var frame = buffer.readSlice(length: header.frameLength) else { return nil }
    if header.tag == BackendTag.parameterStatus || header.tag == BackendTag.noticeResponse {
      guard ready.greeting.readableBytes + header.frameLength <= limits.shortMessage else {
        throw .backend("the backend's greeting is too long")
      }
      var copy = frame
      ready.greeting.writeBuffer(&copy)
    }
    frame.moveReaderIndex(forwardBy: FrameHeader.size)
    return (header.tag, frame)
  }

  private mutating func receive(tag: UInt8, body: ByteBuffer) throws -> Event? {
    switch tag {
    case BackendTag.authentication: return try receive(AuthenticationRequest.decode(body))
    case BackendTag.errorResponse: return receive(try ErrorFields.decode(body, from: .backend))
    case BackendTag.noticeResponse: return nil
    case BackendTag.parameterStatus:
      let status = try ParameterStatus.decode(body)
      ready.settings[status.name] = status.value
      return nil
    case BackendTag.backendKeyData:
      ready.key = try BackendKeyData.decode(body)
      return nil
    case BackendTag.readyForQuery:
      guard case .starting = state else { throw ProtocolError.backend("the backend is ready before it authenticated") }
      ready.status = try TransactionStatus.decode(body)
      state = .done
      return .ready
    case _:
      throw ProtocolError.backend("the backend sent message type \(tag) during start-up")
    }
  }

  /// An error during start-up. One about the account stays inside: its words name what the user must not see.
  private mutating func receive(_ error: ErrorFields) -> Event {
    let code = error[ErrorFields.sqlState] ?? ""
    let isAboutAccount = code.hasPrefix("28")
    state = .done
    return .failed(
      Failure(
        message: "the backend refused the connection: \(code) \(error[ErrorFields.message] ?? "")",
        passOn: isAboutAccount || code.isEmpty ? nil : error, isAboutAccount: isAboutAccount))
  }
}

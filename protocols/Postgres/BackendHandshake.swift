import AccessModel
import Crypto
import Identity
import NIOCore

/// How the connection to a backend is encrypted, in libpq's words.
public enum BackendTLS: String, Hashable, Sendable, CaseIterable {
  case disable, prefer, require
  case verifyCA = "verify-ca"
  case verifyFull = "verify-full"
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
    /// The backend is ready; `takeReady` has what it said of itself.
    case ready
    case failed(Failure)
  }

  /// Why a backend could not be used. `message` is for the audit trail and the log; it may come from the backend.
  public struct Failure: Hashable, Sendable {
    public var message: String
    /// The backend's own error, for those that a user may see (too many connections, starting up); else nil.
    public var passOn: ErrorFields?

    public init(message: String, passOn: ErrorFields?) {
      self.message = message
      self.passOn = passOn
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

  private enum State {
    case idle, tlsAnswer, startingTLS, authenticating, saslFirst(SCRAMClient), saslFinal(SCRAMClient), starting, done
  }

  private var state = State.idle
  private var buffer = ByteBuffer()
  private var output = ByteBuffer()
  private let account: BackendAccount
  private let parameters: [StartupMessage.Parameter]
  private let tls: BackendTLS
  private let limits: Limits
  private var isEncrypted = false
  /// What this sign-in derived from the password, to be kept for the next one.
  public private(set) var keys: SCRAMKeys?
  private var ready = Ready(greeting: ByteBuffer(), settings: [:], key: nil, status: .idle)

  public init(
    account: BackendAccount, parameters: [StartupMessage.Parameter], tls: BackendTLS, limits: Limits = .standard
  ) {
    self.account = account
    self.parameters = parameters
    self.tls = tls
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
    case .disable: sendStartup()
    case .prefer, .require, .verifyCA, .verifyFull:
      StartupPacket.sslRequest.encode(into: &output)
      state = .tlsAnswer
    }
  }

  public mutating func startedTLS() {
    isEncrypted = true
    sendStartup()
  }

  private mutating func sendStartup() {
    StartupPacket.startup(StartupMessage(parameters: parameters)).encode(into: &output)
    state = .authenticating
  }

  public mutating func receive(_ bytes: ByteBuffer) -> Event? {
    var bytes = bytes
    buffer.writeBuffer(&bytes)
    do {
      return try advance()
    } catch let error as ProtocolError {
      return fail(error.message)
    } catch {
      return fail("the backend's SCRAM exchange is invalid")
    }
  }

  private mutating func fail(_ message: String, passOn: ErrorFields? = nil) -> Event {
    state = .done
    return .failed(Failure(message: message, passOn: passOn))
  }

  private mutating func advance() throws -> Event? {
    while true {
      switch state {
      case .idle, .done: return nil
      case .startingTLS: throw ProtocolError.backend("the backend sent unencrypted data after its answer to SSLRequest")
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
      sendStartup()
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
    let isAboutAccount = code.hasPrefix("28") || code.isEmpty
    return fail(
      "the backend refused the connection: \(code) \(error[ErrorFields.message] ?? "")",
      passOn: isAboutAccount ? nil : error)
  }

  private mutating func receive(_ request: AuthenticationRequest) throws -> Event? {
    switch (request, state) {
    case (.ok, .authenticating), (.ok, .starting):
      state = .starting
    case (.cleartextPassword, .authenticating):
      PasswordMessage.password(try password()).encode(into: &output)
    case (.md5Password(let salt), .authenticating):
      PasswordMessage.password(md5Response(user: account.user, password: try password(), salt: salt))
        .encode(into: &output)
    case (.sasl(let mechanisms), .authenticating):
      guard mechanisms.contains("SCRAM-SHA-256") else {
        throw ProtocolError.backend("the backend offers no SASL mechanism that the gateway speaks")
      }
      var client = SCRAMClient(password: try password(), keys: account.keys)
      PasswordMessage.saslInitialResponse(mechanism: "SCRAM-SHA-256", data: client.clientFirst())
        .encode(into: &output)
      state = .saslFirst(client)
    case (.saslContinue(let data), .saslFirst(var client)):
      PasswordMessage.saslResponse(try client.receiveServerFirst(data)).encode(into: &output)
      keys = client.keys
      state = .saslFinal(client)
    case (.saslFinal(let data), .saslFinal(var client)):
      try client.receiveServerFinal(data)
      state = .starting
    case (.unsupported(let code, _), _):
      throw ProtocolError.backend(
        "the backend asks for authentication method \(code), which the gateway does not speak")
    case (_, _):
      throw ProtocolError.backend("the backend's authentication messages are out of order")
    }
    return nil
  }

  private func password() throws(ProtocolError) -> String {
    guard let password = account.password else {
      throw .backend("the backend asks for a password and the connection's credential has none")
    }
    return password
  }
}

/// `md5` and md5(md5(password ‖ user) ‖ salt), each in lower-case hex (PostgreSQL, AuthenticationMD5Password).
func md5Response(user: String, password: String, salt: [UInt8]) -> String {
  let inner = hex(Insecure.MD5.hash(data: Array((password + user).utf8)))
  return "md5" + hex(Insecure.MD5.hash(data: Array(inner.utf8) + salt))
}

private func hex(_ digest: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

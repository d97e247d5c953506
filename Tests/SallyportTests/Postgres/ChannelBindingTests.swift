import AccessModel
import Crypto
import Identity
import NIOCore
import Testing

@testable import Postgres

/// SCRAM-SHA-256-PLUS on both legs: who offers it, who takes it, and who finds out that somebody stands in between.
@Suite("Channel binding") struct ChannelBindingTests {
  private static let salt: [UInt8] = Array(1...16)
  private static let endPoint = Array(SHA256.hash(data: Array("our certificate".utf8)))
  private static let other = Array(SHA256.hash(data: Array("somebody else's".utf8)))
  private static let verifier = SCRAMVerifier(password: "spt_right", salt: salt, iterations: 4096)

  // MARK: The client's leg

  /// A handshake that has asked for SASL, and the mechanisms that it offers.
  private func asked(
    encrypted: Bool = true, endPoint: [UInt8]? = Self.endPoint
  ) throws -> (handshake: ClientHandshake, mechanisms: [String]) {
    var handshake = ClientHandshake(offersTLS: true, isLoopback: true, endPoint: endPoint)
    var packets = ByteBuffer()
    if encrypted {
      StartupPacket.sslRequest.encode(into: &packets)
      _ = handshake.receive(packets)
      handshake.startedTLS()
      packets = ByteBuffer()
    }
    StartupPacket.startup(StartupMessage(parameters: [.init("user", "ana")])).encode(into: &packets)
    #expect(handshake.receive(packets) == .needsCredentials(user: "ana"))
    _ = handshake.takeOutput()
    #expect(
      handshake.supply(
        ClientCredentials(
          method: .scram, salt: Self.salt, iterations: 4096, verifiers: [Self.verifier], tokenDigests: [[]])) == nil)
    guard case .sasl(let mechanisms) = try request(&handshake) else { throw TranscriptMistake("no SASL") }
    return (handshake, mechanisms)
  }

  private func request(_ handshake: inout ClientHandshake) throws -> AuthenticationRequest {
    let output = handshake.takeOutput()
    let frame = try #require(output.flatMap { WireFrame(prefixOf: Array($0.readableBytesView)) })
    #expect(frame.tag == UInt8(ascii: "R"))
    return try AuthenticationRequest.decode(ByteBuffer(bytes: frame.body))
  }

  private func refusal(_ handshake: inout ClientHandshake) throws -> String {
    let output = handshake.takeOutput()
    let frame = try #require(output.flatMap { WireFrame(prefixOf: Array($0.readableBytesView)) })
    let fields = try ErrorFields.decode(ByteBuffer(bytes: frame.body), from: .gateway)
    return "\(fields[ErrorFields.sqlState] ?? "") \(fields[ErrorFields.message] ?? "")"
  }

  private func message(_ message: PasswordMessage) -> ByteBuffer {
    var buffer = ByteBuffer()
    message.encode(into: &buffer)
    return buffer
  }

  /// Runs the exchange with a client that believes in this binding; `mechanism` is what it claims to have chosen.
  private func exchange(
    _ handshake: inout ClientHandshake, _ binding: SCRAMBinding, mechanism: String? = nil
  ) throws -> ClientHandshake.Event? {
    var client = SCRAMClient(password: "spt_right", binding: binding)
    let first = handshake.receive(
      message(
        .saslInitialResponse(mechanism: mechanism ?? binding.mechanism.rawValue, data: client.clientFirst())))
    guard first == nil else { return first }
    guard case .saslContinue(let data) = try request(&handshake) else { throw TranscriptMistake("no challenge") }
    return handshake.receive(message(.saslResponse(try client.receiveServerFirst(data))))
  }

  @Test func offeredOverTLSOnlyAndWithACertificateThatHasAHash() throws {
    #expect(try asked().mechanisms == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
    #expect(try asked(encrypted: false).mechanisms == ["SCRAM-SHA-256"])
    #expect(try asked(endPoint: nil).mechanisms == ["SCRAM-SHA-256"])
  }

  @Test func rightBindingsPass() throws {
    for (binding, encrypted) in [
      (SCRAMBinding.endPoint(Self.endPoint), true), (.unsupported, true), (.unsupported, false), (.notOffered, false),
    ] {
      var handshake = try asked(encrypted: encrypted).handshake
      #expect(try exchange(&handshake, binding) == .authenticated(user: "ana", verifier: 0), "\(binding)")
    }
    // Where there is nothing to bind to, "not offered" is the truth.
    var handshake = try asked(endPoint: nil).handshake
    #expect(try exchange(&handshake, .notOffered) == .authenticated(user: "ana", verifier: 0))
  }

  @Test(
    arguments: [
      // Somebody with another certificate passes the exchange on.
      (SCRAMBinding.endPoint(other), nil, "28000 SCRAM channel binding check failed"),
      (.endPoint([]), nil, "28000 SCRAM channel binding check failed"),
      // Somebody took PLUS off the list.
      (.notOffered, nil, "28000 SCRAM channel binding negotiation error"),
      // One mechanism in name and another in the message.
      (.unsupported, "SCRAM-SHA-256-PLUS", "08P01 malformed SCRAM message"),
      (.notOffered, "SCRAM-SHA-256-PLUS", "08P01 malformed SCRAM message"),
      (.endPoint(endPoint), "SCRAM-SHA-256", "08P01 malformed SCRAM message"),
      (.unsupported, "SCRAM-SHA-1", "08P01 client selected an invalid SASL authentication mechanism"),
    ] as [(SCRAMBinding, String?, String)])
  func wrongBindingsAreRefusedAsPostgreSQLDoes(_ binding: SCRAMBinding, _ mechanism: String?, _ words: String) throws {
    var handshake = try asked().handshake
    let event = try exchange(&handshake, binding, mechanism: mechanism)
    guard case .failed = event else { throw TranscriptMistake("it passed") }
    #expect(try refusal(&handshake) == words)
  }

  @Test func plusWithoutTLSIsRefused() throws {
    var handshake = try asked(encrypted: false).handshake
    guard case .failed = try exchange(&handshake, .endPoint(Self.endPoint)) else {
      throw TranscriptMistake("it passed")
    }
    #expect(try refusal(&handshake) == "08P01 client selected an invalid SASL authentication mechanism")
  }

  @Test(arguments: [
    ("p=tls-unique,,n=,r=abc", "08P01 unsupported SCRAM channel-binding type"),
    ("p=tls-server-end-poin,,n=,r=abc", "08P01 unsupported SCRAM channel-binding type"),
    ("p=,,n=,r=abc", "28P01 password authentication failed for user \"ana\""),
    ("p,,n=,r=abc", "28P01 password authentication failed for user \"ana\""),
    ("p=tls-server-end-point", "28P01 password authentication failed for user \"ana\""),
    ("p=tls-server-end-point,a=bo,n=,r=abc", "28P01 password authentication failed for user \"ana\""),
  ])
  func headers(_ first: String, _ words: String) throws {
    var handshake = try asked().handshake
    let event = handshake.receive(
      message(.saslInitialResponse(mechanism: "SCRAM-SHA-256-PLUS", data: Array(first.utf8))))
    guard case .failed = event else { throw TranscriptMistake("it passed") }
    #expect(try refusal(&handshake) == words)
  }

  // MARK: The backend's leg

  private func backend(
    _ binding: ChannelBinding, encrypted: Bool = true, endPoint: [UInt8]? = Self.endPoint
  ) -> BackendHandshake {
    var handshake = BackendHandshake(
      account: BackendAccount(user: "app", password: "spt_right"), parameters: [.init("user", "app")],
      tls: encrypted ? .require : .disable, channelBinding: binding)
    handshake.start()
    if encrypted {
      _ = handshake.receive(ByteBuffer(string: "S"))
      handshake.startedTLS()
      handshake.established(endPoint: endPoint)
    }
    _ = handshake.takeOutput()
    return handshake
  }

  private func bytes(_ request: AuthenticationRequest) -> ByteBuffer {
    var buffer = ByteBuffer()
    request.encode(into: &buffer)
    return buffer
  }

  private func failure(_ event: BackendHandshake.Event?) -> String? {
    if case .failed(let failure) = event { failure.message } else { nil }
  }

  /// What the gateway opens its exchange with: mechanism and flag.
  private func choice(_ handshake: inout BackendHandshake, _ mechanisms: [String]) throws -> String {
    if let failure = failure(handshake.receive(bytes(.sasl(mechanisms: mechanisms)))) { return failure }
    let output = handshake.takeOutput()
    let frame = try #require(output.flatMap { WireFrame(prefixOf: Array($0.readableBytesView)) })
    let initial = try PasswordMessage.decodeSASLInitialResponse(ByteBuffer(bytes: frame.body))
    let flag = (initial.data ?? []).prefix { $0 != UInt8(ascii: ",") }
    return "\(initial.mechanism) \(String(decoding: flag, as: UTF8.self))"
  }

  /// libpq's rules for channel_binding (fe-auth.c).
  @Test func mechanismsAreChosenAsLibpqDoes() throws {
    let both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]
    let plus = "SCRAM-SHA-256-PLUS p=tls-server-end-point"
    for (setting, encrypted, offered, expected) in [
      (ChannelBinding.prefer, true, both, plus), (.require, true, both, plus),
      (.disable, true, both, "SCRAM-SHA-256 n"), (.prefer, true, ["SCRAM-SHA-256"], "SCRAM-SHA-256 y"),
      (.prefer, false, ["SCRAM-SHA-256"], "SCRAM-SHA-256 n"),
      (.disable, true, ["SCRAM-SHA-256"], "SCRAM-SHA-256 n"),
      (.require, true, ["SCRAM-SHA-256"], "channel binding is required, but the backend does not offer it"),
      (.require, false, ["SCRAM-SHA-256"], "channel binding is required, but the connection has no TLS"),
      // Only a backend with TLS offers it: somebody took the TLS away.
      (.prefer, false, both, "the backend offers SCRAM-SHA-256-PLUS on a connection without TLS"),
      (.disable, false, both, "the backend offers SCRAM-SHA-256-PLUS on a connection without TLS"),
    ] {
      var handshake = backend(setting, encrypted: encrypted)
      #expect(try choice(&handshake, offered) == expected, "\(setting), TLS: \(encrypted)")
    }
    var unhashed = backend(.prefer, endPoint: nil)
    #expect(try choice(&unhashed, both) == "SCRAM-SHA-256 n")
  }

  @Test func requiredBindingAcceptsNoOtherMethod() {
    for request in [AuthenticationRequest.ok, .cleartextPassword, .md5Password(salt: [1, 2, 3, 4])] {
      var handshake = backend(.require)
      #expect(failure(handshake.receive(bytes(request)))?.contains("channel binding is required") == true, "\(request)")
      #expect(handshake.takeOutput() == nil, "the password was shown")
    }
  }

  @Test func bothLegsAgainstEachOther() throws {
    for (theirs, passes) in [(Self.endPoint, true), (Self.other, false)] {
      var handshake = backend(.require)
      _ = handshake.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256-PLUS"])))
      func body() throws -> ByteBuffer {
        let output = handshake.takeOutput()
        return ByteBuffer(bytes: try #require(output.flatMap { WireFrame(prefixOf: Array($0.readableBytesView)) }).body)
      }
      var server = SCRAMServer(mechanism: .plus, endPoint: theirs)
      _ = try server.receiveClientFirst(try #require(try PasswordMessage.decodeSASLInitialResponse(body()).data))
      let challenge = handshake.receive(bytes(.saslContinue(server.serverFirst(salt: Self.salt, iterations: 4096))))
      guard case .needsKeys(let derivation) = challenge else { throw TranscriptMistake("no keys are asked for") }
      #expect(!"\(derivation) \(String(reflecting: challenge))".contains("spt_right"))
      // Bytes in the meantime wait, and are bounded.
      #expect(handshake.receive(ByteBuffer()) == nil)
      _ = handshake.supply(derivation.derive())
      let final = Array(try body().readableBytesView)
      guard passes else {
        #expect(throws: SCRAMError.channelBindingMismatch) {
          try server.receiveClientFinal(final, verifiers: [Self.verifier])
        }
        continue
      }
      let (_, signature) = try server.receiveClientFinal(final, verifiers: [Self.verifier])
      #expect(handshake.receive(bytes(.saslFinal(signature))) == nil)
      #expect(failure(handshake.receive(bytes(.ok))) == nil)
    }
  }

  @Test func aBackendThatTalksWhileKeysAreDerivedIsBounded() throws {
    var handshake = backend(.prefer)
    _ = handshake.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256"])))
    let output = handshake.takeOutput()
    let frame = try #require(output.flatMap { WireFrame(prefixOf: Array($0.readableBytesView)) })
    var server = SCRAMServer()
    let initial = try PasswordMessage.decodeSASLInitialResponse(ByteBuffer(bytes: frame.body))
    _ = try server.receiveClientFirst(try #require(initial.data))
    let challenge = handshake.receive(bytes(.saslContinue(server.serverFirst(salt: Self.salt, iterations: 4096))))
    guard case .needsKeys = challenge else { throw TranscriptMistake("no keys are asked for") }
    #expect(failure(handshake.receive(ByteBuffer(repeating: 0, count: 1 << 20)))?.contains("out of order") == true)
  }
}

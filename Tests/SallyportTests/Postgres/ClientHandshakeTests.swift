import AccessModel
import Crypto
import Identity
import NIOCore
import Testing

@testable import Postgres

@Suite("The client's handshake") struct ClientHandshakeTests {
  private func startup(_ parameters: [(String, String)] = [("user", "ana")], minor: Int = 0) -> ByteBuffer {
    var buffer = ByteBuffer()
    StartupPacket.startup(
      StartupMessage(minor: minor, parameters: parameters.map { .init($0.0, $0.1) })
    ).encode(into: &buffer)
    return buffer
  }

  private func packet(_ packet: StartupPacket) -> ByteBuffer {
    var buffer = ByteBuffer()
    packet.encode(into: &buffer)
    return buffer
  }

  private func handshake(tls: Bool = false, loopback: Bool = true) -> ClientHandshake {
    ClientHandshake(offersTLS: tls, isLoopback: loopback)
  }

  /// The code and message of the error in the output.
  private func error(_ handshake: inout ClientHandshake) throws -> String {
    let saidOutput = handshake.takeOutput()
    let output = try #require(saidOutput)
    let bytes = Array(output.readableBytesView)

    var frames: [WireFrame] = []
    var rest = bytes[...]
    while let frame = WireFrame(prefixOf: rest) {
      frames.append(frame)
      rest = rest.dropFirst(frame.bytes.count)
    }
    let last = try #require(frames.last)
    let fields = try ErrorFields.decode(ByteBuffer(bytes: last.body), from: .gateway)
    return "\(fields[ErrorFields.sqlState] ?? "") \(fields[ErrorFields.message] ?? "")"
  }

  private func credentials(
    _ method: ClientCredentials.Method, passwords: [String] = ["spt_right"]
  ) -> ClientCredentials {
    let salt: [UInt8] = Array(1...16)
    return ClientCredentials(
      method: method, salt: salt, iterations: 4_096,
      verifiers: passwords.map { SCRAMVerifier(password: $0, salt: salt, iterations: 4_096) },
      tokenDigests: passwords.map { Array(SHA256.hash(data: Array($0.utf8))) })
  }

  private func isFailure(_ event: ClientHandshake.Event?) -> Bool {
    if case .failed = event { true } else { false }
  }

  // MARK: Start-up packets

  @Test func malformedStartups() throws {
    let hostile: [(String, [UInt8])] = [
      ("the version alone", [0, 0, 0, 8, 0, 3, 0, 0]),
      ("a name without a value", [0, 0, 0, 13, 0, 3, 0, 0, 0x75, 0x73, 0x65, 0x72, 0]),
      ("no terminator", [0, 0, 0, 12, 0, 3, 0, 0, 0x61, 0, 0x62, 0]),
      ("bytes behind the terminator", [0, 0, 0, 14, 0, 3, 0, 0, 0x61, 0, 0x62, 0, 0, 1]),
      ("length 0", [0, 0, 0, 0]), ("length 7", [0, 0, 0, 7]), ("length -1", [0xff, 0xff, 0xff, 0xff]),
      ("length 2^31-1", [0x7f, 0xff, 0xff, 0xff]), ("length 10001", [0, 0, 0x27, 0x11]),
      ("SSLRequest of 9 bytes", [0, 0, 0, 9, 4, 0xd2, 0x16, 0x2f, 0]),
      ("CancelRequest of 8 bytes", [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2e]),
      ("CancelRequest without a secret", [0, 0, 0, 12, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1]),
      ("CancelRequest with 3 bytes", [0, 0, 0, 15, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 1, 2, 3]),
      (
        "CancelRequest with 257 bytes",
        [0, 0, 1, 13, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1] + [UInt8](repeating: 1, count: 257)
      ),
      ("no user", Array(startup([]).readableBytesView)),
      ("an empty user", Array(startup([("user", "")]).readableBytesView)),
      ("protocol 2", [0, 0, 0, 8, 0, 2, 0, 0]), ("an HTTP request", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
    ]
    for (name, bytes) in hostile {
      var handshake = handshake()
      #expect(isFailure(handshake.receive(ByteBuffer(bytes: bytes))), "\(name)")
      #expect(try error(&handshake).hasPrefix("08P01") || name.contains("user") || name.contains("protocol"), "\(name)")
    }
  }

  @Test func everyTruncationWaits() {
    let whole = Array(startup().readableBytesView)
    for length in 0..<whole.count {
      var handshake = handshake()
      #expect(handshake.receive(ByteBuffer(bytes: whole[..<length])) == nil)
      #expect(handshake.receive(ByteBuffer(bytes: whole[length...])) == .needsCredentials(user: "ana"))
    }
  }

  @Test func oneByteChangesNeverTrap() {
    let whole = Array(startup([("user", "ana"), ("options", "-c search_path=a")]).readableBytesView)
    for index in whole.indices {
      for value in [UInt8(0), 1, 0x7f, 0x80, 0xff] {
        var bytes = whole
        bytes[index] = value
        var handshake = handshake()
        switch handshake.receive(ByteBuffer(bytes: bytes)) {
        case nil, .needsCredentials, .failed: break
        case let other: Issue.record("byte \(index) = \(value): \(String(describing: other))")
        }
      }
    }
  }

  /// CVE-2021-3935: bytes in clear behind SSLRequest must not be read as if TLS had protected them.
  @Test func bytesBehindSSLRequest() throws {
    var together = packet(.sslRequest)
    together.writeImmutableBuffer(startup())
    var handshake = handshake(tls: true)
    #expect(isFailure(handshake.receive(together)))
    var second = self.handshake(tls: true)
    #expect(second.receive(packet(.sslRequest)) == .startTLS)
    #expect(isFailure(second.receive(startup())))
  }

  @Test func encryptionRequestsAreAnsweredAndCounted() throws {
    var handshake = handshake()
    #expect(handshake.receive(packet(.gssEncryptionRequest)) == nil)
    #expect(handshake.receive(packet(.sslRequest)) == nil)
    let answers = handshake.takeOutput()
    #expect(answers.map { String(buffer: $0) } == "NN")
    #expect(isFailure(handshake.receive(packet(.sslRequest))))
    var flood = ByteBuffer()
    for _ in 0..<1_000 { StartupPacket.gssEncryptionRequest.encode(into: &flood) }
    var flooded = self.handshake()
    #expect(isFailure(flooded.receive(flood)))
    #expect((flooded.takeOutput()?.readableBytes ?? 0) < 200)
  }

  @Test func tlsThenStartup() {
    var handshake = handshake(tls: true, loopback: false)
    #expect(handshake.receive(packet(.sslRequest)) == .startTLS)
    let answer = handshake.takeOutput()
    #expect(answer.map { String(buffer: $0) } == "S")
    handshake.startedTLS()
    #expect(handshake.receive(startup()) == .needsCredentials(user: "ana"))
    #expect(handshake.isEncrypted)
  }

  @Test func cancelRequest() {
    // Four bytes in protocol 3.0, up to 256 since 3.2.
    for length in [4, 5, 32, 256] {
      let secret = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 200) }
      var handshake = self.handshake()
      #expect(
        handshake.receive(packet(.cancelRequest(process: 7, secret: secret))) == .cancel(process: 7, secret: secret))
      #expect(handshake.takeOutput() == nil)
      // Behind the request nothing is listened to.
      #expect(handshake.receive(startup()) == nil)
    }
  }

  // MARK: Versions

  /// What the server of PostgreSQL 18 answers to each (backend_startup.c): it names the version in full.
  @Test(
    arguments: [
      (0, [], nil), (1, [], nil), (2, [], nil), (3, [], [0, 3, 0, 2, 0, 0, 0, 0]),
      (9999, [], [0, 3, 0, 2, 0, 0, 0, 0]),
      (0, ["_pq_.x"], [0, 3, 0, 0, 0, 0, 0, 1] + Array("_pq_.x\0".utf8)),
      (2, ["_pq_.x"], [0, 3, 0, 2, 0, 0, 0, 1] + Array("_pq_.x\0".utf8)),
    ] as [(Int, [String], [UInt8]?)])
  func versions(_ minor: Int, _ options: [String], _ answer: [UInt8]?) throws {
    var handshake = handshake()
    let event = handshake.receive(startup([("user", "ana")] + options.map { ($0, "1") }, minor: minor))
    #expect(event == .needsCredentials(user: "ana"))
    #expect(handshake.minor == min(minor, 2))
    let output = handshake.takeOutput().map { Array($0.readableBytesView) } ?? []
    let frame = WireFrame(prefixOf: output)
    #expect(frame?.body == answer)
    guard let frame else { return }
    #expect(frame.tag == UInt8(ascii: "v") && frame.bytes == output)
    let negotiation = try NegotiateProtocolVersion.decode(ByteBuffer(bytes: frame.body))
    #expect(negotiation == NegotiateProtocolVersion(minor: handshake.minor, unrecognizedOptions: options))
  }

  // MARK: Direct TLS

  private static let clientHello: [UInt8] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]

  @Test func directTLS() {
    var handshake = handshake(tls: true, loopback: false)
    let hello = ByteBuffer(bytes: Self.clientHello)
    #expect(handshake.receive(hello) == .startDirectTLS(hello))
    #expect(handshake.takeOutput() == nil)
    handshake.startedTLS()
    #expect(handshake.negotiated("postgresql") == nil)
    #expect(handshake.isEncrypted)
    // TLS inside TLS is neither offered nor understood.
    #expect(handshake.receive(packet(.sslRequest)) == nil)
    #expect(handshake.takeOutput().map { String(buffer: $0) } == "N")
    #expect(handshake.receive(startup()) == .needsCredentials(user: "ana"))
  }

  /// Without the name of our protocol the client may have meant somebody else (ALPACA); it gets no answer.
  @Test(arguments: [nil, "", "h2", "http/1.1", "postgres", "POSTGRESQL"])
  func directTLSWithoutTheProtocolsName(_ name: String?) {
    var handshake = handshake(tls: true)
    _ = handshake.receive(ByteBuffer(bytes: Self.clientHello))
    handshake.startedTLS()
    // What TLS brings before its own end is known is not looked at.
    #expect(handshake.receive(startup()) == nil)
    #expect(isFailure(handshake.negotiated(name)))
    #expect(handshake.takeOutput() == nil)
    #expect(handshake.receive(startup()) == nil)
  }

  @Test func directTLSOnlyAtTheBeginningAndWhereOffered() {
    var handshake = handshake(tls: false)
    #expect(isFailure(handshake.receive(ByteBuffer(bytes: Self.clientHello))))
    #expect(handshake.takeOutput() == nil)
    var later = self.handshake(tls: true)
    #expect(later.receive(packet(.gssEncryptionRequest)) == nil)
    #expect(isFailure(later.receive(ByteBuffer(bytes: Self.clientHello))))
    var inside = self.handshake(tls: true)
    _ = inside.receive(packet(.sslRequest))
    inside.startedTLS()
    #expect(isFailure(inside.receive(ByteBuffer(bytes: Self.clientHello))))
    // After SSLRequest the name is offered, and not asked for.
    var asked = self.handshake(tls: true)
    _ = asked.receive(packet(.sslRequest))
    asked.startedTLS()
    #expect(asked.negotiated(nil) == nil)
    #expect(asked.receive(startup()) == .needsCredentials(user: "ana"))
  }

  @Test func theDatabaseDefaultsToTheUser() {
    var handshake = handshake()
    _ = handshake.receive(startup([("user", "ana"), ("database", "")]))
    #expect(handshake.database == "ana")
  }

  // MARK: Proofs

  @Test func tokenOverLoopbackAndTLSOnly() throws {
    var password = ByteBuffer()
    PasswordMessage.password("spt_right").encode(into: &password)
    for (loopback, works) in [(true, true), (false, false)] {
      var handshake = handshake(loopback: loopback)
      _ = handshake.receive(startup())
      let event = handshake.supply(credentials(.token))
      #expect(isFailure(event) == !works)
      guard works else {
        #expect(try error(&handshake).hasPrefix("28000"))
        continue
      }
      #expect(handshake.receive(password) == .authenticated(user: "ana", verifier: 0))
    }
  }

  @Test func theTokenThatFittedIsNamed() throws {
    var password = ByteBuffer()
    PasswordMessage.password("spt_right").encode(into: &password)
    var handshake = handshake()
    _ = handshake.receive(startup())
    _ = handshake.supply(credentials(.token, passwords: ["spt_a", "spt_right", "spt_b"]))
    #expect(handshake.receive(password) == .authenticated(user: "ana", verifier: 1))
  }

  /// Unknown, wrong, expired and revoked all say the same.
  @Test(arguments: [ClientCredentials.Method.token, .scram]) func refusalsSayTheSame(
    _ method: ClientCredentials.Method
  ) throws {
    var words: Set<String> = []
    for passwords in [[], ["spt_other"]] {
      var handshake = handshake()
      _ = handshake.receive(startup())
      _ = handshake.supply(credentials(method, passwords: passwords))
      var client = SCRAMClient(password: "spt_right")
      var message = ByteBuffer()
      switch method {
      case .token: PasswordMessage.password("spt_right").encode(into: &message)
      case .scram:
        PasswordMessage.saslInitialResponse(mechanism: "SCRAM-SHA-256", data: client.clientFirst())
          .encode(into: &message)
        #expect(handshake.receive(message) == nil)
        message = ByteBuffer()
        PasswordMessage.saslResponse(try client.receiveServerFirst(serverData(&handshake))).encode(into: &message)
      }
      #expect(isFailure(handshake.receive(message)))
      words.insert(try error(&handshake))
    }
    #expect(words == ["28P01 password authentication failed for user \"ana\""])
  }

  /// The data of the last Authentication message in the output.
  private func serverData(_ handshake: inout ClientHandshake) throws -> [UInt8] {
    let saidOutput = handshake.takeOutput()
    let output = try #require(saidOutput)
    var rest = Array(output.readableBytesView)[...]
    var last: WireFrame?
    while let frame = WireFrame(prefixOf: rest) {
      rest = rest.dropFirst(frame.bytes.count)
      last = frame
    }
    return Array(try #require(last).body.dropFirst(4))
  }

  @Test func anotherMessageInPlaceOfThePassword() throws {
    for hostile in ["Query \"select 1\"", "Raw p \"no end\"", "Sync"] {
      var handshake = handshake()
      _ = handshake.receive(startup())
      _ = handshake.supply(credentials(.token))
      #expect(isFailure(handshake.receive(ByteBuffer(bytes: try WireFrame(hostile, from: .client).bytes))))
    }
    var long = handshake()
    _ = long.receive(startup())
    _ = long.supply(credentials(.token))
    #expect(isFailure(long.receive(ByteBuffer(bytes: [0x70, 0x7f, 0xff, 0xff, 0xff]))))
  }

  @Test func bytesBeforeCredentialsAreBounded() {
    var handshake = handshake()
    _ = handshake.receive(startup())
    #expect(handshake.receive(ByteBuffer(repeating: 0, count: 8_000)) == nil)
    #expect(isFailure(handshake.receive(ByteBuffer(repeating: 0, count: 1_000))))
  }
}

import AccessModel
import Crypto
import Identity
import NIOCore
import Testing

@testable import Postgres

@Suite("The backend's handshake") struct BackendHandshakeTests {
  private func handshake(
    _ tls: BackendTLS = .disable, password: String? = "secret"
  ) -> BackendHandshake {
    var handshake = BackendHandshake(
      account: BackendAccount(user: "app", password: password), parameters: [.init("user", "app")], tls: tls)
    handshake.start()
    return handshake
  }

  private func bytes(_ requests: AuthenticationRequest...) -> ByteBuffer {
    var buffer = ByteBuffer()
    for request in requests { request.encode(into: &buffer) }
    return buffer
  }

  private func line(_ lines: String...) throws -> ByteBuffer {
    ByteBuffer(bytes: try lines.flatMap { try WireFrame($0, from: .backend).bytes })
  }

  private func failure(_ event: BackendHandshake.Event?) -> String? {
    if case .failed(let failure) = event { failure.message } else { nil }
  }

  /// The body of the last message in the output.
  private func answer(_ handshake: inout BackendHandshake) throws -> [UInt8] {
    let saidOutput = handshake.takeOutput()
    let output = try #require(saidOutput)
    return try #require(WireFrame(prefixOf: Array(output.readableBytesView))).body
  }

  @Test func trust() throws {
    var handshake = handshake(password: nil)
    let saidStartup = handshake.takeOutput()
    var startup = try #require(saidStartup)
    #expect(
      try StartupPacket.take(from: &startup, limits: .standard)
        == .startup(StartupMessage(parameters: [.init("user", "app")])))
    #expect(handshake.receive(bytes(.ok)) == nil)
    let event = handshake.receive(
      try line(
        "ParameterStatus \"client_encoding\" \"UTF8\"", "Raw K \"\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x09\"",
        "NoticeResponse S \"WARNING\" M \"hello\"", "ReadyForQuery I", "NotificationResponse 7 \"a\" \"b\""))
    #expect(event == .ready)
    let ready = handshake.takeReady()
    #expect(ready.settings == ["client_encoding": "UTF8"])
    #expect(ready.key == BackendKeyData(process: 7, secret: [0, 0, 0, 9]))
    #expect(ready.status == .idle)
    #expect(
      ready.greeting
        == (try line("ParameterStatus \"client_encoding\" \"UTF8\"", "NoticeResponse S \"WARNING\" M \"hello\"")))
    #expect(handshake.takeRemainder() == (try line("NotificationResponse 7 \"a\" \"b\"")))
  }

  @Test func oneByteAtATime() throws {
    var handshake = handshake(password: nil)
    var all = bytes(.ok)
    all.writeImmutableBuffer(try line("ParameterStatus \"a\" \"b\"", "ReadyForQuery I"))
    var events: [BackendHandshake.Event] = []
    for byte in all.readableBytesView {
      if let event = handshake.receive(ByteBuffer(bytes: [byte])) { events.append(event) }
    }
    #expect(events == [.ready])
  }

  @Test func cleartextAndMD5() throws {
    var cleartext = handshake()
    _ = cleartext.takeOutput()
    _ = cleartext.receive(bytes(.cleartextPassword))
    #expect(try answer(&cleartext) == Array("secret".utf8) + [0])
    var md5 = handshake()
    _ = md5.takeOutput()
    _ = md5.receive(bytes(.md5Password(salt: [1, 2, 3, 4])))
    #expect(try answer(&md5) == Array("md5911f527656472583a006e7727877b33e".utf8) + [0])
    // As Python's hashlib has it: "md5" + md5(md5("barfoo") + salt).
    #expect(md5Response(user: "foo", password: "bar", salt: [0, 1, 2, 3]) == "md520c7664367b4d8babe06afe967b9ba38")
  }

  @Test func passwordAskedForAndNone() {
    for request in [
      AuthenticationRequest.cleartextPassword, .md5Password(salt: [1, 2, 3, 4]), .sasl(mechanisms: ["SCRAM-SHA-256"]),
    ] {
      var handshake = handshake(password: nil)
      #expect(failure(handshake.receive(bytes(request)))?.contains("has none") == true)
    }
  }

  // MARK: SCRAM

  private func derived(_ event: BackendHandshake.Event?) throws -> SCRAMKeys {
    guard case .needsKeys(let derivation) = event else { throw TranscriptMistake("no keys are asked for") }
    return derivation.derive()
  }

  /// Plays the backend with the codec's own server; `spoil` changes the last message.
  private func scram(_ spoil: ([UInt8]) -> [UInt8]) throws -> (BackendHandshake, BackendHandshake.Event?) {
    let salt: [UInt8] = Array(1...16)
    var handshake = handshake()
    _ = handshake.takeOutput()
    #expect(handshake.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256"]))) == nil)
    let initial = try PasswordMessage.decodeSASLInitialResponse(ByteBuffer(bytes: answer(&handshake)))
    #expect(initial.mechanism == "SCRAM-SHA-256")
    var server = SCRAMServer()
    _ = try server.receiveClientFirst(try #require(initial.data))
    let challenge = handshake.receive(bytes(.saslContinue(server.serverFirst(salt: salt, iterations: 4_096))))
    #expect(handshake.supply(try derived(challenge)) == nil)
    let (_, final) = try server.receiveClientFinal(
      answer(&handshake), verifiers: [SCRAMVerifier(password: "secret", salt: salt, iterations: 4_096)])
    let event = handshake.receive(bytes(.saslFinal(spoil(final))))
    return (handshake, event)
  }

  @Test func bothWaysAgainstEachOther() throws {
    var (handshake, event) = try scram { $0 }
    #expect(event == nil)
    var rest = bytes(.ok)
    rest.writeImmutableBuffer(try line("ReadyForQuery I"))
    #expect(handshake.receive(rest) == .ready)
  }

  @Test func aWrongServerSignatureIsRefused() throws {
    let (_, event) = try scram { final in final.dropLast(3) + Array("AAA".utf8) }
    #expect(failure(event) != nil)
  }

  @Test func okBeforeTheServerSignatureIsRefused() throws {
    var first = handshake()
    _ = first.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256"])))
    #expect(failure(first.receive(bytes(.ok)))?.contains("out of order") == true)
    var second = handshake()
    _ = second.takeOutput()
    _ = second.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256"])))
    let initial = try PasswordMessage.decodeSASLInitialResponse(ByteBuffer(bytes: answer(&second)))
    var server = SCRAMServer()
    _ = try server.receiveClientFirst(try #require(initial.data))
    let challenge = second.receive(bytes(.saslContinue(server.serverFirst(salt: [1, 2, 3, 4], iterations: 4_096))))
    _ = second.supply(try derived(challenge))
    #expect(failure(second.receive(bytes(.ok)))?.contains("out of order") == true)
  }

  /// CVE-2026-6665: a backend's nonce that is far too long.
  @Test func aLongNonceIsRefused() {
    for length in [300, 4_000, 7_000, 65_536] {
      var handshake = handshake()
      _ = handshake.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256"])))
      let nonce = String(repeating: "n", count: length)
      #expect(failure(handshake.receive(bytes(.saslContinue(Array("r=\(nonce),s=AAAA,i=4096".utf8))))) != nil)
    }
  }

  @Test func mechanismsThatAreNotSpoken() {
    var handshake = handshake()
    #expect(failure(handshake.receive(bytes(.sasl(mechanisms: ["SCRAM-SHA-256-PLUS"])))) != nil)
    for code in [Int32(2), 6, 7, 9, 13, -1] {
      var handshake = self.handshake()
      #expect(failure(handshake.receive(bytes(.unsupported(code: code)))) != nil, "\(code)")
    }
  }

  // MARK: TLS

  @Test func answersToSSLRequest() throws {
    for tls in [BackendTLS.prefer, .require, .verifyCA, .verifyFull] {
      var accepted = handshake(tls)
      let saidRequest = accepted.takeOutput()
      var request = try #require(saidRequest)
      #expect(try StartupPacket.take(from: &request, limits: .standard) == .sslRequest)
      #expect(accepted.receive(ByteBuffer(string: "S")) == .startTLS)
      #expect(accepted.takeOutput() == nil)
      accepted.startedTLS()
      #expect(accepted.takeOutput() != nil)
      var refused = handshake(tls)
      _ = refused.takeOutput()
      let event = refused.receive(ByteBuffer(string: "N"))
      #expect((failure(event) == nil) == (tls == .prefer), "\(tls)")
      #expect((refused.takeOutput() == nil) == (tls != .prefer), "\(tls): what is said in clear")
      var odd = handshake(tls)
      #expect(failure(odd.receive(ByteBuffer(string: "E"))) != nil)
    }
  }

  /// CVE-2021-3935, the other leg.
  @Test func bytesBehindTheAnswer() throws {
    var together = handshake(.require)
    #expect(failure(together.receive(ByteBuffer(string: "SR"))) != nil)
    var later = handshake(.require)
    #expect(later.receive(ByteBuffer(string: "S")) == .startTLS)
    #expect(failure(later.receive(ByteBuffer(string: "R"))) != nil)
  }

  // MARK: Errors

  @Test func errorsAboutTheAccountStayInside() throws {
    for (code, passes) in [("28P01", false), ("28000", false), ("53300", true), ("57P03", true), ("3D000", true)] {
      var handshake = handshake()
      let event = handshake.receive(try line("ErrorResponse S \"FATAL\" C \"\(code)\" M \"no\""))
      guard case .failed(let failure) = event else {
        Issue.record("\(code) did not fail")
        continue
      }
      #expect((failure.passOn != nil) == passes, "\(code)")
      #expect(failure.isAboutAccount == code.hasPrefix("28"), "\(code)")
    }
    var bare = handshake()
    guard case .failed(let failure) = bare.receive(try line("ErrorResponse")) else {
      Issue.record("an empty error did not fail")
      return
    }
    #expect(failure.passOn == nil)
  }

  @Test func messagesOutOfPlaceAndTooLong() throws {
    for hostile in [
      "ReadyForQuery I", "DataRow \"1\"", "Raw R \"\\x00\"", "Raw R \"\\x00\\x00\\x00\\x05abc\"",
      "Raw K \"\\x00\"", "Raw S \"a\\x00\"", "Raw E \"S\"", "CopyInResponse 0", "Raw v \"\\x00\\x00\\x00\\x00\"",
    ] {
      var handshake = handshake()
      #expect(failure(handshake.receive(try line(hostile))) != nil, "\(hostile)")
    }
    for length in [Int32(0), 3, -1, .max] {
      for tag in [UInt8(ascii: "R"), UInt8(ascii: "S"), UInt8(ascii: "E"), UInt8(ascii: "Z"), UInt8(ascii: "K")] {
        var handshake = handshake()
        #expect(failure(handshake.receive(ByteBuffer(bytes: [tag] + WireFrame.integer(length)))) != nil)
      }
    }
    var endless = handshake()
    _ = endless.receive(bytes(.ok))
    var event: BackendHandshake.Event?
    for _ in 0..<100 where event == nil {
      event = endless.receive(try line("ParameterStatus \"a\" \"\(String(repeating: "b", count: 1_000))\""))
    }
    #expect(failure(event)?.contains("too long") == true)
  }
}

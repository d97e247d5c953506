import Testing

@testable import Identity

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// RFC 7677 §3.
private enum Example {
  static let password = "pencil"
  static let salt = Base64.decode(bytes("W22ZaJ0SNY7soEsUEjb6gQ==")) ?? []
  static let clientNonce = "rOprNGfwEbeRWgbNEkqO"
  static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
  static let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
  static let serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
  static let clientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
  static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
  static let verifier = SCRAMVerifier(password: password, salt: salt, iterations: 4096)
}

@Suite struct SCRAMServerTests {
  /// Runs the gateway's side; returns what the client would be sent at the end.
  private func exchange(
    first: [UInt8] = bytes(Example.clientFirst), final: [UInt8] = bytes(Example.clientFinal),
    verifiers: [SCRAMVerifier] = [Example.verifier]
  ) throws(SCRAMError) -> (index: Int, serverFinal: [UInt8]) {
    var server = SCRAMServer(nonce: bytes(Example.serverNonce))
    _ = try server.receiveClientFirst(first)
    _ = server.serverFirst(salt: Example.salt, iterations: 4096)
    return try server.receiveClientFinal(final, verifiers: verifiers)
  }

  @Test func exampleOfRFC7677() throws {
    var server = SCRAMServer(nonce: bytes(Example.serverNonce))
    let first = try server.receiveClientFirst(bytes(Example.clientFirst))
    #expect(first.channelBinding == .unsupported)
    #expect(text(first.nonce) == Example.clientNonce)
    #expect(text(server.serverFirst(salt: Example.salt, iterations: 4096)) == Example.serverFirst)
    let (index, final) = try server.receiveClientFinal(bytes(Example.clientFinal), verifiers: [Example.verifier])
    #expect(index == 0)
    #expect(text(final) == Example.serverFinal)
  }

  @Test func findsTheRightOneOfSixteenVerifiers() throws {
    let other = SCRAMVerifier(password: "pen", salt: Example.salt, iterations: 4096)
    for position in [0, 7, 15] {
      var verifiers = [SCRAMVerifier](repeating: other, count: 16)
      verifiers[position] = Example.verifier
      let result = try exchange(verifiers: verifiers)
      #expect(result.index == position)
      #expect(text(result.serverFinal) == Example.serverFinal)
    }
    #expect(throws: SCRAMError.tooManyVerifiers) {
      try exchange(verifiers: [SCRAMVerifier](repeating: Example.verifier, count: 17))
    }
  }

  @Test func noVerifierOrTheWrongOneIsAProofThatDoesNotMatch() {
    var another = Example.verifier
    #expect(throws: SCRAMError.proofMismatch) { try exchange(verifiers: []) }
    another.iterations = 8192
    #expect(throws: SCRAMError.proofMismatch) { try exchange(verifiers: [another]) }
    another = SCRAMVerifier(password: "Pencil", salt: Example.salt, iterations: 4096)
    #expect(throws: SCRAMError.proofMismatch) { try exchange(verifiers: [another]) }
    // A proof of zeros fits a stored key of zeros only if the decoy counted as a verifier.
    another = SCRAMVerifier(salt: Example.salt, iterations: 4096, storedKey: [], serverKey: [])
    #expect(throws: SCRAMError.proofMismatch) { try exchange(verifiers: [another]) }
  }

  /// Trying what is there and stopping would make sixteen tokens take sixteen times as long as none. Medians of runs that
  /// take turns, so that a busy machine slows both.
  @Test func unknownWrongAndManyTokensTakeTheSameTime() {
    let wrong = SCRAMVerifier(password: "pen", salt: Example.salt, iterations: 4096)
    let cases = [[], [wrong], [SCRAMVerifier](repeating: wrong, count: 16)]
    var times = [[Duration]](repeating: [], count: cases.count)
    for _ in 0..<200 {
      for (index, verifiers) in cases.enumerated() {
        times[index].append(ContinuousClock().measure { _ = try? exchange(verifiers: verifiers) })
      }
    }
    let medians = times.map { $0.sorted()[100] }
    for median in medians { #expect(median < medians[0] * 3 && medians[0] < median * 3, "\(medians)") }
  }

  @Test func headersOfChannelBinding() throws {
    func first(_ message: String) throws(SCRAMError) -> ClientFirst {
      var server = SCRAMServer(nonce: bytes("s"))
      return try server.receiveClientFirst(bytes(message))
    }
    #expect(try first("y,,n=,r=abc").channelBinding == .notOffered)
    #expect(try first("n,,n=a=2Cb=3D,r=abc,x=ignored").nonce == bytes("abc"))
    #expect(throws: SCRAMError.channelBindingNotOffered) { try first("p=tls-server-end-point,,n=,r=abc") }
    #expect(throws: SCRAMError.authorizationIdentity) { try first("n,a=admin,n=,r=abc") }
    #expect(throws: SCRAMError.mandatoryExtension) { try first("n,,m=ext,n=,r=abc") }
    #expect(throws: SCRAMError.mandatoryExtension) { try first("n,,n=,r=abc,m=ext") }
    #expect(throws: SCRAMError.malformed(.user)) { try first("n,,n=a=b,r=abc") }
    #expect(throws: SCRAMError.malformed(.nonce)) { try first("n,,n=,r=") }
    #expect(throws: SCRAMError.malformed(.header)) { try first("") }
    #expect(throws: SCRAMError.tooLong(.nonce)) { try first("n,,n=,r=" + String(repeating: "a", count: 257)) }
    #expect(throws: SCRAMError.tooLong(.message)) { try first("n,,n=,r=abc,x=" + String(repeating: "a", count: 4096)) }
    // "y" in the first message and "n" in the last is the downgrade that the echo is there for.
    #expect(throws: SCRAMError.channelBindingMismatch) {
      try exchange(first: bytes("y,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
    }
  }

  @Test func stepsOutOfOrderFailForGood() throws {
    var server = SCRAMServer(nonce: bytes(Example.serverNonce))
    #expect(throws: SCRAMError.outOfOrder) {
      try server.receiveClientFinal(bytes(Example.clientFinal), verifiers: [Example.verifier])
    }
    #expect(throws: SCRAMError.outOfOrder) { try server.receiveClientFirst(bytes(Example.clientFirst)) }
    #expect(server.serverFirst(salt: Example.salt, iterations: 4096).isEmpty)

    var second = SCRAMServer(nonce: bytes(Example.serverNonce))
    _ = try second.receiveClientFirst(bytes(Example.clientFirst))
    _ = second.serverFirst(salt: Example.salt, iterations: 4096)
    _ = try second.receiveClientFinal(bytes(Example.clientFinal), verifiers: [Example.verifier])
    #expect(throws: SCRAMError.outOfOrder) {
      try second.receiveClientFinal(bytes(Example.clientFinal), verifiers: [Example.verifier])
    }
  }

  @Test func noTruncationAuthenticates() {
    for end in 0..<Example.clientFirst.utf8.count {
      #expect(throws: SCRAMError.self) { try exchange(first: Array(bytes(Example.clientFirst).prefix(end))) }
    }
    for end in 0..<Example.clientFinal.utf8.count {
      #expect(throws: SCRAMError.self) { try exchange(final: Array(bytes(Example.clientFinal).prefix(end))) }
    }
  }

  @Test func noChangeOfOneByteAuthenticates() {
    let passedFirst = oneByteChanges(of: Example.clientFirst).filter { (try? exchange(first: $0)) != nil }
    #expect(passedFirst.map(text) == [])
    let passedFinal = oneByteChanges(of: Example.clientFinal).filter { (try? exchange(final: $0)) != nil }
    #expect(passedFinal.map(text) == [])
  }
}

@Suite struct SCRAMClientTests {
  private static let nonce = bytes("fyko+d2lbbFgONRv9qkxdawL")
  private static let verifier = SCRAMVerifier(password: "pencil", salt: Array(1...16), iterations: 2)

  /// A client that waits for server-first, with a server on the other side.
  private func start() throws -> (client: SCRAMClient, server: SCRAMServer, serverFirst: [UInt8]) {
    var client = SCRAMClient(password: "pencil", nonce: Self.nonce)
    var server = SCRAMServer(nonce: bytes("server"))
    _ = try server.receiveClientFirst(client.clientFirst())
    let serverFirst = server.serverFirst(salt: Self.verifier.salt, iterations: Self.verifier.iterations)
    return (client, server, serverFirst)
  }

  @Test func signsInToOurOwnServer() throws {
    var (client, server, serverFirst) = try start()
    let final = try client.receiveServerFirst(serverFirst)
    let answer = try server.receiveClientFinal(final, verifiers: [Self.verifier])
    try client.receiveServerFinal(answer.serverFinal)
    #expect(answer.index == 0)
  }

  @Test func proofOfRFC7677() throws {
    // The RFC's client names its user and ours does not, so the proof is compared by what the RFC's server accepts.
    let keys = SCRAMKeys(password: Example.password, salt: Example.salt, iterations: 4096)
    let message = bytes(
      "n=user,r=rOprNGfwEbeRWgbNEkqO," + Example.serverFirst + "," + "c=biws,r="
        + Example.clientNonce + Example.serverNonce)
    let proof = xor(keys.clientKey, hmacSHA256(key: keys.storedKey, message))
    #expect("p=" + text(Base64.encode(proof)) == Example.clientFinal.split(separator: ",").last.map(String.init))
  }

  @Test func keysOfAnEarlierExchangeAreUsedWhileTheyFit() throws {
    var (first, _, serverFirst) = try start()
    _ = try first.receiveServerFirst(serverFirst)
    let keys = try #require(first.keys)
    // With the keys known the password is not looked at: a wrong one shows that they were used.
    var second = SCRAMClient(password: "wrong", nonce: Self.nonce, keys: keys)
    var server = SCRAMServer(nonce: bytes("server"))
    _ = try server.receiveClientFirst(second.clientFirst())
    let again = server.serverFirst(salt: Self.verifier.salt, iterations: 2)
    let final = try second.receiveServerFirst(again)
    #expect(try server.receiveClientFinal(final, verifiers: [Self.verifier]).index == 0)
    // Another salt: they no longer fit and the wrong password shows.
    var third = SCRAMClient(password: "wrong", nonce: Self.nonce, keys: keys)
    _ = third.clientFirst()
    _ = try third.receiveServerFirst(bytes("r=") + Self.nonce + bytes("x,s=AAAA,i=2"))
    #expect(third.keys?.salt == [0, 0, 0])
  }

  @Test(arguments: [
    ("r=NONCE,s=AQID,i=4096", SCRAMError.nonceMismatch), ("r=xNONCEx,s=AQID,i=4096", .nonceMismatch),
    ("r=NONCEx,s=,i=4096", .malformed(.salt)), ("r=NONCEx,s=AQI,i=4096", .malformed(.salt)),
    ("r=NONCEx,s=AQID,i=0", .iterationsOutOfRange), ("r=NONCEx,s=AQID,i=1000001", .iterationsOutOfRange),
    ("r=NONCEx,s=AQID,i=99999999999999999999", .iterationsOutOfRange),
    ("r=NONCEx,s=AQID,i=-1", .malformed(.iterations)), ("r=NONCEx,s=AQID,i=", .malformed(.iterations)),
    ("r=NONCEx,s=AQID,i=1,x=y", .malformed(.message)), ("r=NONCEx,s=AQID", .malformed(.iterations)),
    ("m=x,r=NONCEx,s=AQID,i=1", .mandatoryExtension), ("", .malformed(.nonce)),
    ("r=NONCE\u{1},s=AQID,i=1", .malformed(.nonce)),
  ])
  func hostileServerFirst(_ message: String, _ error: SCRAMError) {
    var client = SCRAMClient(password: "pencil", nonce: Self.nonce)
    _ = client.clientFirst()
    let parts = message.split(separator: "NONCE", omittingEmptySubsequences: false)
    let message = parts.joined(separator: text(Self.nonce))
    #expect(throws: error) { try client.receiveServerFirst(bytes(message)) }
    #expect(throws: SCRAMError.outOfOrder) { try client.receiveServerFinal(bytes("v=AAAA")) }
  }

  /// CVE-2026-6665.
  @Test func longNonceAndLongSaltAreRefused() {
    var client = SCRAMClient(password: "pencil", nonce: Self.nonce)
    _ = client.clientFirst()
    let long = String(repeating: "n", count: 65_536)
    #expect(throws: SCRAMError.tooLong(.message)) {
      try client.receiveServerFirst(bytes("r=\(text(Self.nonce))\(long),s=AQID,i=1"))
    }
    client = SCRAMClient(password: "pencil", nonce: Self.nonce)
    _ = client.clientFirst()
    #expect(throws: SCRAMError.tooLong(.nonce)) {
      try client.receiveServerFirst(bytes("r=\(text(Self.nonce))\(long.prefix(256)),s=AQID,i=1"))
    }
    client = SCRAMClient(password: "pencil", nonce: Self.nonce)
    _ = client.clientFirst()
    let salt = String(repeating: "AAAA", count: 86)
    #expect(throws: SCRAMError.tooLong(.salt)) {
      try client.receiveServerFirst(bytes("r=\(text(Self.nonce))x,s=\(salt),i=1"))
    }
  }

  @Test func aBackendThatDoesNotKnowThePasswordIsFoundOut() throws {
    var (client, server, serverFirst) = try start()
    let final = try client.receiveServerFirst(serverFirst)
    let right = try server.receiveClientFinal(final, verifiers: [Self.verifier]).serverFinal
    let waiting = client
    for end in 0..<right.count {
      client = waiting
      #expect(throws: SCRAMError.self) { try client.receiveServerFinal(Array(right.prefix(end))) }
    }
    for change in oneByteChanges(of: text(right)) {
      client = waiting
      #expect(throws: SCRAMError.self) { try client.receiveServerFinal(change) }
    }
    client = waiting
    #expect(throws: SCRAMError.refused("invalid-proof?")) {
      try client.receiveServerFinal(bytes("e=invalid-proof\u{7}"))
    }
    client = waiting
    #expect(throws: SCRAMError.malformed(.signature)) { try client.receiveServerFinal(right + bytes(",x=y")) }
  }

  /// A changed server-first either throws at once or leads to a proof that the true backend refuses.
  @Test func noTruncatedOrChangedServerFirstAuthenticates() throws {
    let (waiting, trueServer, serverFirst) = try start()
    var reached = 0
    let truncations = (0..<serverFirst.count).map { Array(serverFirst.prefix($0)) }
    for message in truncations + oneByteChanges(of: text(serverFirst)) {
      var client = waiting
      var server = trueServer
      guard let final = try? client.receiveServerFirst(message) else { continue }
      reached += 1
      do {
        _ = try server.receiveClientFinal(final, verifiers: [Self.verifier])
        Issue.record("authenticated after \(text(message))")
      } catch {
        #expect(error == .proofMismatch || error == .nonceMismatch)
      }
    }
    #expect(reached > 500)
  }
}

@Suite struct SCRAMVerifierTests {
  @Test func saltedPasswordsOfKnownVectors() {
    // RFC 7914 §11: PBKDF2-HMAC-SHA256, the first 32 bytes of the output.
    let one = SCRAMKeys.saltedPassword(bytes("passwd"), salt: bytes("salt"), iterations: 1)
    #expect(hex(one) == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
    let many = SCRAMKeys.saltedPassword(bytes("Password"), salt: bytes("NaCl"), iterations: 80_000)
    #expect(hex(many) == "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56")
  }

  @Test func aPasswordLongerThanABlockIsHashedFirst() {
    let long = [UInt8](repeating: 120, count: 65)
    #expect(
      SCRAMKeys.saltedPassword(long, salt: [1], iterations: 3)
        == SCRAMKeys.saltedPassword(sha256(long), salt: [1], iterations: 3))
  }

  @Test func textAsInPgAuthid() {
    let text =
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
      + "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    #expect(Example.verifier.text == text)
    #expect(SCRAMVerifier(text: text) == Example.verifier)
    let broken = [
      "", "md5abc", "SCRAM-SHA-256$4096:$a:b", text + "$", String(text.dropLast(4)), "SCRAM-SHA-1" + text.dropFirst(13),
    ]
    for broken in broken {
      #expect(SCRAMVerifier(text: broken) == nil)
    }
  }

  @Test func base64IsStrict() {
    for length in 0...40 {
      let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
      #expect(Base64.decode(Base64.encode(value)) == value)
    }
    for wrong in ["A", "AA", "AAA", "A===", "====", "AB==", "AAB=", "AA=A", "AA==AAAA", "AAAA=AAA", "AA A", "AA-_"] {
      #expect(Base64.decode(bytes(wrong)) == nil, "\(wrong)")
    }
  }
}

private func hex(_ bytes: [UInt8]) -> String {
  bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
}

/// Messages that differ from this one in one byte: in each of its bits, or by a character that means something.
private func oneByteChanges(of message: String) -> [[UInt8]] {
  let original = bytes(message)
  return original.indices.flatMap { index in
    let values = Set((0..<8).map { original[index] ^ 1 << UInt8($0) } + bytes("\0,=AZaz09/+npymev\u{7F}") + [0xFF])
    return values.subtracting([original[index]]).sorted().map { value in
      var change = original
      change[index] = value
      return change
    }
  }
}

import Testing

@testable import Identity

@Suite struct AccessTokenTests {
  @Test func textIsRecognisableAndReadsBack() throws {
    let token = AccessToken.generate()
    #expect(token.text.hasPrefix("spt_"))
    #expect(token.text.utf8.count == 53)
    #expect(try AccessToken(text: token.text) == token)
    #expect(AccessToken.generate() != token)
  }

  @Test func fixedSecretsHaveFixedTexts() {
    // The body is of one length whatever the number.
    let zero = AccessToken(secret: [UInt8](repeating: 0, count: 32))
    #expect(zero.text.hasPrefix("spt_" + String(repeating: "0", count: 43)))
    #expect(Base62.encode([0, 61], length: 2) == Array("0z".utf8))
    #expect(Base62.encode([1, 0], length: 3) == Array("048".utf8))
  }

  @Test func everyTypoIsFound() {
    let text = Array(AccessToken(secret: Array(0..<32)).text.utf8)
    for index in text.indices {
      for value in UInt8(ascii: "0")...UInt8(ascii: "z") where value != text[index] {
        var typo = text
        typo[index] = value
        #expect(throws: AccessToken.Malformed.self) { try AccessToken(text: String(decoding: typo, as: UTF8.self)) }
      }
    }
    for end in text.indices {
      let cut = String(decoding: text[..<end], as: UTF8.self)
      #expect(throws: AccessToken.Malformed.self) { try AccessToken(text: cut) }
    }
    #expect(throws: AccessToken.Malformed.prefix) { try AccessToken(text: "ghp_abc") }
    #expect(throws: AccessToken.Malformed.form) { try AccessToken(text: "spt_abc") }
  }

  @Test func printingATokenDoesNotShowIt() {
    let token = AccessToken.generate()
    var dumped = ""
    dump(token, to: &dumped)
    for shown in ["\(token)", String(reflecting: token), dumped, "\([token])"] {
      #expect(!shown.contains(token.text.dropFirst(4)))
    }
  }
}

@Suite struct TokenRecordTests {
  private let token = AccessToken(secret: Array(0..<32))

  private func record(expiresAt: Int64 = 2_000, revokedAt: Int64? = nil, connections: [String] = []) -> TokenRecord {
    TokenRecord(
      id: 1, user: "ana", name: "laptop", digest: token.digest,
      verifier: SCRAMVerifier(password: token.text, salt: [1], iterations: 1), createdAt: 1_000,
      expiresAt: expiresAt, revokedAt: revokedAt, connections: connections)
  }

  @Test func livesUntilItExpiresOrIsRevoked() {
    #expect(record().isLive(at: 1_000))
    #expect(record().isLive(at: 1_999))
    #expect(!record().isLive(at: 2_000))
    #expect(!record(revokedAt: 1_500).isLive(at: 1_400))
  }

  @Test func aRecordThatLivesTooLongIsNeverLive() {
    #expect(record(expiresAt: 1_000 + TokenRecord.maximumLifetime).isLive(at: 1_500))
    #expect(!record(expiresAt: 1_001 + TokenRecord.maximumLifetime).isLive(at: 1_500))
    var ancient = record(expiresAt: .max)
    ancient.createdAt = .min
    #expect(!ancient.isLive(at: 1_500))
  }

  @Test func connectionsNarrowIt() {
    #expect(record().allows(connection: "shop"))
    #expect(record(connections: ["shop"]).allows(connection: "shop"))
    #expect(!record(connections: ["shop"]).allows(connection: "shop2"))
  }

  @Test func onlyTheTokenItselfMatches() {
    #expect(record().matches(Array(token.text.utf8)))
    #expect(!record().matches(Array(AccessToken.generate().text.utf8)))
    #expect(!record().matches([]))
    #expect(!record().matches(token.digest))
  }
}

@Suite struct DecoySaltTests {
  @Test func isSteadyAndOfTheShapeOfARealOne() {
    let decoy = DecoySalt(secret: Array(0..<32))
    #expect(decoy.salt(for: "mallory") == decoy.salt(for: "mallory"))
    #expect(decoy.salt(for: "mallory") != decoy.salt(for: "malloryx"))
    #expect(decoy.salt(for: "mallory") != DecoySalt(secret: [1]).salt(for: "mallory"))
    let real = UserSalt.generate()
    #expect(decoy.salt(for: "mallory").salt.count == real.salt.count)
    #expect(decoy.salt(for: "mallory").iterations == real.iterations)
  }
}

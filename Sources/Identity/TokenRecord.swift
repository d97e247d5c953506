/// What the gateway keeps of one access token: whose it is, how long it lives, and how to recognise it.
///
/// Nothing in it signs anybody in. Times are seconds since 1970.
public struct TokenRecord: Hashable, Sendable {
  /// The longest that a token may live: 366 days, in seconds.
  public static let maximumLifetime: Int64 = 366 * 86_400

  public var id: Int64
  public var user: String
  /// The owner's own name for it, unique among the owner's live tokens.
  public var name: String
  /// SHA-256 of the token's text.
  public var digest: [UInt8]
  public var verifier: SCRAMVerifier
  public var createdAt: Int64
  /// Every token expires.
  public var expiresAt: Int64
  public var revokedAt: Int64?
  /// Names of the connections that it opens; empty for all.
  public var connections: [String]

  public init(
    id: Int64, user: String, name: String, digest: [UInt8], verifier: SCRAMVerifier, createdAt: Int64,
    expiresAt: Int64, revokedAt: Int64? = nil, connections: [String] = []
  ) {
    self.id = id
    self.user = user
    self.name = name
    self.digest = digest
    self.verifier = verifier
    self.createdAt = createdAt
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
    self.connections = connections
  }

  /// True while the token signs its owner in: not revoked, not expired, and not said to live longer than tokens may.
  public func isLive(at now: Int64) -> Bool {
    let (lifetime, overflow) = expiresAt.subtractingReportingOverflow(createdAt)
    return revokedAt == nil && now < expiresAt && !overflow && lifetime <= TokenRecord.maximumLifetime
  }

  /// True when the token may be used for this connection.
  public func allows(connection: String) -> Bool { connections.isEmpty || connections.contains(connection) }

  /// True when this is the token that was presented in clear text; takes the same time for every text of one length.
  public func matches(_ presented: [UInt8]) -> Bool {
    constantTimeEqual(AccessToken.digest(of: presented), digest)
  }
}

/// The salt and iteration count that all tokens of one user share, so that one proof can be tried against each.
public struct UserSalt: Hashable, Sendable {
  /// PostgreSQL's own default (`scram_iterations`).
  public static let defaultIterations = 4096
  /// Bytes, as PostgreSQL's.
  public static let length = 16

  public var salt: [UInt8]
  public var iterations: Int

  public init(salt: [UInt8], iterations: Int = UserSalt.defaultIterations) {
    self.salt = salt
    self.iterations = iterations
  }

  public static func generate() -> UserSalt { UserSalt(salt: randomBytes(length)) }
}

/// The salt shown for users that there are not: always the same for one name, and like a real one to look at.
public struct DecoySalt: Sendable {
  private let secret: [UInt8]

  /// `secret` is the server's own; whoever knows it can tell decoys from users.
  public init(secret: [UInt8]) { self.secret = secret }

  public func salt(for user: String) -> UserSalt {
    let code = hmacSHA256(key: secret, Array("sallyport decoy salt\0".utf8) + Array(user.utf8))
    return UserSalt(salt: Array(code.prefix(UserSalt.length)))
  }
}

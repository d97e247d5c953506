// Postgres: the codec of PostgreSQL's protocol 3; frames in, commands and frames out. Knows no policy and opens no socket.

/// Every bound that the codec puts on what a peer may send. In bytes unless said otherwise.
public struct Limits: Hashable, Sendable {
  /// A start-up packet; PostgreSQL's own MAX_STARTUP_PACKET_LENGTH.
  public var startupPacket = 10_000
  /// A message of the authentication exchange, in either direction.
  public var authenticationMessage = 8 << 10
  /// SQL text; longer is answered 54001 (DECISIONS 21).
  public var sqlText = 1 << 20
  /// Any message of a client; PostgreSQL's own PQ_LARGE_MESSAGE_LIMIT, without the length field.
  public var message = (1 << 30) - 6
  /// Values of Bind and FunctionCall that are here whole when they are decided. Of longer ones this much is, and the
  /// rest passes as it comes. Holds the format codes of 65,535 parameters with room for two names.
  public var wholeValues = 256 << 10
  /// Values that wait for an approval, which is bound to them; longer ones are refused.
  public var heldValues = 16 << 20
  /// Describe, Close, Execute, Sync, Flush and what else is short by nature.
  public var shortMessage = 64 << 10
  /// A backend message that must be seen whole: RowDescription, CommandComplete and the like.
  public var backendMessage = 4 << 20
  /// A row that a mask rewrites; longer is answered 54000 (DECISIONS 21).
  public var maskedRow = 16 << 20
  /// Replies that may be outstanding before the client is no longer read.
  public var outstandingReplies = 10_000
  /// Prepared statements known by name in one session.
  public var preparedStatements = 10_000
  /// SSLRequest and GSSENCRequest that one connection may send.
  public var encryptionRequests = 2

  public init() {}
  public static let standard = Limits()
}

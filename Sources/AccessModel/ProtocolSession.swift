/// The two ends of a proxied connection.
public enum Side: String, Hashable, Sendable {
  case client, backend
}

/// What a session tells whoever drives it, in the order in which it happened.
public enum SessionEvent: Hashable, Sendable {
  /// A command waits for `resolve`; nothing of it has reached the backend.
  case command(CommandID, Command)
  /// A result's columns are known and wait for `mask`; none of its rows has reached the client.
  case columns(CommandID, [ResultColumn])
  /// What the client was sent of a result, as it was sent; only from sessions that are asked for it.
  case result(CommandID, ResultPart)
  /// A command ended.
  case finished(CommandID, Outcome)
  /// The session sent something of the gateway's own to the backend.
  case control(ControlPermit.Purpose)
  /// As many rows of this command have reached the client as its permit allows, and there are more: it is to be cancelled.
  case limitReached(CommandID)
  /// The session stalls until a fact is supplied (DECISIONS 4).
  case needs(Fact)
  /// Both sides are to be closed once the output is written.
  case ended
}

/// A part of a result, in the encoding in which the client got it: masks have been applied.
public enum ResultPart: Hashable, Sendable {
  /// The description of the rows that follow (PostgreSQL: the body of RowDescription).
  case columns([UInt8])
  /// Whole rows one behind the other (PostgreSQL: frames of DataRow), and how many.
  case rows([UInt8], count: Int)
  /// Data without columns (PostgreSQL: the body of CopyData).
  case stream([UInt8])
  /// From here on the bounds of what is kept were reached; nothing more comes for this command.
  case cut
}

/// How much of each command's result a session passes on as `.result`.
public struct ResultBounds: Hashable, Sendable {
  public var rows: Int
  /// Of rows and streamed data, as encoded.
  public var bytes: Int

  public init(rows: Int, bytes: Int) {
    self.rows = rows
    self.bytes = bytes
  }
}

/// What a session cannot find out by itself.
public enum Fact: Hashable, Sendable {
  /// Names of the relation with this OID and of its columns.
  case relation(oid: UInt32)
  /// An analysis too large for the event loop.
  case analysis(text: String)
}

/// A fault on the wire, with whose it is.
public struct ProtocolError: Error, Hashable, Sendable {
  public enum Fault: String, Hashable, Sendable { case client, backend, gateway }
  public var fault: Fault
  /// SQLSTATE, HTTP status or the like; what the protocol's own error would carry.
  public var code: String
  /// Lower case, without a full stop.
  public var message: String
  /// What to do, as a sentence; nil where there is nothing to say.
  public var hint: String?
  /// One message is at fault, and it is clear where the next one begins: it can be refused, and the connection go on.
  public var isOfOneMessage: Bool

  public init(fault: Fault, code: String, message: String, hint: String? = nil, isOfOneMessage: Bool = false) {
    self.isOfOneMessage = isOfOneMessage
    self.fault = fault
    self.code = code
    self.message = message
    self.hint = hint
  }
}

/// A codec that owns both sides of one connection and opens no socket: bytes and answers in, events and bytes out.
public protocol ProtocolSession: ~Copyable {
  associatedtype Input
  associatedtype Output
  /// Takes what was read from a side. Throws when that side broke the protocol beyond repair.
  mutating func receive(_ input: Input, from side: Side) throws(ProtocolError)
  /// The next thing that happened, or nil.
  mutating func nextEvent() -> SessionEvent?
  /// Answers `.command`: lets it pass by consuming the permit, or refuses it in the protocol's own words.
  mutating func resolve(_ id: CommandID, _ verdict: consuming Verdict) throws(ProtocolError)
  /// Answers `.columns`.
  mutating func mask(_ id: CommandID, with plan: MaskPlan) throws(ProtocolError)
  /// Bytes to be written to a side, or nil.
  mutating func takeOutput(for side: Side) -> Output?
}

// Enforcement: turns a decision into effects in order, the audit record before the write that it describes.

import AccessModel

/// One thing that the audit trail remembers.
///
/// Facts that hold for a whole session stand once, in `sessionOpened`; the other records name the session.
public enum AuditEvent: Hashable, Sendable {
  case gatewayStarted(version: String, policy: String)
  case gatewayStopped(reason: String)
  case authenticated(Authentication)
  case sessionOpened(SessionFacts)
  case sessionClosed(session: String, reason: String)
  /// A command was decided. Written before any byte of it goes to the backend.
  case decided(DecisionRecord)
  /// A command that had been permitted ended. `duration` is in microseconds.
  case finished(session: String, command: CommandID, outcome: Outcome, duration: Int64)
  /// What the client got of a command's result is kept in the session's recording; written before the end of the command.
  case recorded(RecordedResult)
  /// A command was seen in a terminal, after it was typed.
  case typed(TypedCommand)
  /// The gateway sent something of its own to the backend (DECISIONS 12).
  case control(session: String, purpose: ControlPermit.Purpose)
  case approval(ApprovalRecord)
  /// Refusals without records of their own.
  case repeated(RepeatedRefusals)
  /// A control verb: who did what on the gateway itself.
  case administration(actor: String, verb: String, subject: String)
  /// Another configuration was put in place of the one in force, or was refused.
  case configurationReloaded(ConfigurationReload)
}

/// One attempt to sign in, with how it ended.
public struct Authentication: Hashable, Sendable {
  /// As the client claimed it.
  public var user: String
  public var clientAddress: String
  /// `scram` or `token`.
  public var method: String
  public var succeeded: Bool
  /// Why not; empty on success. Never a secret.
  public var reason: String

  public init(user: String, clientAddress: String, method: String, succeeded: Bool, reason: String = "") {
    self.user = user
    self.clientAddress = clientAddress
    self.method = method
    self.succeeded = succeeded
    self.reason = reason
  }
}

/// What holds for the whole of one session.
public struct SessionFacts: Hashable, Sendable {
  /// Unique, 13 characters.
  public var session: String
  public var gateway: String
  public var region: String
  public var subject: Subject
  /// Numeric address and port that was dialled.
  public var backendAddress: String
  /// The account on the backend. Never its secret.
  public var backendUser: String
  public var database: String
  /// The client's own name for itself; empty without.
  public var application: String

  public init(
    session: String, gateway: String, region: String, subject: Subject, backendAddress: String,
    backendUser: String, database: String, application: String
  ) {
    self.session = session
    self.gateway = gateway
    self.region = region
    self.subject = subject
    self.backendAddress = backendAddress
    self.backendUser = backendUser
    self.database = database
    self.application = application
  }
}

/// One command with what was decided about it.
public struct DecisionRecord: Hashable, Sendable {
  public enum Action: String, Hashable, Sendable { case permit, deny, hold }
  public var session: String
  public var id: CommandID
  public var command: Command
  public var action: Action
  /// The rule that decided; empty for a plain permit.
  public var rule: String
  public var reason: String
  /// Names of those who approved, for a permit after a hold.
  public var approvers: [String]
  /// Hash of the policy that decided, lower-case hex.
  public var policy: String
  /// What the trail may keep of the values bound to the command.
  public var values: ValueDisclosure
  /// Rules in shadow that met the command: what they would have done is not done.
  public var shadows: [String]

  public init(
    session: String, id: CommandID, command: Command, action: Action, rule: String = "", reason: String = "",
    approvers: [String] = [], policy: String, values: ValueDisclosure = .omitted, shadows: [String] = []
  ) {
    self.shadows = shadows
    self.values = values
    self.session = session
    self.id = id
    self.command = command
    self.action = action
    self.rule = rule
    self.reason = reason
    self.approvers = approvers
    self.policy = policy
  }
}

/// Where the recording of a session holds what the client got of one command's result, and what it must be.
public struct RecordedResult: Hashable, Sendable {
  public var session: String
  public var command: CommandID
  /// Where it begins in the recording, and its length, in bytes.
  public var offset: Int
  public var bytes: Int
  public var rows: Int
  /// The bounds of what is kept were reached: the client got more.
  public var isCut: Bool
  /// SHA-256 of these bytes, lower-case hex.
  public var hash: String

  public init(
    session: String, command: CommandID, offset: Int, bytes: Int, rows: Int, isCut: Bool, hash: String
  ) {
    self.session = session
    self.command = command
    self.offset = offset
    self.bytes = bytes
    self.rows = rows
    self.isCut = isCut
    self.hash = hash
  }
}

/// A command line as it stood on the screen of a terminal when Enter was pressed: an aid, which programs can deceive.
public struct TypedCommand: Hashable, Sendable {
  public var session: String
  /// The shell that it was typed into.
  public var command: CommandID
  public var facts: CommandFacts
  /// The deny rules that it meets, by name.
  public var rules: [String]
  /// The session ended for it.
  public var isEnd: Bool

  public init(session: String, command: CommandID, facts: CommandFacts, rules: [String], isEnd: Bool) {
    self.session = session
    self.command = command
    self.facts = facts
    self.rules = rules
    self.isEnd = isEnd
  }
}

/// A step in the life of an approval request.
public struct ApprovalRecord: Hashable, Sendable {
  public enum Step: String, Hashable, Sendable {
    case requested, approved, refused, expired, cancelled, consumed
    /// A command was not held because of a grant of access, or of an approval that covers more than one statement.
    case used
  }
  public var request: Int64
  public var session: String
  public var command: CommandID
  public var step: Step
  /// Who took the step; the requester for `requested`.
  public var person: String
  public var reason: String

  public init(
    request: Int64, session: String, command: CommandID, step: Step, person: String, reason: String = ""
  ) {
    self.request = request
    self.session = session
    self.command = command
    self.step = step
    self.person = person
    self.reason = reason
  }
}

/// One attempt to put another configuration in force.
public struct ConfigurationReload: Hashable, Sendable {
  /// What asked for it: `signal`, `control` or `file`.
  public var trigger: String
  /// Who asked; the process itself where nobody did.
  public var actor: String
  public var isAccepted: Bool
  /// Hash of the configuration that was in force.
  public var previous: String
  /// Hash of the other; empty when its files could not be read.
  public var policy: String
  /// What differs, a line each: `+ path: value`, `- path: value`. Never a secret.
  public var changes: [String]
  /// What will only hold after the next start, or why the configuration was refused; a line each.
  public var notes: [String]

  public init(
    trigger: String, actor: String, isAccepted: Bool, previous: String, policy: String, changes: [String],
    notes: [String]
  ) {
    self.trigger = trigger
    self.actor = actor
    self.isAccepted = isAccepted
    self.previous = previous
    self.policy = policy
    self.changes = changes
    self.notes = notes
  }
}

/// Why a record could not be made safe; whatever it describes must then not happen.
public struct AuditFailure: Error, Hashable, Sendable {
  /// Lower case, without a full stop.
  public var message: String
  public init(_ message: String) { self.message = message }
}

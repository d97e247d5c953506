import AccessModel

/// A reply that the backend owes for a message that it was sent.
struct ExpectedReply: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// Anything up to ReadyForQuery.
    case query(CommandID)
    case functionCall(CommandID)
    case parse(CommandID, statement: String)
    case bind(CommandID, portal: String)
    case describeStatement(String)
    case describePortal(CommandID?, portal: String)
    /// A Describe of our own: its answer tells the columns and does not reach the client.
    case injectedDescribe(CommandID?, portal: String)
    case execute(CommandID, portal: String)
    case closeStatement(String)
    case closePortal
    case sync
    /// Questions of our own up to their ReadyForQuery; the client sees nothing of the answers.
    case catalog
    /// The statement that always fails, in place of a refused one (DECISIONS 2). Its error becomes the refusal.
    case failingQuery(Refusal)
    case failingParse(Refusal)
  }
  var kind: Kind

  init(_ kind: Kind) { self.kind = kind }
}

/// The replies that a backend still owes, in order: the heart of a PostgreSQL proxy.
///
/// It follows the protocol's rule for errors: after one, everything up to the next Sync goes unanswered.
struct ReplyQueue {
  private var entries: [ExpectedReply] = []
  private var first = 0
  /// Replies that have come, or were skipped, since the session began.
  private(set) var settled: UInt64 = 0

  var isEmpty: Bool { first == entries.count }
  var count: Int { entries.count - first }

  /// The reply that is due.
  var head: ExpectedReply.Kind? { first < entries.count ? entries[first].kind : nil }

  mutating func append(_ kind: ExpectedReply.Kind) { entries.append(ExpectedReply(kind)) }

  mutating func removeHead() {
    guard first < entries.count else { return }
    first += 1
    settled &+= 1
    if first == entries.count {
      entries.removeAll(keepingCapacity: true)
      first = 0
    } else if first >= 256, first * 2 >= entries.count {
      entries.removeFirst(first)
      first = 0
    }
  }

  /// After an error in the extended protocol: takes out what the backend skips, up to the next Sync.
  ///
  /// Returns what was taken out, and whether a Sync is there that ends the skipping.
  mutating func skipToSync() -> (skipped: [ExpectedReply.Kind], reachesSync: Bool) {
    var skipped: [ExpectedReply.Kind] = []
    while first < entries.count {
      if case .sync = entries[first].kind { return (skipped, true) }
      skipped.append(entries[first].kind)
      removeHead()
    }
    return (skipped, false)
  }
}

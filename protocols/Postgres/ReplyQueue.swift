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
  /// A ring: an entry stays where it is until another takes its place, so that answers cost no moves.
  private var entries = [ExpectedReply](repeating: ExpectedReply(.sync), count: 16)
  private var first = 0
  private(set) var count = 0
  /// Questions of our own whose answers have not all come.
  private var catalogs = 0
  /// Replies that have come, or were skipped, since the session began.
  private(set) var settled: UInt64 = 0

  var isEmpty: Bool { count == 0 }
  /// Whether answers to questions of our own are among those owed.
  var owesCatalog: Bool { catalogs > 0 }

  /// The reply that is due.
  var head: ExpectedReply.Kind? { count > 0 ? entries[first].kind : nil }

  mutating func append(_ kind: ExpectedReply.Kind) {
    if count == entries.count { grow() }
    entries[(first + count) & (entries.count - 1)] = ExpectedReply(kind)
    count += 1
    if case .catalog = kind { catalogs += 1 }
  }

  /// The number of entries is always a power of two.
  @inline(never)
  private mutating func grow() {
    entries = Array(entries[first...]) + Array(entries[..<first])
    first = 0
    entries += [ExpectedReply](repeating: ExpectedReply(.sync), count: entries.count)
  }

  mutating func removeHead() {
    guard count > 0 else { return }
    if catalogs > 0, case .catalog = entries[first].kind { catalogs -= 1 }
    first = (first + 1) & (entries.count - 1)
    count -= 1
    settled &+= 1
    // A long pipeline is over: its room is not kept.
    if count == 0, entries.count > 256 {
      entries = [ExpectedReply](repeating: ExpectedReply(.sync), count: 16)
      first = 0
    }
  }

  /// After an error in the extended protocol: takes out what the backend skips, up to the next Sync.
  ///
  /// Returns what was taken out, and whether a Sync is there that ends the skipping.
  mutating func skipToSync() -> (skipped: [ExpectedReply.Kind], reachesSync: Bool) {
    var skipped: [ExpectedReply.Kind] = []
    while let head {
      if case .sync = head { return (skipped, true) }
      skipped.append(head)
      removeHead()
    }
    return (skipped, false)
  }
}

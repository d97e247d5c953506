import AccessModel

/// The commands of one session that were permitted and have not ended, in the order in which they began.
///
/// Numbers of commands only grow and most commands end in order, so this is a queue that is searched by halving.
struct CommandsUnderWay {
  struct Entry {
    var id: CommandID
    /// µs on the monotonic clock.
    var began: Int64
    /// Whether it may change the schema.
    var isDefinition: Bool
    /// What masked results and errors need of the command; nil where no mask can apply.
    var facts: CommandFacts?
    fileprivate var hasEnded = false

    init(id: CommandID, began: Int64, isDefinition: Bool, facts: CommandFacts?) {
      self.id = id
      self.began = began
      self.isDefinition = isDefinition
      self.facts = facts
    }
  }

  private var entries: [Entry] = []
  private var head = 0

  /// Including those that ended before one that began earlier.
  var count: Int { entries.count - head }

  /// Those that have not ended, the oldest first.
  var all: [Entry] { entries[head...].filter { !$0.hasEnded } }

  mutating func append(_ entry: Entry) {
    // A held command can begin after a later one was refused, but never after a later one began.
    guard entries.last.map({ $0.id < entry.id }) ?? true else { return }
    entries.append(entry)
  }

  func find(_ id: CommandID) -> Entry? {
    index(of: id).map { entries[$0] }
  }

  /// Takes a command out, wherever it stands.
  mutating func remove(_ id: CommandID) {
    guard let index = index(of: id) else { return }
    entries[index].hasEnded = true
    entries[index].facts = nil
    while head < entries.count, entries[head].hasEnded { head += 1 }
    if head == entries.count {
      entries.removeAll(keepingCapacity: entries.capacity <= 64)
      head = 0
    } else if head >= 64, head * 2 >= entries.count {
      entries.removeFirst(head)
      head = 0
    }
  }

  mutating func removeAll() {
    entries.removeAll()
    head = 0
  }

  private func index(of id: CommandID) -> Int? {
    var low = head
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && entries[low].id == id && !entries[low].hasEnded ? low : nil
  }
}

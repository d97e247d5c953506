import AccessModel

/// Analyses by exact text, so that a text seen before costs one look-up (DECISIONS 1); behind them those by normal form,
/// for texts that differ from one seen before in plain literals only.
///
/// Not Sendable: each event loop has its own. Bounded in entries and bytes; what was not used since the hand last came
/// by goes first (second chance). All entries belong to one epoch of the function catalogue.
public struct AnalysisCache {
  private struct Entry {
    var hash: UInt64
    var analysis: Analysis
    var weight: Int
    var isRecent: Bool
  }

  public let entryLimit: Int
  /// Of all texts with what hangs on them, by estimate.
  public let byteLimit: Int
  /// Grows with each `advance`. An analysis made in an earlier one is not taken in.
  public private(set) var epoch: UInt64 = 0
  public private(set) var bytes = 0
  public var count: Int { entries.count }

  /// Entries lie dense; `slots` holds an index plus one by open addressing, 0 for none.
  private var entries: [Entry] = []
  private var slots: [UInt32]
  private let mask: Int
  private var hand = 0
  /// Clients choose the texts, so that the hash needs a secret.
  private let seed: UInt64
  private var templates = TemplateCache()

  /// A cache of at most `entryLimit` texts (at least 1) and some `byteLimit` bytes.
  public init(entryLimit: Int = 4_096, byteLimit: Int = 16 << 20) {
    let limit = min(max(entryLimit, 1), 1 << 24)
    var size = 8
    while size < limit * 2 { size *= 2 }
    self.entryLimit = limit
    self.byteLimit = max(byteLimit, 0)
    slots = Array(repeating: 0, count: size)
    mask = size - 1
    seed = UInt64.random(in: .min ... .max)
    entries.reserveCapacity(min(limit, 1_024))
  }

  /// The analysis of the text with exactly these bytes, or nil. When only its normal form is known, a new object that
  /// is not kept: such texts hardly come again.
  public mutating func find(_ text: UnsafeRawBufferPointer) -> Analysis? {
    findExact(text) ?? templates.find(text)
  }

  private mutating func findExact(_ text: UnsafeRawBufferPointer) -> Analysis? {
    let hash = AnalysisCache.hash(text, seed)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if entries[index].hash == hash, AnalysisCache.isEqual(entries[index].analysis.text, text) {
        entries[index].isRecent = true
        return entries[index].analysis
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Takes an analysis in that was begun in `epoch`, unless it is out of date, present, too large, or of no text.
  public mutating func insert(_ analysis: Analysis, epoch: UInt64) {
    // A text that is not UTF-8 was mended to make a String: its bytes are not those that came.
    guard epoch == self.epoch, analysis.detail.misunderstood != .notText else { return }
    let weight = AnalysisCache.weight(analysis)
    guard weight <= byteLimit / 4 else { return }
    var text = analysis.text
    let hash = text.withUTF8 { AnalysisCache.hash(UnsafeRawBufferPointer($0), seed) }
    guard text.withUTF8({ findExact(UnsafeRawBufferPointer($0)) }) == nil else { return }
    if analysis.isTemplate { templates.insert(analysis, weight: weight) }
    while !entries.isEmpty, entries.count >= entryLimit || bytes + weight > byteLimit { evict() }
    entries.append(Entry(hash: hash, analysis: analysis, weight: weight, isRecent: false))
    bytes += weight
    place(hash, UInt32(truncatingIfNeeded: entries.count))
  }

  /// Forgets everything, because what functions do has changed.
  public mutating func advance() {
    epoch &+= 1
    entries.removeAll(keepingCapacity: true)
    for slot in slots.indices { slots[slot] = 0 }
    bytes = 0
    hand = 0
    templates.removeAll()
  }
}

/// Eviction and the table.
extension AnalysisCache {
  private mutating func evict() {
    while true {
      if hand >= entries.count { hand = 0 }
      if !entries[hand].isRecent { break }
      entries[hand].isRecent = false
      hand += 1
    }
    bytes -= entries[hand].weight
    vacate(slot(of: hand))
    let last = entries.count - 1
    if hand != last {
      slots[slot(of: last)] = UInt32(truncatingIfNeeded: hand + 1)
      entries.swapAt(hand, last)
    }
    entries.removeLast()
  }

  private mutating func place(_ hash: UInt64, _ number: UInt32) {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = number
  }

  private func slot(of index: Int) -> Int {
    var slot = Int(truncatingIfNeeded: entries[index].hash) & mask
    while slots[slot] != UInt32(truncatingIfNeeded: index + 1) { slot = (slot + 1) & mask }
    return slot
  }

  /// Empties a slot and moves back what had been pushed past it (Knuth 6.4, algorithm R).
  private mutating func vacate(_ start: Int) {
    var hole = start
    var slot = start
    while true {
      slots[hole] = 0
      while true {
        slot = (slot + 1) & mask
        if slots[slot] == 0 { return }
        let home = Int(truncatingIfNeeded: entries[Int(slots[slot]) - 1].hash) & mask
        // It may stay when its home lies cyclically in (hole, slot].
        let stays = hole <= slot ? (hole < home && home <= slot) : (hole < home || home <= slot)
        if !stays { break }
      }
      slots[hole] = slots[slot]
      hole = slot
    }
  }

  /// Bytes that an analysis holds, by estimate.
  private static func weight(_ analysis: Analysis) -> Int {
    var accesses = 0
    if case .resources(let all) = analysis.footprint { accesses = all.count }
    let columns = analysis.detail.statements.reduce(0) { $0 + $1.lineage.weight }
    return 512 + analysis.text.utf8.count + 384 * analysis.detail.statements.count + 256 * accesses + 128 * columns
  }

  static func isEqual(_ text: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
    text.utf8.withContiguousStorageIfAvailable { mine in
      UnsafeRawBufferPointer(mine).holdsSame(as: bytes)
    } ?? text.utf8.elementsEqual(bytes)
  }

  /// Multiplies eight bytes at a time and folds the halves of the product, as wyhash does.
  static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
    var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count)
    var at = 0
    while at + 8 <= bytes.count {
      hash = fold(hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self), 0x9e37_79b9_7f4a_7c15)
      at += 8
    }
    var tail: UInt64 = 0
    while at < bytes.count {
      tail = tail << 8 | UInt64(bytes[at])
      at += 1
    }
    return fold(fold(hash ^ tail, 0xa076_1d64_78bd_642f), seed | 1)
  }

  private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}

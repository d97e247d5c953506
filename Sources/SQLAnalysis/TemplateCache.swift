import AccessModel

/// Analyses by normal form: one look-up for every text that differs from one seen before in plain literals only.
///
/// Holds only what `PlainLiterals` lets be shared, and gives the form's analysis with the text that was asked for. A form
/// is found by a keyed hash and then compared byte by byte, so that no collision can lend a text another's analysis.
/// Bounded in entries and bytes; each form may lie in one of four places only, and which of the four gives way goes by
/// second chance.
struct TemplateCache {
  private struct Entry {
    var form: [UInt8]
    var analysis: Analysis
    var weight: Int
    var isRecent = false
  }

  static let ways = 4
  let byteLimit: Int
  private(set) var bytes = 0
  private(set) var count = 0

  private var entries: [Entry?]
  /// The hashes of the entries; what stands for no entry does not matter.
  private var hashes: [UInt64]
  private let mask: Int
  /// The entry that is next to go when bytes run short.
  private var hand = 0
  private var scratch = NormalForm()
  /// Clients choose the texts, so that the hash needs a secret.
  private let seed = UInt64.random(in: .min ... .max)

  /// A cache of at least `entryLimit` forms, rounded up to a power of two, and some `byteLimit` bytes.
  init(entryLimit: Int = 1_024, byteLimit: Int = 4 << 20) {
    var size = TemplateCache.ways
    while size < min(max(entryLimit, 1), 1 << 20) { size *= 2 }
    self.byteLimit = max(byteLimit, 0)
    entries = Array(repeating: nil, count: size)
    hashes = Array(repeating: 0, count: size)
    mask = size / TemplateCache.ways - 1
  }

  /// The analysis of a text whose form is known, or nil.
  mutating func find(_ text: UnsafeRawBufferPointer) -> Analysis? {
    guard count > 0, scratch.read(text), scratch.literals > 0 else { return nil }
    let hash = scratch.withBytes { AnalysisCache.hash($0, seed) }
    guard let index = index(of: hash), let template = entries[index]?.analysis else { return nil }
    // The form does not show whether the literals are UTF-8, without which a text is not understood: they have been
    // mended then.
    let string = String(decoding: text.bindMemory(to: UInt8.self), as: UTF8.self)
    guard AnalysisCache.isEqual(string, text) else { return nil }
    entries[index]?.isRecent = true
    return Analysis(text: string, like: template)
  }

  /// Takes in an analysis that `isTemplate`, unless its form is known or it is too large; `weight` is what it holds.
  mutating func insert(_ analysis: Analysis, weight: Int) {
    var text = analysis.text
    let isRead = text.withUTF8 { scratch.read(UnsafeRawBufferPointer($0)) }
    guard analysis.isTemplate, isRead, scratch.literals > 0 else { return }
    let form = scratch.withBytes { Array($0) }
    let hash = scratch.withBytes { AnalysisCache.hash($0, seed) }
    let weight = weight + form.count
    guard index(of: hash) == nil, weight <= byteLimit / 4 else { return }
    let place = place(for: hash)
    remove(at: place)
    while bytes + weight > byteLimit { evict() }
    hashes[place] = hash
    entries[place] = Entry(form: form, analysis: analysis, weight: weight)
    bytes += weight
    count += 1
  }

  mutating func removeAll() {
    for index in entries.indices { remove(at: index) }
  }

  /// Where the form in `scratch` lies, which has this hash.
  private func index(of hash: UInt64) -> Int? {
    let first = (Int(truncatingIfNeeded: hash) & mask) * TemplateCache.ways
    for index in first..<(first + TemplateCache.ways) {
      guard hashes[index] == hash, let form = entries[index]?.form else { continue }
      if scratch.withBytes({ mine in form.withUnsafeBytes { $0.holdsSame(as: mine) } }) { return index }
    }
    return nil
  }

  /// One of the four places of that hash: a free one, one not used since the last time, or the first.
  private mutating func place(for hash: UInt64) -> Int {
    let first = (Int(truncatingIfNeeded: hash) & mask) * TemplateCache.ways
    let ways = first..<(first + TemplateCache.ways)
    if let free = ways.first(where: { entries[$0] == nil }) { return free }
    if let old = ways.first(where: { entries[$0]?.isRecent == false }) { return old }
    for index in ways { entries[index]?.isRecent = false }
    return first
  }

  /// Frees some place; `bytes` is not 0, so that there is one.
  private mutating func evict() {
    while true {
      hand = (hand + 1) % entries.count
      guard let entry = entries[hand] else { continue }
      if !entry.isRecent { return remove(at: hand) }
      entries[hand]?.isRecent = false
    }
  }

  private mutating func remove(at index: Int) {
    guard let entry = entries[index] else { return }
    bytes -= entry.weight
    count -= 1
    entries[index] = nil
  }
}

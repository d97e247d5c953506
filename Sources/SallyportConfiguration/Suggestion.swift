/// Finds what somebody probably meant to write.
enum Suggestion {
  /// `Did you mean "x"?` when a candidate is close, else all candidates if there are few, else nil.
  static func forName(_ name: String, among candidates: some Sequence<String>, called plural: String) -> String? {
    let candidates = Set(candidates).sorted()
    if let close = closest(to: name, among: candidates) { return "Did you mean \"\(close)\"?" }
    guard let only = candidates.first, candidates.count <= 40 else { return nil }
    if candidates.count == 1 { return "Only \(only) is known." }
    return "Known \(plural) are \(candidates.joined(separator: ", "))."
  }

  /// The candidate with the fewest edits, at most one in three characters; nil when none is that close.
  static func closest(to name: String, among candidates: [String]) -> String? {
    guard name.utf8.count <= 64 else { return nil }
    let word = Array(name.lowercased().utf8)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates where candidate.utf8.count <= 64 {
      let other = Array(candidate.lowercased().utf8)
      let distance = editDistance(word, other)
      let allowed = max(1, max(word.count, other.count) / 3)
      if distance <= allowed, distance < (best?.distance ?? Int.max) { best = (candidate, distance) }
    }
    return best?.candidate
  }

  /// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
  static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i]
      row.reserveCapacity(b.count + 1)
      for j in 1...b.count {
        let substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        var cost = min(substitution, last[j] + 1, row[j - 1] + 1)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, beforeLast[j - 2] + 1) }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}

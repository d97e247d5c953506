// MaskProof: makes statements that try to get at masked values, and finds those values in what comes back.

/// The choices that made a statement: drawn from a seed, or given, so that fewer and smaller ones make a simpler one.
public struct Choices: Sendable {
  /// What was chosen so far, in order; 0 is always the simplest.
  public private(set) var made: [UInt32] = []
  private let given: [UInt32]?
  private var state: UInt64

  /// A statement's share in a run: the same seed and number give the same statement.
  public init(seed: UInt64, number: Int) {
    given = nil
    state = seed &+ UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
  }

  /// These, and the simplest where they do not reach.
  public init(_ given: [UInt32]) {
    self.given = given
    state = 0
  }

  /// From 0 up to `bound`, which is at least 1.
  public mutating func next(_ bound: Int) -> Int {
    let bound = UInt64(max(1, bound))
    let choice: UInt64
    if let given {
      choice = made.count < given.count ? UInt64(given[made.count]) % bound : 0
    } else {
      choice = random() % bound
    }
    made.append(UInt32(truncatingIfNeeded: choice))
    return Int(choice)
  }

  /// True for so many of a hundred; false is the simpler.
  public mutating func chance(_ percent: Int) -> Bool { next(100) >= 100 - percent }

  public mutating func pick<Item>(_ items: [Item]) -> Item { items[next(items.count)] }

  /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
  private mutating func random() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// Makes the choices behind a statement fewer and smaller, as long as what they make still shows the same.
public struct Shrinking {
  /// Tries that one statement is worth.
  public var tries: Int
  public init(tries: Int = 400) { self.tries = tries }

  /// - Parameter shows: whether these choices still make a statement that shows what it is about.
  public func shrink(_ choices: [UInt32], _ shows: ([UInt32]) throws -> Bool) rethrows -> [UInt32] {
    var best = choices
    var left = tries
    func attempt(_ candidate: [UInt32]) throws -> Bool {
      guard left > 0, candidate.count < best.count || candidate.lexicographicallyPrecedes(best) else { return false }
      left -= 1
      guard try shows(candidate) else { return false }
      best = candidate
      return true
    }
    var isBetter = true
    while isBetter, left > 0 {
      isBetter = false
      // Pieces go, the longest first.
      var length = max(1, best.count / 2)
      while length > 0, left > 0 {
        var start = 0
        while start + length <= best.count, left > 0 {
          var candidate = best
          candidate.removeSubrange(start..<(start + length))
          if try attempt(candidate) { isBetter = true } else { start += max(1, length / 2) }
        }
        length /= 2
      }
      var index = 0
      while index < best.count, left > 0 {
        if best[index] > 0 {
          var candidate = best
          candidate[index] = 0
          if try attempt(candidate) { isBetter = true }
        }
        index += 1
      }
    }
    return best
  }
}

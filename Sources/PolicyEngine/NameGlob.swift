/// A name pattern in which only `*` is special and stands for any run of characters.
public struct NameGlob: Sendable, Hashable {
  public let text: String
  private let pattern: [UInt8]
  /// True when there is no `*` in it, so that it can be only one name.
  public let isExact: Bool

  public init(_ text: String) {
    self.text = text
    pattern = Array(text.utf8)
    isExact = !text.utf8.contains(UInt8(ascii: "*"))
  }

  /// Compares bytes: two spellings of one letter are two names. Without recursion or allocation, at most the product of
  /// both lengths.
  public func matches(_ name: String) -> Bool {
    if isExact { return name.utf8.elementsEqual(pattern) }
    if pattern.count == 1 { return true }
    let name = name.utf8
    var p = 0
    var n = name.startIndex
    var resume: (pattern: Int, name: String.UTF8View.Index)?
    while n < name.endIndex {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        p += 1
        resume = (p, n)
      } else if p < pattern.count, pattern[p] == name[n] {
        p += 1
        name.formIndex(after: &n)
      } else if let last = resume {
        // Let the last star swallow one more byte and try again behind it.
        n = name.index(after: last.name)
        resume = (last.pattern, n)
        p = last.pattern
      } else {
        return false
      }
    }
    while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
    return p == pattern.count
  }
}

extension NameGlob: CustomStringConvertible {
  public var description: String { text }
}

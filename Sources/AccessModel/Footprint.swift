/// Something on a backend that a command touches: a relation, a routine, a file, a host.
///
/// `path` runs from the outermost name inwards (`[schema, relation]`). A part that could not be resolved is nil: it may
/// be any name, so a pattern *may* match it and never *must*.
public struct Resource: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case relation, routine, file, host, path
  }
  public var kind: Kind
  public var path: [String?]

  public init(_ kind: Kind, _ path: [String?]) {
    self.kind = kind
    self.path = path
  }

  /// A table, view or other relation; `schema` nil when only search_path knows it.
  public static func relation(schema: String?, _ name: String) -> Resource {
    Resource(.relation, [schema, name])
  }

  /// A function or procedure; `schema` nil when only search_path knows it.
  public static func routine(schema: String?, _ name: String) -> Resource {
    Resource(.routine, [schema, name])
  }
}

extension Resource: CustomStringConvertible {
  /// `public.customers`, or `customers` when the schema is not resolved.
  public var description: String { path.compactMap { $0 }.joined(separator: ".") }
}

/// One resource and what may be done to it.
public struct ResourceAccess: Hashable, Sendable {
  public var resource: Resource
  public var effects: Effects

  public init(_ resource: Resource, _ effects: Effects) {
    self.resource = resource
    self.effects = effects
  }
}

extension ResourceAccess: CustomStringConvertible {
  public var description: String { "\(resource):\(effects)" }
}

/// All that a command may touch; `.everything` when that could not be worked out.
public enum Footprint: Hashable, Sendable {
  case everything
  /// Sorted by description and free of duplicates, so that equal footprints are equal values.
  case resources([ResourceAccess])

  public static let nothing = Footprint.resources([])

  /// A footprint of these accesses; several accesses to one resource are joined.
  public init(_ accesses: some Sequence<ResourceAccess>) {
    var joined: [Resource: Effects] = [:]
    for access in accesses { joined[access.resource, default: []].formUnion(access.effects) }
    self = .resources(
      joined.map { ResourceAccess($0.key, $0.value) }
        .sorted { $0.description < $1.description })
  }

  /// Everything that either may touch.
  public func union(_ other: Footprint) -> Footprint {
    guard case .resources(let mine) = self, case .resources(let theirs) = other else { return .everything }
    if theirs.isEmpty { return self }
    if mine.isEmpty { return other }
    return Footprint(mine + theirs)
  }
}

extension Footprint: CustomStringConvertible {
  /// `everything`, `nothing`, or `public.customers:write,public.orders:read`.
  public var description: String {
    switch self {
    case .everything: "everything"
    case .resources(let accesses) where accesses.isEmpty: "nothing"
    case .resources(let accesses): accesses.map(\.description).joined(separator: " ")
    }
  }
}

/// A name pattern as rules write it: parts bind from the right, `*` stands for any run of characters within one part.
///
/// `customers` matches that relation in every schema, `public.*` every relation of `public`.
public struct NamePattern: Hashable, Sendable {
  /// Lower-case-sensitive parts, outermost first.
  public let parts: [String]

  /// nil when the text is empty, has an empty part or more than three parts.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 3, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.parts = parts
  }

  /// True when the path could be one that this pattern names: unresolved parts could be anything.
  public func mayMatch(_ path: [String?]) -> Bool { compare(path, unresolved: true) }

  /// True only when the path is certainly one that this pattern names.
  public func mustMatch(_ path: [String?]) -> Bool { compare(path, unresolved: false) }

  private func compare(_ path: [String?], unresolved: Bool) -> Bool {
    for (offset, pattern) in parts.reversed().enumerated() {
      let index = path.count - 1 - offset
      guard index >= 0 else { return unresolved }
      guard let name = path[index] else {
        if pattern == "*" || unresolved { continue }
        return false
      }
      if !NamePattern.glob(pattern, name) { return false }
    }
    return true
  }

  /// Matches `name` against a pattern in which only `*` is special. Linear in both, without recursion.
  static func glob(_ pattern: String, _ name: String) -> Bool {
    if pattern == "*" { return true }
    let pattern = Array(pattern.utf8)
    let name = Array(name.utf8)
    var p = 0, n = 0, star = -1, resume = 0
    while n < name.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = p
        resume = n
        p += 1
      } else if p < pattern.count, pattern[p] == name[n] {
        p += 1
        n += 1
      } else if star >= 0 {
        p = star + 1
        resume += 1
        n = resume
      } else {
        return false
      }
    }
    while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
    return p == pattern.count
  }
}

extension NamePattern: CustomStringConvertible {
  public var description: String { parts.joined(separator: ".") }
}

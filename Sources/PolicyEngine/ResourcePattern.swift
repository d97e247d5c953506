import AccessModel

/// A pattern over whatever a command touches: relations and routines by their dotted names, bound from the right, and
/// files and hosts by all of their name.
public struct ResourcePattern: Sendable, Hashable {
  public let text: String
  /// nil for what cannot be the name of a relation.
  private let name: NamePattern?
  private let glob: NameGlob

  public init(_ text: String) {
    self.text = text
    name = NamePattern(text)
    glob = NameGlob(text)
  }

  func mayMatch(_ resource: Resource) -> Bool {
    switch resource.kind {
    case .relation, .routine: name?.mayMatch(resource.path) ?? false
    case .file, .host, .path: resource.path.contains(nil) || glob.matches(resource.description)
    }
  }

  func mustMatch(_ resource: Resource) -> Bool {
    switch resource.kind {
    case .relation, .routine: name?.mustMatch(resource.path) ?? false
    case .file, .host, .path: !resource.path.contains(nil) && glob.matches(resource.description)
    }
  }
}

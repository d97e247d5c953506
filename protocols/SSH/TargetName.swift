/// What an SSH client gives as its user name in one hop: `[login%]connection` (DECISIONS 31).
///
/// It says where to, never who: the person comes from the key or token.
public struct TargetName: Hashable, Sendable {
  /// The account on the backend; nil for the one that the connection chooses.
  public var login: String?
  public var connection: String

  public init(login: String?, connection: String) {
    self.login = login
    self.connection = connection
  }

  /// nil when a part is empty or too long (255 bytes), or there is more than one `%`.
  public init?(_ text: String) {
    guard text.utf8.count <= 255 else { return nil }
    let parts = text.split(separator: "%", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }), let connection = parts.last else { return nil }
    self.init(login: parts.count == 2 ? parts[0] : nil, connection: connection)
  }
}

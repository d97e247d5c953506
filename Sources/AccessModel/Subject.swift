/// Who asks: an authenticated person or service, on one connection, from one address.
public struct Subject: Hashable, Sendable {
  public var user: String
  public var groups: [String]
  /// The connection's name in the configuration.
  public var connection: String
  public var labels: [String: String]
  /// `postgres`, `ssh` or `http`.
  public var protocolName: String
  /// The client's numeric address, without a port.
  public var clientAddress: String

  public init(
    user: String, groups: [String], connection: String, labels: [String: String] = [:],
    protocolName: String = "postgres", clientAddress: String = ""
  ) {
    self.user = user
    self.groups = groups
    self.connection = connection
    self.labels = labels
    self.protocolName = protocolName
    self.clientAddress = clientAddress
  }
}

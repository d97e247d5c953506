/// A column that a mask rule has met, by its numbers and by what it was called then.
public struct ColumnBinding: Hashable, Sendable {
  public var connection: String
  public var database: String
  /// OID of the relation.
  public var relation: UInt32
  public var attribute: Int16
  /// `[schema, relation, column]`.
  public var path: [String]

  public init(connection: String, database: String, relation: UInt32, attribute: Int16, path: [String]) {
    self.connection = connection
    self.database = database
    self.relation = relation
    self.attribute = attribute
    self.path = path
  }
}

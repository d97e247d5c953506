import Store

/// What the store of a data folder kept of its audit trail, for those who check the trail.
public enum AuditCheckpoints {
  /// The newest signed seal; nil when there is no store, or none in it. A gateway may have the store open.
  public static func latest(data: String) throws -> String? {
    do {
      return try SQLiteStore.latestCheckpoint(data: data)
    } catch { throw GatewayFailure(error.message, hint: error.hint) }
  }
}

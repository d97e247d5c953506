/// What the audit trail keeps beyond what it must.
public struct AuditSettings: Sendable, Hashable {
  /// The values bound to statements, those excepted that masks or secrets take out.
  public var recordsBinds = true
  public init() {}
}

extension ConfigurationReader {
  /// `audit:` of the gateway.
  func auditSettings(_ value: YAMLValue) -> AuditSettings? {
    guard var keys = MappingReader(value, "audit", mistakes, .audit) else { return nil }
    var settings = AuditSettings()
    if let value = keys.take("binds"), let isOn = word(value, "binds", among: [("on", true), ("off", false)]) {
      settings.recordsBinds = isOn
    }
    keys.finish()
    return settings
  }
}

extension MappingShape {
  static let audit = MappingShape(
    "audit",
    [Key("binds", .words(["on", "off"]), "Values bound to statements, without those under a mask. Default: on.")],
    planned: ["durability"])
}

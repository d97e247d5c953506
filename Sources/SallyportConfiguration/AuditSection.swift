/// How the audit trail is kept, and what beyond what it must.
public struct AuditSettings: Sendable, Hashable {
  /// What a record outlives when the command that it describes goes to the backend.
  public enum Durability: String, Sendable, Hashable, CaseIterable {
    /// The end of the gateway's process, also by force.
    case process
    /// The loss of power, too: the disk has it.
    case sync
  }
  public var durability = Durability.process
  /// The values bound to statements, those excepted that masks or secrets take out.
  public var recordsBinds = true
  /// Whether texts and values are kept with what detectors find in them.
  public var isRaw = false
  /// File outside the data folder to which each new seal is added, as written; nil: none.
  public var checkpointFile: String?
  /// Where each new seal is posted; nil: nowhere.
  public var checkpointWebhook: WebhookSettings?
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
    if let value = keys.take("durability") {
      let words = AuditSettings.Durability.allCases.map { ($0.rawValue, $0) }
      settings.durability = word(value, "durability", among: words) ?? .process
    }
    if let value = keys.take("record"), let isRaw = word(value, "record", among: [("masked", false), ("raw", true)]) {
      settings.isRaw = isRaw
    }
    if let value = keys.take("checkpoint") { readCheckpoint(value, into: &settings) }
    keys.finish()
    return settings
  }

  /// `checkpoint:`, where the heads of the trail are kept beside the data folder.
  private func readCheckpoint(_ value: YAMLValue, into settings: inout AuditSettings) {
    guard var keys = MappingReader(value, "checkpoint", mistakes, .checkpoint) else { return }
    let (file, hook) = (keys.take("file"), keys.take("webhook"))
    keys.finish()
    if file == nil, hook == nil {
      mistakes.add(
        value.place, "checkpoint has neither file nor webhook",
        "Write it like checkpoint: { file: /mnt/elsewhere/head.jsonl }.")
    }
    settings.checkpointFile = file.flatMap { text($0, "the file of checkpoint") }
    settings.checkpointWebhook = hook.flatMap { webhook($0) }
  }
}

extension MappingShape {
  static let audit = MappingShape(
    "audit",
    [
      Key("binds", .words(["on", "off"]), "Values bound to statements, without those under a mask. Default: on."),
      Key(
        "durability", .words(["process", "sync"]),
        "What a record outlives before its command runs: the process (the default), or a loss of power."),
      Key(
        "record", .words(["masked", "raw"]),
        "masked: texts and values are kept without what detectors find in them. Default: masked."),
      Key("checkpoint", .mapping(.checkpoint), "Where the signed heads of the trail are kept, too."),
    ])

  static let checkpoint = MappingShape(
    "checkpoint",
    [
      Key(
        "file", .text, "A file that whoever can write the data folder cannot change; each seal is added to it."),
      Key("webhook", .mapping(.webhook), "Where each seal is posted, as one line of JSON."),
    ], anyOf: ["file", "webhook"])
}

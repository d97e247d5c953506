import AccessModel
import Enforcement

/// How transcripts spell audit records.
enum AuditSpelling {
  /// `permit action=read footprint=customers:read`, `completed tag="SELECT 1" rows=1`, `control failingStatement`.
  static func line(for event: AuditEvent) -> String {
    switch event {
    case .decided(let record):
      return decided(
        record.action.rawValue, stage: record.command.stage.rawValue, rule: record.rule,
        effects: record.command.effects.description, footprint: record.command.footprint.description,
        approvers: record.approvers)
    case .finished(_, _, let outcome, _):
      return finished(
        outcome.ending.rawValue, tag: outcome.tag, error: outcome.errorCode, rows: outcome.rows,
        masked: outcome.masked)
    case .control(_, let purpose): return "control \(purpose.rawValue)"
    case .gatewayStarted, .gatewayStopped, .authenticated, .sessionOpened, .sessionClosed, .recorded, .typed,
      .approval, .administration, .configurationReloaded, .repeated:
      return "other"
    }
  }

  static func decided(
    _ action: String, stage: String, rule: String, effects: String, footprint: String, approvers: [String]
  ) -> String {
    var line = action
    if stage == Command.Stage.prepare.rawValue { line += " stage=prepare" }
    if !rule.isEmpty { line += " rule=\(rule)" }
    line += " action=\(effects) footprint=\(footprint.replacing(" ", with: ","))"
    if !approvers.isEmpty { line += " approvers=\(approvers.joined(separator: ","))" }
    return line
  }

  static func finished(_ ending: String, tag: String, error: String, rows: Int, masked: [String]) -> String {
    var line = ending
    if !tag.isEmpty { line += " tag=\"\(tag)\"" }
    if !error.isEmpty { line += " error=\(error)" }
    if rows > 0 { line += " rows=\(rows)" }
    if !masked.isEmpty { line += " masked=\(masked.joined(separator: ","))" }
    return line
  }
}

import Detection
import Foundation
import Logging
import MaskProof
import SallyportConfiguration

/// `mask scan`: samples a database with one of the gateway's own accounts, and proposes rules for columns that look
/// sensitive. Reads only, within bounds of rows, tables and time. Blocks: for a command.
public struct MaskScan {
  public struct Options: Sendable {
    /// Rows of each table.
    public var rows = 200
    public var tables = 1_000
    /// Altogether.
    public var seconds = 300
    /// nil: that of the connection's first credential.
    public var account: String?
    public init() {}
  }
  /// Tables done, and of how many.
  /// Returns whether to go on.
  public typealias Progress = (_ done: Int, _ total: Int) -> Bool
  private let configuration: GatewayConfiguration
  private let connection: String
  private let options: Options
  /// What values are looked at for.
  private let detectors = DetectorSet(.all, minimum: .medium)

  public init(_ configuration: GatewayConfiguration, connection: String, options: Options) {
    self.configuration = configuration
    self.connection = connection
    self.options = options
  }

  /// Of a value, characters that are looked at.
  private static let valueLimit = 2_000
  private static let columnLimit = 50_000
  /// A column is proposed when this share of its values looks like something.
  private static let share = 0.2

  private struct Column {
    var name: String
    var type: String
    var isReadable: Bool
  }
  private struct Table {
    var schema: String
    var name: String
    var kind: String
    var rows: Int
    var columns: [Column]
  }

  /// Throws `GatewayFailure` when the database cannot be reached.
  public func run(_ progress: Progress = { _, _ in true }) throws -> MaskScanReport {
    guard let settings = configuration.connections[connection] else {
      throw GatewayFailure("there is no connection \"\(connection)\"")
    }
    guard
      let credential = settings.credentials.first(where: { options.account == nil || $0.user == options.account })
    else { throw GatewayFailure("the connection \"\(connection)\" has no account \"\(options.account ?? "")\"") }
    var logger = Logger(label: "sallyport")
    logger.logLevel = .critical
    let gateway = try UnruledGateway(
      configuration, settings, accounts: [("scan", credential)], logger: logger)
    defer { gateway.stop() }
    let session = try gateway.session("scan")
    for sql in [
      "SET default_transaction_read_only = on", "SET statement_timeout = '5s'", "SET lock_timeout = '500ms'",
      "SET search_path = pg_catalog", "SET bytea_output = hex",
    ] {
      if let message = try session.run(sql, .simple).message { throw GatewayFailure("the session: \(message)") }
    }
    return try scan(session, account: credential.user, progress)
  }

  private func scan(_ session: ProofClient, account: String, _ progress: Progress) throws -> MaskScanReport {
    var report = MaskScanReport(connection: connection, account: account)
    let all = try tables(session)
    let end = Clock.monotonic() + Int64(options.seconds) * 1_000_000
    for (index, table) in all.enumerated() {
      let name = "\(table.schema).\(table.name)"
      guard index < options.tables, Clock.monotonic() < end else {
        report.skipped.append(
          "\(all.count - index) more tables: \(index < options.tables ? "no time was left" : "--tables")")
        break
      }
      report.tables += 1
      report.columns += table.columns.count
      let answer = try session.run(sample(table), .simple)
      if let message = answer.message { report.skipped.append("\(name): \(message)") }
      report.findings += findings(in: table, answer.results.first ?? [])
      guard progress(index + 1, all.count) else {
        report.skipped.append("\(all.count - index - 1) more tables: it was stopped")
        break
      }
    }
    return report
  }

  // MARK: What there is

  private func tables(_ session: ProofClient) throws -> [Table] {
    let answer = try session.run(
      """
      SELECT n.nspname, c.relname, c.relkind, greatest(c.reltuples, 0)::bigint, a.attname, format_type(a.atttypid, NULL), \
      t.typcategory IN ('S', 'N', 'I', 'D', 'A') OR t.typname IN ('json', 'jsonb', 'xml') \
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
      JOIN pg_type t ON t.oid = a.atttypid \
      WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$)' \
      AND a.attnum > 0 AND NOT a.attisdropped AND has_schema_privilege(n.oid, 'usage') \
      AND has_column_privilege(c.oid, a.attnum, 'select') \
      ORDER BY 1, 2, a.attnum LIMIT \(MaskScan.columnLimit)
      """, .simple)
    if let message = answer.message { throw GatewayFailure("the catalogue cannot be read: \(message)") }
    var tables: [Table] = []
    for row in answer.results.first ?? [] {
      let values = row.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "" }
      guard values.count == 7 else { continue }
      if tables.last?.schema != values[0] || tables.last?.name != values[1] {
        tables.append(
          Table(schema: values[0], name: values[1], kind: values[2], rows: Int(values[3]) ?? 0, columns: []))
      }
      tables[tables.count - 1].columns.append(
        Column(name: values[4], type: values[5], isReadable: values[6] == "t"))
    }
    return tables
  }

  /// A big table is sampled by its pages, which reads no more of it than is wanted.
  private func sample(_ table: Table) -> String {
    let columns = table.columns.map { column in
      column.isReadable ? "left(\(quoted(column.name))::text, \(MaskScan.valueLimit))" : "NULL"
    }
    let isBig = table.rows > options.rows * 50
    let percent = min(100, max(0.001, Double(options.rows) * 500 / Double(max(1, table.rows))))
    return "SELECT \(columns.joined(separator: ", ")) FROM \(quoted(table.schema)).\(quoted(table.name))"
      + (isBig ? " TABLESAMPLE SYSTEM (\(percent))" : "") + " LIMIT \(options.rows)"
  }

  private func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

  // MARK: What it looks like

  private func findings(in table: Table, _ rows: [[[UInt8]?]]) -> [MaskScanReport.Column] {
    table.columns.enumerated().compactMap { index, column in
      // A rule's pattern has its parts between points.
      guard ![table.schema, table.name, column.name].contains(where: { $0.contains(".") }) else { return nil }
      let values = rows.compactMap { index < $0.count ? $0[index] : nil }.filter { !$0.isEmpty }
      var counts: [String: Int] = [:]
      for value in values {
        let found = value.withUnsafeBytes { detectors.findings(in: $0) }
        for kind in Set(found.map { detectors.name(of: $0.detector) }) { counts[kind, default: 0] += 1 }
      }
      let best = counts.filter { Double($0.value) >= max(2, MaskScan.share * Double(values.count)) }
        .max { ($0.value, $1.key) < ($1.value, $0.key) }
      let named = SensitiveNames.kind(of: column.name).flatMap { fits($0, column.type) ? $0 : nil }
      guard best != nil || named != nil else { return nil }
      let kind = best?.key ?? named?.rawValue ?? ""
      return MaskScanReport.Column(
        column: "\(table.schema).\(table.name).\(column.name)", type: column.type, kind: kind, byName: named != nil,
        sampled: values.count, matched: best?.value ?? 0, mask: MaskScan.mask(kind, named))
    }
  }

  /// A flag or a date is no telephone number, whatever it is called.
  private func fits(_ kind: SensitiveNames.Kind, _ type: String) -> Bool {
    let isDate = type == "date" || type.hasPrefix("timestamp")
    if type == "boolean" || type.hasPrefix("time ") || type == "interval" { return false }
    if isDate { return kind == .birth }
    switch kind {
    case .income: return ["numeric", "integer", "bigint", "real", "double precision", "money"].contains(type)
    case .birth: return type.hasPrefix("character") || type == "text"
    default: return true
    }
  }

  /// The mask for what a detector or a name says.
  private static func mask(_ kind: String, _ named: SensitiveNames.Kind?) -> String {
    let known: [String: SensitiveNames.Kind] = [
      "email": .email, "phone": .phone, "credit-card": .card, "iban": .bankAccount, "date-of-birth": .birth,
    ]
    return (known[kind] ?? SensitiveNames.Kind(rawValue: kind) ?? named)?.mask ?? "redact"
  }
}

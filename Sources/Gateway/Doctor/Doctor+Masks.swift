import AccessModel
import Foundation
import Logging
import MaskProof
import PolicyEngine
import Postgres
import SallyportConfiguration

/// Whether the columns that masks name are there, and of types that the masks have values for.
extension Doctor {
  private struct Column {
    /// `[schema, relation, column]`.
    var path: [String]
    /// OID; of a domain that behind it.
    var type: UInt32
    var typeName: String

    var name: String { path.joined(separator: ".") }
  }

  /// Columns that are looked at; more are left out, and that is said.
  private static let columnLimit = 200_000
  /// Findings of one rule and kind that are told one by one.
  private static let told = 5

  func examineMasks(_ connection: ConnectionSettings) -> [Finding] {
    let rules = maskRules(on: connection)
    guard !rules.isEmpty, let credential = connection.credentials.first else { return [] }
    let subject = "connection \(connection.name), masks"
    let columns: [Column]
    do { columns = try readColumns(connection, credential) } catch {
      return [
        Finding(
          .warning, subject, "columns could not be read: \(error)",
          mend: "Where the catalogue cannot be read, statements of people under masks are refused.")
      ]
    }
    guard columns.count < Doctor.columnLimit else {
      return [Finding(.warning, subject, "there are more than \(Doctor.columnLimit) columns, which were not looked at")]
    }
    let findings = rules.flatMap {
      absent($0.name, $0.mask, columns, subject) + unserved($0.name, $0.mask, columns, subject)
    }
    guard findings.isEmpty else { return findings }
    let count = columns.count { column in rules.contains { $0.mask.columns.contains { $0.mayMatch(column.path) } } }
    return [
      Finding(
        .good, subject, "\(count) \(count == 1 ? "column" : "columns"), each of a type that its mask has values for")
    ]
  }

  /// Rules that mask columns for somebody on that connection.
  private func maskRules(on connection: ConnectionSettings) -> [(name: String, mask: ColumnMask)] {
    let policy = Policy(configuration.policy, hash: configuration.policyHash, clock: ZoneClock.now)
    let names = configuration.users.keys.reduce(into: Set<String>()) { names, user in
      guard
        let subject = configuration.subject(user: user, connection: connection.name, clientAddress: "127.0.0.1")
      else { return }
      names.formUnion(policy.scoped(to: subject).maskNames)
    }
    return configuration.policy.rules.compactMap { rule in
      guard names.contains(rule.name), case .mask(let mask) = rule.action, !mask.columns.isEmpty else { return nil }
      return (rule.name, mask)
    }
  }

  private func absent(_ rule: String, _ mask: ColumnMask, _ columns: [Column], _ subject: String) -> [Finding] {
    mask.columns.compactMap { pattern in
      guard !columns.contains(where: { pattern.mayMatch($0.path) }) else { return nil }
      let name = pattern.parts.joined(separator: ".")
      let isWhole = pattern.parts.count == 3 && !name.contains("*")
      let hasTable = isWhole && columns.contains { Array($0.path.dropLast()) == Array(pattern.parts.dropLast()) }
      return Finding(
        hasTable ? .broken : .warning, subject,
        "rule \"\(rule)\": there is no column \(name)"
          + (hasTable ? ", and what touches its table is refused to those under the mask" : ""),
        mend: "Correct the name, or take it out of the rule.")
    }
  }

  private func unserved(_ rule: String, _ mask: ColumnMask, _ columns: [Column], _ subject: String) -> [Finding] {
    var findings: [Finding] = []
    for service in [MaskService.null, .neutral] {
      let those = columns.filter { column in
        mask.columns.contains { $0.mayMatch(column.path) } && MaskService(of: mask.mask, on: column.type) == service
      }
      if those.isEmpty { continue }
      let named = those.prefix(Doctor.told).map { "\($0.name) (\($0.typeName))" }.joined(separator: ", ")
      let more = those.count > Doctor.told ? " and \(those.count - Doctor.told) more" : ""
      let becomes = service == .null ? "NULL" : "the value that says nothing"
      findings.append(
        Finding(
          .warning, subject,
          "rule \"\(rule)\": \(mask.mask.name) has no values for \(named)\(more); they become \(becomes)",
          mend: "Nothing leaks; say `with: \(service == .null ? "\"null\"" : "redact")` for them to make it plain."))
    }
    return findings
  }

  private static let question = """
    WITH RECURSIVE base(oid, root) AS (SELECT t.oid, t.oid FROM pg_catalog.pg_type t WHERE t.typtype <> 'd' \
    UNION ALL SELECT t.oid, b.root FROM pg_catalog.pg_type t JOIN base b ON t.typtype = 'd' AND t.typbasetype = b.oid) \
    SELECT n.nspname, c.relname, a.attname, b.root, pg_catalog.format_type(a.atttypid, NULL) \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN base b ON b.oid = a.atttypid \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2, a.attnum LIMIT \(columnLimit)
    """

  private func readColumns(_ connection: ConnectionSettings, _ credential: BackendCredential) throws -> [Column] {
    var logger = Logger(label: "sallyport")
    logger.logLevel = .critical
    let gateway = try UnruledGateway(configuration, connection, accounts: [("doctor", credential)], logger: logger)
    defer { gateway.stop() }
    let session = try gateway.session("doctor")
    for sql in [
      "SET default_transaction_read_only = on", "SET statement_timeout = '30s'", "SET search_path = pg_catalog",
    ] {
      if let message = try session.run(sql, .simple).message { throw GatewayFailure(message) }
    }
    let answer = try session.run(Doctor.question, .simple)
    if let message = answer.message { throw GatewayFailure(message) }
    return (answer.results.first ?? []).compactMap { row in
      let values = row.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "" }
      guard values.count == 5, let type = UInt32(values[3]) else { return nil }
      return Column(path: Array(values[..<3]), type: type, typeName: values[4])
    }
  }
}

import Foundation
import Testing

@testable import Gateway

/// `sallyport mask scan` before a real PostgreSQL.
@Suite("End to end: scan for sensitive columns")
struct EndToEndMaskScanTests {
  private static let schema = """
    SET ROLE app;
    CREATE TABLE customers (id int PRIMARY KEY, "E-Mail" text, vorname text, telefon_nr text, x1 text, geburtsdatum date,
      remark text, created_at timestamptz DEFAULT now(), is_mail_sent bool DEFAULT true, "a""b" text);
    INSERT INTO customers SELECT i, 'person' || i || '@example.com', 'Name' || i, '+49 30 1234' || (1000 + i),
      (ARRAY['DE89370400440532013000', 'GB82WEST12345698765432', 'FR1420041010050500013M02606'])[1 + i % 3],
      date '1970-01-01' + i, 'order ' || i || ' is fine', now(), true, 'plain' FROM generate_series(1, 300) i;
    CREATE TABLE empty (id int, passwort text);
    CREATE TABLE hidden (ssn text); INSERT INTO hidden VALUES ('078-05-1120');
    RESET ROLE; REVOKE ALL ON hidden FROM app; ALTER TABLE hidden OWNER TO postgres; ANALYZE;
    """

  private func scan(_ path: String, _ arguments: String...) throws -> ProcessEnd {
    try ChildProcess.run(
      try TestRun.binary(), ["mask", "scan", "shop", "--config", path, "--rows", "50"] + arguments, within: 60)
  }

  @Test("columns are found by name and by content, and the rules proposed are ones that check takes")
  func finds() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("scan")
    try cluster.direct(database, Self.schema)
    let folder = try TestRun.newFolder("scan")
    let base = try TestConfiguration.open(database)
    try base.write(toFile: "\(folder)/10-base.yaml", atomically: true, encoding: .utf8)
    let json = try scan(folder, "--json")
    #expect(json.status == 0, "\(json.errors)")
    let report = try JSONDecoder().decode(MaskScanReport.self, from: Data(json.output.utf8))
    let found = Dictionary(uniqueKeysWithValues: report.findings.map { ($0.column, $0) })
    for (column, kind) in [
      ("public.customers.E-Mail", "email"), ("public.customers.vorname", "person-name"),
      ("public.customers.telefon_nr", "phone"), ("public.customers.x1", "iban"),
      ("public.customers.geburtsdatum", "birth"), ("public.empty.passwort", "password"),
    ] {
      #expect(found[column]?.kind == kind, "\(column): \(found[column].map { "\($0)" } ?? "not found")")
    }
    #expect(found["public.customers.x1"]?.byName == false)
    #expect(found["public.customers.x1"]?.matched == 50 && found["public.customers.x1"]?.sampled == 50)
    for column in ["id", "remark", "created_at", "is_mail_sent", "a\"b"] {
      #expect(found["public.customers.\(column)"] == nil, "\(column)")
    }
    #expect(!report.findings.contains { $0.column.contains("hidden") }, "it has no right to look there")
    #expect(report.tables == 2)

    let rules = try scan(folder)
    #expect(rules.status == 0, "\(rules.errors)")
    for value in ["person1", "@example.com", "DE89", "Name1", "1234100", "078-05"] {
      #expect(!rules.output.contains(value) && !json.output.contains(value), "a value is in what it prints")
    }
    try rules.output.write(toFile: "\(folder)/20-masks.yaml", atomically: true, encoding: .utf8)
    let check = try ChildProcess.run(try TestRun.binary(), ["check", folder])
    #expect(check.status == 0, "\(check.output)\(check.errors)\(rules.output)")
  }

  @Test("names are read in words, in several languages")
  func names() {
    for (name, kind) in [
      ("email", SensitiveNames.Kind.email), ("customerEMailAddress", .email), ("contact_email_2", .email),
      ("TELEFON", .phone), ("Straße", .address), ("fecha_de_nacimiento", .birth), ("date_of_birth", .birth),
      ("codice_fiscale", .nationalID), ("numéro_sécurité_sociale", .nationalID), ("ssn", .nationalID),
      ("cardNumber", .card), ("iban", .bankAccount), ("apellidos", .personName), ("passwordHash", .password),
      ("Gehalt", .income), ("client_ip", .network), ("apiKey", .password), ("nazwisko", .personName),
    ] {
      #expect(SensitiveNames.kind(of: name) == kind, "\(name): \(SensitiveNames.split(name))")
    }
    for name in [
      "id", "status", "emailed", "panel", "telemetry", "description", "order_total", "handyman", "tinted", "created_by",
      "lonely", "",
    ] {
      #expect(SensitiveNames.kind(of: name) == nil, "\(name)")
    }
  }
}

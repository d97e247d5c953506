import Foundation
import Testing

/// A column that a rule has met stays masked whatever it is called later; one that is not there is no excuse.
@Suite("End to end: columns of masks")
struct EndToEndBoundColumnTests {
  private static let schema = """
    SET ROLE app;
    CREATE TABLE staff (id int, pay text, note text); INSERT INTO staff VALUES (1, 'kpay-canary', 'open');
    CREATE TABLE gone (id int, pay text); INSERT INTO gone VALUES (1, 'kgone-canary');
    CREATE VIEW staff_view AS SELECT pay AS p, note FROM staff;
    """

  private func configuration(_ database: String) throws -> String {
    try TestConfiguration.open(database) + """

      rules:
        - name: pay
          unless: { groups: [dba] }
          then: { mask: { columns: ["public.staff.pay", "public.gone.pay"], with: redact } }

      """
  }

  @Test("a column stays masked after it, its table and its schema are renamed, outside the gateway and over a restart")
  func renames() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("bound")
    try cluster.direct(database, Self.schema)
    let data = TestRun.newPath("bound")
    var token = ""
    try withGateway(try configuration(database), data: data) { gateway in
      token = try gateway.token("ana")
      let dsn = gateway.dsn("ana", token)
      #expect(try psql(dsn, "SELECT pay FROM staff;").output == "****\n")
      try cluster.direct(database, "ALTER TABLE staff RENAME COLUMN pay TO income")
      for text in [
        "SELECT income FROM staff", "SELECT p FROM staff_view", "SELECT upper(income) FROM staff",
        "COPY staff (income) TO STDOUT",
      ] {
        try agree(dsn, text, "****")
      }
      let refused = try psql(dsn, "SELECT id FROM staff WHERE income LIKE 'k%';")
      #expect(refused.errors.contains("permission denied by rule \"pay\""), "\(refused.errors)")
      try cluster.direct(
        database,
        "ALTER TABLE staff RENAME TO folk; CREATE SCHEMA hr; GRANT USAGE ON SCHEMA hr TO app; ALTER TABLE folk SET SCHEMA hr"
      )
      try agree(dsn, "SELECT income FROM hr.folk", "****")
      try agree(dsn, "SELECT note, id FROM hr.folk", "open|1")
      let rows = try psql(dsn, "SELECT f::text, row_to_json(f) FROM hr.folk f;")
      #expect(rows.output == "****|\"****\"\n", "\(rows.output)\(rows.errors)")
    }
    // What it was called is known from the store alone now.
    try withGateway(try configuration(database), data: data) { gateway in
      let dsn = gateway.dsn("ana", token)
      try agree(dsn, "SELECT income, note FROM hr.folk", "****|open")
      try agree(dsn, "SELECT p FROM staff_view", "****")
      // A column of that name in a table of that name is bound by its name, and the old one stays.
      try cluster.direct(
        database,
        "SET ROLE app; CREATE TABLE public.staff (pay text, free text); INSERT INTO public.staff VALUES ('knew-canary', 'x')"
      )
      try agree(dsn, "SELECT pay, free FROM staff", "****|x")
      try agree(dsn, "SELECT income FROM hr.folk", "****")
      try cluster.direct(
        database,
        "SET ROLE app; ALTER TABLE public.staff DROP COLUMN pay; ALTER TABLE public.staff ADD COLUMN pay text DEFAULT 'kagain-canary'"
      )
      try agree(dsn, "SELECT pay FROM staff", "****")
    }
  }

  @Test("a rule that names a column which its table lacks refuses what touches the table, and says why")
  func missing() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("missing")
    try cluster.direct(database, Self.schema)
    let wrong = try configuration(database).replacing("public.gone.pay", with: "public.gone.wages")
    try withGateway(wrong) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      for text in ["SELECT * FROM gone", "SELECT id FROM gone", "DELETE FROM gone", "COPY gone TO STDOUT"] {
        let end = try psql(dsn, text + ";")
        #expect(
          end.errors.contains("It masks public.gone.wages, which is not there"), "\(text): \(end.output)\(end.errors)")
      }
      #expect(try psql(dsn, "SELECT note, pay FROM staff;").output == "open|****\n")
      try cluster.direct(database, "ALTER TABLE gone RENAME COLUMN pay TO wages")
      try agree(dsn, "SELECT id, wages FROM gone", "1|****")
    }
  }

  /// What was changed outside counts within five seconds (DECISIONS 5); never is a value to be seen meanwhile, as columns go
  /// by their numbers.
  private func agree(_ dsn: String, _ text: String, _ wanted: String) throws {
    let found = try eventually("\(text) says \(wanted)", within: 15) { () -> String? in
      let end = try psql(dsn, text + ";")
      #expect(!(end.output + end.errors).contains("canary"), "\(text): \(end.output)")
      return end.output == wanted + "\n" ? end.output : nil
    }
    #expect(found == wanted + "\n")
  }
}

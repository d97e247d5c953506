import Foundation

/// The database that `fixtures/sql/mask-evasions.sql`, `mask-oracles.sql` and `mask-keeps.sql` meet, with values that nothing else looks like.
struct MaskDatabase {
  let name: String
  /// Every masked value.
  let canaries: [String]

  static func create() throws -> MaskDatabase {
    let cluster = try TestCluster.shared()
    let name = try cluster.createDatabase("masks")
    try cluster.direct(name, schema)
    let values = try cluster.direct(
      name,
      """
      SELECT ssn FROM people UNION SELECT email FROM people UNION SELECT pin::text FROM accounts
      UNION SELECT code FROM ledger UNION SELECT unnest(codes) FROM vaults
      """)
    return MaskDatabase(name: name, canaries: values.split(separator: "\n").map(String.init))
  }

  /// Engineers may do everything; some columns are masked. `more` is what else the rule says of them.
  func configuration(_ more: String = "") throws -> String {
    try TestConfiguration.open(name) + """

      rules:
        - name: secrets
          when: { connections: [shop] }
          then: { mask: { columns: ["public.people.ssn", "accounts.pin", "ledger.code", "vaults.codes", "*.*.email"], with: redact\(more) } }

      """
  }

  /// Ways to spell a value that a reader could undo.
  static func spellings(_ value: String) -> [String] {
    let bytes = Array(value.utf8)
    var all = [value, String(value.reversed()), bytes.map { String(format: "%02x", $0) }.joined()]
    for shift in 0..<3 {
      // What lies before the value moves it within base64's groups of three.
      let text = Data([UInt8](repeating: 0, count: shift) + bytes).base64EncodedString()
      all.append(String(text.dropFirst(shift == 0 ? 0 : 4).dropLast(4)))
    }
    return all.filter { $0.count >= 8 }.map { $0.lowercased() }
  }

  /// Masked values that a text holds, in whatever spelling and case.
  func leaks(in text: String) -> [String] {
    let text = text.lowercased()
    let squeezed = text.filter { !$0.isWhitespace && !",{}()\"|+".contains($0) }
    return canaries.filter { canary in
      MaskDatabase.spellings(canary).contains { text.contains($0) || squeezed.contains($0) }
    }
  }

  private static let schema = """
    SET client_min_messages = warning; SET ROLE app;
    CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, ssn text NOT NULL, email text UNIQUE);
    INSERT INTO people SELECT i, (ARRAY['Kim', 'Lou', 'Max', 'Noa'])[i],
      'k' || substr(md5('s' || i), 1, 14), 'k' || substr(md5('e' || i), 1, 12) || '@example.com'
    FROM generate_series(1, 4) i;
    CREATE TABLE people_notes (id int PRIMARY KEY, note text);
    INSERT INTO people_notes SELECT i, 'note ' || i FROM generate_series(1, 4) i;
    CREATE TABLE accounts (id int PRIMARY KEY, owner text, balance int, pin int, CHECK (owner <> 'nobody'));
    INSERT INTO accounts SELECT i, 'o' || i, i * 10, 718281828 + i * 9999991 FROM generate_series(1, 3) i;
    CREATE TABLE accounts_old () INHERITS (accounts);
    INSERT INTO accounts_old SELECT i + 10, 'old', 5, 1618033988 + i FROM generate_series(1, 2) i;
    CREATE TABLE people_child (extra int) INHERITS (people);
    INSERT INTO people_child VALUES (50, 'Ola', 'kchild5c0ffee77', 'kchild5deadbeef@example.com', 1);
    CREATE TABLE people_part (id int, email text) PARTITION BY RANGE (id);
    CREATE TABLE people_part_1 PARTITION OF people_part FOR VALUES FROM (0) TO (10);
    INSERT INTO people_part SELECT id, email FROM ONLY people;
    CREATE TABLE ledger (day date, amount int, code text) PARTITION BY RANGE (day);
    CREATE TABLE ledger_2024 PARTITION OF ledger FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    INSERT INTO ledger VALUES ('2024-03-01', 5, 'kledger88aabbccdd'), ('2024-03-02', 7, 'kledger99eeff0011');
    CREATE TABLE late (id int PRIMARY KEY, email text DEFAULT 'klate7e57ab1e@example.com',
      ref int REFERENCES people_notes DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO late VALUES (1);
    CREATE TABLE drafts (id int, note text, email text, shown text GENERATED ALWAYS AS ('<' || email || '>') STORED,
      loud text GENERATED ALWAYS AS (upper(note)) STORED);
    INSERT INTO drafts SELECT id, name, email FROM ONLY people;
    CREATE VIEW drafts_view AS SELECT id, shown AS s FROM drafts;
    CREATE TABLE vaults (id int, plain text[], codes text[]);
    INSERT INTO vaults VALUES (1, '{a}', '{kvault11aabbccdd}'), (2, '{b}', '{kvault22bbccddee,kvault33ccddeeff}');
    CREATE TABLE mail_refs (id int, mail text REFERENCES people (email));
    CREATE VIEW renamed AS SELECT id, name AS public_name, ssn AS secret FROM people;
    CREATE VIEW renamed_again AS SELECT r.secret AS s, r.id FROM (SELECT * FROM renamed) r;
    CREATE VIEW computed AS SELECT id, ssn || ':' || name AS both_columns FROM people;
    CREATE VIEW unions AS SELECT name AS v FROM people UNION ALL SELECT ssn FROM people;
    CREATE VIEW recursive_view AS WITH RECURSIVE r(i, v, w) AS (SELECT 1, name, ssn FROM people
      UNION ALL SELECT i + 1, w, v FROM r WHERE i < 2) SELECT v FROM r;
    CREATE VIEW grouped AS SELECT max(ssn) AS v, count(*) AS n FROM people JOIN people_notes USING (id) GROUP BY name;
    CREATE VIEW harmless_view AS SELECT p.id, n.n FROM people p
      JOIN LATERAL (SELECT p.name AS n, p.ssn AS x) n ON n.x IS NOT NULL;
    CREATE MATERIALIZED VIEW stored AS SELECT id, ssn AS secret FROM people;
    CREATE MATERIALIZED VIEW stored_names AS SELECT name AS n FROM people;
    CREATE DOMAIN people_code AS text CHECK (VALUE ~ '^[0-9]$');
    CREATE SEQUENCE people_codes;
    CREATE FUNCTION ssn_of(int) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM public.people WHERE id = $1';
    CREATE FUNCTION name_of(int) RETURNS text LANGUAGE sql AS 'SELECT name FROM public.people WHERE id = $1';
    CREATE FUNCTION row_of(int) RETURNS people LANGUAGE sql AS 'SELECT * FROM ONLY public.people WHERE id = $1';
    CREATE FUNCTION everybody() RETURNS TABLE (a int, b text) LANGUAGE sql AS 'SELECT id, ssn FROM public.people';
    CREATE FUNCTION pl_ssn(int) RETURNS text LANGUAGE plpgsql AS
      'BEGIN RETURN (SELECT ssn FROM public.people WHERE id = $1); END';
    CREATE FUNCTION ssn_field(people) RETURNS text LANGUAGE sql AS 'SELECT $1.ssn';
    CREATE FUNCTION show_error(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''%'', $1; END';
    CREATE FUNCTION show_notice(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN 1; END';
    CREATE PROCEDURE proc_ssn(int, INOUT v text) LANGUAGE plpgsql AS
      'BEGIN SELECT ssn INTO v FROM public.people WHERE id = $1; END';
    CREATE FUNCTION open_cursor(c refcursor) RETURNS refcursor LANGUAGE plpgsql AS
      'BEGIN OPEN c FOR SELECT upper(ssn) FROM public.people; RETURN c; END';
    CREATE FUNCTION reopen_cursor(c refcursor) RETURNS refcursor LANGUAGE plpgsql AS
      'BEGIN CLOSE c; OPEN c FOR SELECT upper(ssn) FROM public.people; RETURN c; END';
    CREATE VIEW functional AS SELECT pl_ssn(id) AS v, ssn_of(id) AS w FROM people_notes;
    RESET ROLE; ANALYZE;
    """
}

import Foundation
import Testing

/// Bound values in the audit trail, of real drivers.
@Suite("End to end: bound values", .serialized)
struct EndToEndBindTests {
  /// Files under a folder that hold these bytes.
  static func files(in folder: String, holding text: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return names.filter { name in
      FileManager.default.contents(atPath: "\(folder)/\(name)")?.range(of: Data(text.utf8)) != nil
    }
  }

  private func binds(_ gateway: GatewayProcess) throws -> [String: String] {
    let end = try gateway.command("audit", "tail", "--json", "-n", "1000")
    var binds: [String: String] = [:]
    for line in end.output.split(separator: "\n") {
      guard let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
        let text = record["text"] as? String, let value = record["binds"]
      else { continue }
      let data = try JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])
      binds[text] = String(decoding: data, as: UTF8.self)
    }
    return binds
  }

  @Test("text and binary values are read by type; those of masked tables and secrets are in no file")
  func kept() throws {
    let database = try TestCluster.shared().createDatabase("binds", withShop: true)
    let configuration = try TestConfiguration.demo(database)
      .replacingOccurrences(of: "\"*.*.email\"], with:", with: "\"*.*.email\"], predicates: allow, with:")
    try withGateway(configuration) { gateway in
      let program = """
        import datetime, decimal, uuid
        with connect() as c:
            c.execute("SELECT %s::int4, %s::text", (42, "O'Hara"))
            c.execute("SELECT %b::int4, %b::numeric, %b::uuid, %b::bool", (43, decimal.Decimal("-12.50"),
                      uuid.UUID(int=7), None))
            c.execute("SELECT id FROM products WHERE id = %s", (1,))
            c.execute("SELECT id FROM customers WHERE ssn = %s", ("078-05-1120",))
            c.execute("UPDATE customers SET name = %b WHERE id = %b", ("Zacharias", 1))
            c.execute("SELECT %s::text AS password", ("swordfish",))
            c.execute("SELECT %s::text AS plain", ("host=db password=swordfish",))
        """
      try python(gateway.dsn("ana", try gateway.token("ana")), program)
      let binds = try binds(gateway)
      #expect(binds["SELECT $1::int4, $2::text"] == #"["42","O'Hara"]"#, "\(binds)")
      #expect(
        binds["SELECT $1::int4, $2::numeric, $3::uuid, $4::bool"]
          == #"["43","-12.50","00000000-0000-0000-0000-000000000007",null]"#, "\(binds)")
      // `*.*.email` is masked, and products has no such column.
      #expect(binds["SELECT id FROM products WHERE id = $1"] == #"["1"]"#, "\(binds)")
      #expect(binds["SELECT id FROM customers WHERE ssn = $1"] == #""masked""#)
      #expect(binds["UPDATE customers SET name = $1 WHERE id = $2"] == #""masked""#)
      #expect(binds["SELECT $1::text AS password"] == #""secret""#)
      #expect(binds["SELECT $1::text AS plain"] == #"[{"secret":true}]"#)
      for raw in ["078-05-1120", "Zacharias", "swordfish"] {
        #expect(Self.files(in: gateway.data, holding: raw) == [], "\(raw)")
      }
      // Dora is under no mask: what she binds is kept, unless it looks like what nobody should keep.
      try python(
        gateway.dsn("dora", try gateway.token("dora")),
        """
        with connect() as c:
            c.execute("SELECT id FROM customers WHERE ssn = %s", ("078-05-1120",))
            c.execute("SELECT id FROM customers WHERE ssn = %s", ("unlike-a-number",))
        """)
      #expect(Self.files(in: gateway.data, holding: "078-05-1120") == [])
      #expect(Self.files(in: gateway.data, holding: "unlike-a-number").count == 1)
    }
  }

  @Test("binds: off keeps how many there are, and no value")
  func off() throws {
    let database = try TestCluster.shared().createDatabase("nobinds")
    let configuration = try TestConfiguration.open(database)
      .replacingOccurrences(of: "threads: 2 }", with: "threads: 2, audit: { binds: off } }")
    try withGateway(configuration) { gateway in
      try python(
        gateway.dsn("ana", try gateway.token("ana")),
        "connect().execute('SELECT %s::text', ('only-here',))")
      #expect(try binds(gateway).isEmpty)
      #expect(Self.files(in: gateway.data, holding: "only-here") == [])
      #expect(try gateway.command("audit", "tail", "--json").output.contains(#""parameters":1"#))
    }
  }
}

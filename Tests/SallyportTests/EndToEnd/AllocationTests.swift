import Foundation
import Testing

/// Rows cost no allocation: as many bytes in many rows take as many as in few.
@Suite("End to end: allocations", .serialized)
struct EndToEndAllocationTests {
  /// Counts what a process allocates from its start on.
  private struct Counter {
    let library: String
    let file: String

    init() throws {
      let folder = try TestRun.newFolder("counting")
      (library, file) = ("\(folder)/allocations.so", "\(folder)/count")
      let built = try ChildProcess.run(
        "/bin/sh",
        [
          "-c",
          "for compiler in clang cc gcc; do command -v $compiler >/dev/null && exec $compiler \"$@\"; done; exit 1",
          "compile", "-O2", "-shared", "-fPIC", "-o", library, "\(TestRun.root())/Tests/counting/allocations.c",
        ])
      guard built.status == 0 else { throw TestFailure("no C compiler, or: \(built.errors)") }
      try Data(count: 8).write(to: URL(filePath: file))
    }

    var environment: [String: String] { ["LD_PRELOAD": library, "ALLOCATION_COUNTER": file] }
  }

  /// Optimised, no masked value takes an allocation; without, ciphers take hundreds, and long.
  #if DEBUG
    private static let (rows, mostOfMasked) = (2_000, Int.max)
  #else
    private static let (rows, mostOfMasked) = (50_000, 2_500)
  #endif

  @Test("a result in many times as many rows takes no more allocations, under masks of any kind neither")
  func perRow() throws {
    let database = try TestCluster.shared().createDatabase("rows")
    let columns = """
      n, 'secret' || n, 'ana' || n || '@example.com', date '1970-01-01' + n % 20000, 1000 + n, \
      ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'AB-' || (100000 + n), n / 7.0
      """
    try TestCluster.shared().direct(
      database,
      """
      SET ROLE app; CREATE TABLE wide (id int, secret text, mail text, born date, number int, uid uuid, code text,
        amount numeric(12,2), rest text);
      CREATE TABLE narrow (LIKE wide);
      INSERT INTO wide SELECT \(columns), repeat('x', 1900) FROM generate_series(1, 1000) n;
      INSERT INTO narrow SELECT \(columns), 'x' FROM generate_series(1, \(Self.rows)) n; ANALYZE
      """)
    let masks = [
      "redact": "*.secret", "{ partial: { keep_last: 4, keep: [domain] } }": "*.mail",
      "{ bucket: { date: year } }": "*.born",
      "hash": "*.number", "tokenize": "*.uid",
    ]
    let more = ["hash": "*.mail", "tokenize": "*.code", "{ bucket: { number: 10 } }": "*.amount", "\"null\"": "*.born"]
    let rules = [("bo", masks), ("dora", more)].flatMap { user, masks in
      masks.sorted { $0.key < $1.key }.enumerated().map { index, mask in
        "  - { name: \(user)-\(index), when: { users: [\(user)] }, then: { mask: { columns: [\"\(mask.value)\"], with: \(mask.key) } } }"
      }
    }
    let configuration = try TestConfiguration.open(database)
      .replacingOccurrences(of: "groups: [dba]", with: "groups: [dba, engineering]")
    let text = """
      \(configuration)
      rules:
        - { name: kept-out, when: { sql: { tables: [public.nothing] } }, then: deny }
      \(rules.joined(separator: "\n"))

      """
    let counter = try Counter()
    try withGateway(text, environment: counter.environment) { gateway in
      for (user, format) in [("ana", 0), ("bo", 0), ("bo", 1), ("dora", 0), ("dora", 1)] {
        let counts = try python(
          gateway.dsn(user, try gateway.token(user)),
          """
          def count():
              return struct.unpack("=Q", open(sys.argv[2], "rb").read(8))[0]
          with connect() as connection:
              for table in ["wide", "narrow"]:
                  text = f"SELECT * FROM {table}".encode()
                  took = []
                  for turn in range(4):
                      before = count()
                      rows = connection.pgconn.exec_params(text, [], result_format=int(sys.argv[3])).ntuples
                      took.append(count() - before)
                  print(rows, min(took[1:]))
          """, [counter.file, "\(format)"]
        ).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        try #require(counts.count == 4 && counts[0] == 1_000 && counts[2] == Self.rows, "\(counts)")
        print("allocations of \(user) in format \(format): \(counts[1]) for 1,000 rows, \(counts[3]) for \(Self.rows)")
        // Only for the buffers of each read, of which one holds many rows.
        let most = user == "ana" ? 2_500 : Self.mostOfMasked
        #expect(counts[1] > 0 && counts[3] - counts[1] < most, "\(user), \(format): \(counts)")
      }
    }
  }
}

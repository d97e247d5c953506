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

  @Test("a result in 50 times as many rows takes no more allocations; under a mask no more than a few for each")
  func perRow() throws {
    let database = try TestCluster.shared().createDatabase("rows")
    try TestCluster.shared().direct(
      database,
      """
      SET ROLE app; CREATE TABLE wide (id int, secret text, rest text); CREATE TABLE narrow (LIKE wide);
      INSERT INTO wide SELECT n, 'secret', repeat('x', 1900) FROM generate_series(1, 1000) n;
      INSERT INTO narrow SELECT n, 'secret', 'x' FROM generate_series(1, 50000) n; ANALYZE
      """)
    let rules = """

      rules:
        - { name: kept-out, when: { sql: { tables: [public.nothing] } }, then: deny }
        - { name: hidden, when: { users: [bo] }, then: { mask: { columns: ["*.secret"], with: redact } } }

      """
    let counter = try Counter()
    try withGateway(try TestConfiguration.open(database) + rules, environment: counter.environment) { gateway in
      for user in ["ana", "bo"] {
        let counts = try python(
          gateway.dsn(user, try gateway.token(user)),
          """
          def count():
              return struct.unpack("=Q", open(sys.argv[2], "rb").read(8))[0]
          with connect() as connection:
              for table in ["wide", "narrow"]:
                  text = f"SELECT id, secret, rest FROM {table}".encode()
                  took = []
                  for turn in range(5):
                      before = count()
                      rows = connection.pgconn.exec_(text).ntuples
                      took.append(count() - before)
                  print(rows, min(took[1:]))
          """, [counter.file]
        ).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        try #require(counts.count == 4 && counts[0] == 1_000 && counts[2] == 50_000, "\(counts)")
        print("allocations of \(user): \(counts[1]) for 1,000 rows, \(counts[3]) for 50,000")
        // Without optimisation a masked value takes some; whoever is under no mask pays for none, in any build, only for the
        // buffers of each read, of which one holds many rows.
        #expect(counts[1] > 0 && counts[3] - counts[1] < (user == "ana" ? 2_500 : 4 * 50_000), "\(user): \(counts)")
      }
    }
  }
}

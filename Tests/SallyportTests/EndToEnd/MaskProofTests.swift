import Foundation
import Testing

@testable import Gateway
@testable import MaskProof
@testable import SallyportConfiguration

/// `sallyport mask prove` before a real PostgreSQL: that masks hold, and that it would say so if they did not.
@Suite("End to end: proof of masks", .serialized)
struct EndToEndMaskProofTests {
  private func configuration(_ database: String) throws -> String {
    let path = TestRun.newPath("prove.yaml")
    try TestConfiguration.open(database).write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private func prove(_ path: String, _ arguments: String...) throws -> (end: ProcessEnd, report: MaskProofReport) {
    let end = try ChildProcess.run(
      try TestRun.binary(), ["mask", "prove", "shop", "--config", path, "--json"] + arguments, within: 1_800)
    guard let report = try? JSONDecoder().decode(MaskProofReport.self, from: Data(end.output.utf8)) else {
      throw TestFailure("no report: \(end.errors)")
    }
    return (end, report)
  }

  /// 300 in `make test`, all in `make soak`; each time others, and those of a seed again with it.
  @Test("generated statements bring out no canary, and hide nothing else", arguments: ["deny", "allow"])
  func holds(_ predicates: String) throws {
    let environment = ProcessInfo.processInfo.environment
    let count = environment["SALLYPORT_PROOF_STATEMENTS"].flatMap { Int($0) } ?? 300
    let seed = environment["SALLYPORT_PROOF_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...0xFFFF_FFFF)
    print("mask prove: seed \(seed), \(count / 2) statements, predicates: \(predicates)")
    let database = try TestCluster.shared().createDatabase("prove")
    let (end, report) = try prove(
      try configuration(database), "--seed", "\(seed)", "--statements", "\(count / 2)", "--predicates", predicates)
    for leak in report.leaks { Issue.record("seed \(seed), \(leak.number): \(leak.what): \(leak.statement)") }
    for excess in report.excesses {
      Issue.record("seed \(seed), \(excess.number): \(excess.what): \(excess.statement)\n\(excess.definitions)")
    }
    #expect(end.status == 0, "seed \(seed): \(end.errors)")
    #expect(report.statements == count / 2)
    // What is only refused, or fails, proves nothing.
    #expect(
      report.exposing * 5 >= report.statements * 2, "\(report.exposing) of \(report.statements) would show something")
    #expect(report.masked * 3 >= report.exposing, "\(report.masked) of \(report.exposing) passed with masks")
    #expect(report.failed * 4 <= report.statements, "\(report.failures)")
    let left = try TestCluster.shared().direct(
      database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sallyport%'")
    #expect(left == "0", "the schema is still there")
  }

  @Test("without the mask the same statements bring canaries out, and the smallest that does is found")
  func finds() throws {
    let path = try configuration(try TestCluster.shared().createDatabase("prove"))
    let configuration = try ConfigurationLoader.load(path: path, digest: { _ in "hash" }).get()
    var options = MaskProofRun.Options(seed: 7)
    options.statements = 60
    options.leakLimit = 8
    options.hides = false
    let report = try MaskProofRun(configuration, connection: "shop", options: options).run()
    #expect(report.verdict == "leaks")
    #expect(report.leaks.count == 8)
    for leak in report.leaks {
      #expect(leak.statement.utf8.count <= leak.original.utf8.count)
      #expect(!leak.what.isEmpty)
    }
    let shortest = report.leaks.map(\.statement.utf8.count).min() ?? .max
    #expect(shortest < 120, "nothing was made small: \(report.leaks.map(\.statement))")
  }

  @Test("who cannot be asked, and where nothing can be planted, is said with what to do")
  func refusals() throws {
    let cluster = try TestCluster.shared()
    let path = TestRun.newPath("prove.yaml")
    // `app` may not make schemas there.
    try TestConfiguration.open("postgres").write(toFile: path, atomically: true, encoding: .utf8)
    for (arguments, words) in [
      (["shop"], "Grant CREATE"), (["nowhere"], "no connection"), (["shop", "--user", "nobody"], "no user"),
      (["shop", "--user", "eve"], "no access"), (["shop", "--account", "other"], "no account"),
    ] {
      let end = try ChildProcess.run(
        try TestRun.binary(), ["mask", "prove", "--config", path, "--statements", "1"] + arguments)
      #expect(end.status == 1, "\(arguments): \(end.output)")
      #expect(end.errors.contains(words), "\(arguments): \(end.errors)")
      for secret in cluster.secrets { #expect(!end.errors.contains(secret)) }
    }
  }
}

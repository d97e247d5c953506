import Foundation
import Testing

/// `durability: sync`, before a disk that loses power.
@Suite("End to end: durability", .serialized)
struct EndToEndDurabilityTests {
  @Test(
    "a statement that ran has its record on the disk when power goes, from the start or from a reload on",
    .enabled(if: PowerDisk.isPossible, "this process may have no loop device"), arguments: ["start", "reload"])
  func powerLoss(_ from: String) throws {
    let database = try TestCluster.shared().createDatabase("power")
    let disk = try PowerDisk(megabytes: 192)
    let plain = try TestConfiguration.open(database)
    let synchronous = plain.replacing("threads: 2 }", with: "threads: 2, audit: { durability: sync } }")
    try withGateway(from == "start" ? synchronous : plain, data: "\(disk.path)/data") { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      #expect(try psql(dsn, "SELECT 'before';").status == 0)
      if from == "reload" {
        try "\(synchronous)\n".write(toFile: "\(gateway.folder)/sallyport.yaml", atomically: true, encoding: .utf8)
        let reload = try gateway.command("reload")
        #expect(reload.status == 0 && reload.output.contains("+ gateway.audit.durability: sync"), "\(reload)")
      }
      let words = "and then the lights went out"
      #expect(try psql(dsn, "SELECT '\(words)';").status == 0)
      let left = try disk.afterPowerLoss()
      let tail = try ChildProcess.run(
        try TestRun.binary(), ["audit", "tail", "--json", "-n", "10000", "--data", "\(left)/data"])
      #expect(tail.output.contains(words), "the record was not on the disk: \(tail.output.suffix(600))\(tail.errors)")
      let report = try ChildProcess.run(try TestRun.binary(), ["audit", "verify", "--data", "\(left)/data"])
      #expect(report.status == 0, "\(report.output)\(report.errors)")
    }
  }
}

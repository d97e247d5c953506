import Foundation
import Testing

/// `make demo`, as a newcomer runs it, up to where it would stay up.
@Suite("End to end: demo", .serialized)
struct EndToEndDemoTests {
  @Test("the show fits one screen and ends with how to try masks")
  func show() throws {
    let binary = try TestRun.binary()
    let end = try ChildProcess.run(
      "\(TestRun.root())/scripts/demo.sh", [],
      environment: ["DEMO_ONCE": "1", "SALLYPORT_BINARY": binary, "NO_COLOR": "1"], within: 90)
    #expect(end.status == 0, "\(end.output)\(end.errors)")
    // The binary has another path than it has for newcomers.
    let output = end.output.replacingOccurrences(of: binary, with: ".build/release/sallyport")
    // The show is what comes after the empty line.
    let parts = output.components(separatedBy: "\n\n")
    let lines = (parts.count > 1 ? parts.dropFirst().joined(separator: "\n\n") : "").split(
      separator: "\n", omittingEmptySubsequences: false
    ).map(String.init).filter { !$0.isEmpty }
    #expect((10...42).contains(lines.count), "\(lines.count) lines: \(output)")
    for line in lines { #expect(line.count <= 100, "\(line)") }
    #expect(lines.last?.contains("mask prove") == true, "\(output)")
    for word in ["passes", "masked", "denied", "waits for approval", "psql", "ssh passes", "ssh denied", "ssh waits"] {
      #expect(output.contains(word), "no \(word)")
    }
  }
}

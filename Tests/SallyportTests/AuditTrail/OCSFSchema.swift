import Foundation

/// What of these events does not fit the published schema of OCSF (`Tests/clients/ocsf_events.py`), a line for each fault;
/// empty when all of them fit.
func ocsfFaults(_ events: [String]) throws -> String {
  let check = try ChildProcess(
    try TestRun.python(), ["\(try TestRun.root())/Tests/clients/ocsf_events.py"],
    input: events.map { $0 + "\n" }.joined())
  let end = try check.wait(within: 30)
  return end.status == 0 ? "" : "\(end.output)\(end.errors)"
}

// EndToEnd: the release binary, a real PostgreSQL and real clients on loopback, as people would run them.

import Foundation
import Glibc

/// Why a test could not be run or went on too long, as a sentence.
struct TestFailure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// What `make test` tells the suites, and the folder where this run keeps its files.
enum TestRun {
  static func variable(_ name: String) throws -> String {
    guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
      throw TestFailure("\(name) is not set; `make test` sets it, so run the tests with that.")
    }
    return value
  }

  /// The path in a variable, which must exist.
  static func path(_ name: String) throws -> String {
    let path = try variable(name)
    guard access(path, F_OK) == 0 else {
      throw TestFailure("\(name) is \"\(path)\", which is not there; `make test` builds and installs it.")
    }
    return path
  }

  static func root() throws -> String { try path("SALLYPORT_TEST_ROOT") }
  static func binary() throws -> String { try path("SALLYPORT_TEST_BINARY") }
  static func python() throws -> String { try path("SALLYPORT_TEST_PYTHON") }
  static func postgres(_ program: String) throws -> String { try path("SALLYPORT_TEST_PG_BIN") + "/\(program)" }

  /// A folder that only this run uses; removed when the process ends.
  static let folder: String = {
    var template = Array("/tmp/sallyport-e2e.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return "/tmp" }
    let path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    setenv("SALLYPORT_E2E_FOLDER", path, 1)
    atexit {
      guard let path = getenv("SALLYPORT_E2E_FOLDER") else { return }
      try? FileManager.default.removeItem(atPath: String(cString: path))
    }
    return path
  }()

  /// Ends the gateways of a run that was itself ended by force, and removes its folder. They have left their process
  /// ids in it.
  static let watcher: Bool = {
    let script = """
      while kill -0 "$1" 2>/dev/null; do sleep 1; done
      for file in "$2"/gateway-*/pid; do
        pid=$(cat "$file" 2>/dev/null) || continue
        if grep -qaF "${file%/pid}" "/proc/$pid/cmdline" 2>/dev/null; then kill -KILL "$pid"; fi
      done
      rm -rf "$2"
      """
    let started = try? ChildProcess.run(
      "/usr/bin/setsid",
      ["-f", "/bin/bash", "-c", "(\(script)) </dev/null >/dev/null 2>&1", "watcher", "\(getpid())", folder])
    return started?.status == 0
  }()

  /// A path that nothing else in this run has.
  static func newPath(_ name: String) -> String { "\(folder)/\(name)-\(UInt32.random(in: .min ... .max))" }

  static func newFolder(_ name: String) throws -> String {
    let path = newPath(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }
}

/// Asks until there is an answer; throws when there is none in time. `what` completes "waited 5 s for …".
func eventually<Answer>(_ what: String, within seconds: Double = 10, _ ask: () throws -> Answer?) throws -> Answer {
  let end = monotonicSeconds() + seconds
  while true {
    if let answer = try ask() { return answer }
    guard monotonicSeconds() < end else { throw TestFailure("waited \(Int(seconds)) s for \(what)") }
    usleep(10_000)
  }
}

/// Seconds on the monotonic clock.
func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

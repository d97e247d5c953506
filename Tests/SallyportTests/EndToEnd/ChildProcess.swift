import Foundation
import Glibc

/// How a child process ended.
struct ProcessEnd {
  /// The exit code; 128 and the signal's number when a signal ended it, as shells count.
  var status: Int32
  var output: String
  var errors: String
}

/// A program that runs beside the test, with its output in files, so that it never waits for a reader.
final class ChildProcess {
  let pid: pid_t
  let name: String
  private let files: String
  private var status: Int32?

  /// The environment is the test's own without libpq's variables, and what is given here.
  init(_ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = "") throws {
    name = ([(program as NSString).lastPathComponent] + arguments.prefix(2)).joined(separator: " ")
    files = try TestRun.newFolder("process")
    try input.write(toFile: "\(files)/in", atomically: false, encoding: .utf8)
    var inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PG") }
    inherited.merge(environment) { $1 }
    pid = try ChildProcess.spawn(
      program, [program] + arguments, inherited.map { "\($0.key)=\($0.value)" }, files: files)
  }

  deinit {
    if status == nil {
      kill(pid, SIGKILL)
      var raw: Int32 = 0
      waitpid(pid, &raw, 0)
    }
    try? FileManager.default.removeItem(atPath: files)
  }

  var output: String { ChildProcess.text("\(files)/out") }
  var errors: String { ChildProcess.text("\(files)/err") }

  /// Whether it still runs.
  var isRunning: Bool {
    guard status == nil else { return false }
    var raw: Int32 = 0
    guard waitpid(pid, &raw, WNOHANG) == pid else { return true }
    // The macros of <sys/wait.h>: the low seven bits are the signal, the byte above them the exit code.
    status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f)
    return false
  }

  /// Sends a signal to this process only.
  func send(_ signal: Int32) {
    if status == nil { kill(pid, signal) }
  }

  /// Waits for its end; what takes longer is killed, and the test fails.
  @discardableResult
  func wait(within seconds: Double = 20) throws -> ProcessEnd {
    do {
      _ = try eventually("the end of \(name)", within: seconds) { isRunning ? nil : true }
    } catch {
      let said = "\(output.suffix(500))\(errors.suffix(1500))"
      kill(pid, SIGKILL)
      _ = try? eventually("its death", within: 5) { isRunning ? nil : true }
      throw TestFailure("\(error); it said: \(said)")
    }
    return ProcessEnd(status: status ?? -1, output: output, errors: errors)
  }

  static func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = "",
    within seconds: Double = 20
  ) throws -> ProcessEnd {
    try ChildProcess(program, arguments, environment: environment, input: input).wait(within: seconds)
  }

  private static func text(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  private static func spawn(
    _ program: String, _ arguments: [String], _ environment: [String], files: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let create = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 0, "\(files)/in", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "\(files)/out", create, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, "\(files)/err", create, 0o600)
    // Threads of a test runner may have signals blocked; the program shall start as from a shell.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var standard = sigset_t()
    sigemptyset(&standard)
    for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP] { sigaddset(&standard, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &standard)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup($0) } + [nil]
    defer { for string in argv + envp { free(string) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, program, &actions, &attributes, &argv, &envp)
    guard code == 0 else { throw TestFailure("could not start \(program): \(String(cString: strerror(code)))") }
    return pid
  }
}

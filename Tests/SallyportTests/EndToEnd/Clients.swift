import Foundation
import Testing

/// psql on a connection, with a script as its input. SQLSTATEs are shown: `ERROR:  42501: …`.
func psql(_ dsn: String, _ script: String, within seconds: Double = 30) throws -> ProcessEnd {
  try startPsql(dsn, script).wait(within: seconds)
}

/// psql that runs beside the test.
func startPsql(_ dsn: String, _ script: String) throws -> ChildProcess {
  try ChildProcess(
    try TestRun.postgres("psql"), ["-X", "-q", "-At", "-v", "VERBOSITY=verbose", "-d", dsn], input: script)
}

/// A Python program with psycopg; `dsn` is its connection, `arguments` what comes after. It ends with a sentence and
/// code 1 where an expectation does not hold.
func startPython(_ dsn: String, _ program: String, _ arguments: [String] = []) throws -> ChildProcess {
  try ChildProcess(try TestRun.python(), ["-c", pythonPrelude + program, dsn] + arguments)
}

/// Runs a Python program that has to end well; its output.
@discardableResult
func python(
  _ dsn: String, _ program: String, _ arguments: [String] = [], within seconds: Double = 60,
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> String {
  let end = try startPython(dsn, program, arguments).wait(within: seconds)
  #expect(end.status == 0, "\(end.output)\(end.errors)", sourceLocation: sourceLocation)
  return end.output
}

private let pythonPrelude = """
  import faulthandler, socket, struct, sys, threading, time
  import psycopg
  dsn = sys.argv[1]
  faulthandler.dump_traceback_later(55, exit=True)

  def expect(condition, words):
      if not condition:
          sys.exit(f"line {sys._getframe(1).f_lineno}: {words}")

  def refused(code, run):
      try:
          run()
      except psycopg.Error as error:
          if error.sqlstate != code:
              sys.exit(f"line {sys._getframe(1).f_lineno}: not {code} but {error.sqlstate}: {error}")
          return error
      sys.exit(f"line {sys._getframe(1).f_lineno}: not {code}: it ran")

  def connect(**more):
      return psycopg.connect(dsn, autocommit=True, **more)

  def wait_for(what, ask, seconds=10):
      end = time.monotonic() + seconds
      while time.monotonic() < end:
          answer = ask()
          if answer:
              return answer
          time.sleep(0.01)
      sys.exit(f"waited {seconds} s for {what}")


  """

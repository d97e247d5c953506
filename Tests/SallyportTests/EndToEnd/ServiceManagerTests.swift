import Foundation
import Glibc
import Testing

/// The systemd unit, and what the gateway tells whoever starts it as systemd does.
@Suite("End to end: service manager")
struct EndToEndServiceManagerTests {
  @Test(
    "the unit is one, to systemd's own eyes",
    .enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0, "systemd is not installed"))
  func unit() throws {
    let unit = try String(
      contentsOfFile: "\(try TestRun.root())/scripts/systemd/sallyport.service", encoding: .utf8)
    let folder = try TestRun.newFolder("unit")
    let file = "\(folder)/sallyport.service"
    // It looks for the binary and the manual, which are not installed here.
    let lines = unit.replacing("/usr/local/bin/sallyport", with: try TestRun.binary()).split(separator: "\n")
      .filter { !$0.hasPrefix("Documentation=") && $0 != "User=sallyport" && $0 != "Group=sallyport" }
    try lines.joined(separator: "\n").write(toFile: file, atomically: false, encoding: .utf8)
    let end = try ChildProcess.run("/usr/bin/systemd-analyze", ["verify", "--man=no", file])
    #expect(end.status == 0, "\(end.output)\(end.errors)")
    let complaints = (end.output + end.errors).split(separator: "\n").filter { $0.contains("sallyport.service") }
    #expect(complaints.isEmpty, "\(complaints)")
  }

  /// Not systemd itself, but its side of sd_notify(3): a datagram socket, of both kinds.
  @Test("the notify socket as systemd plays it: READY=1 when it listens, STOPPING=1 when it is told to go")
  func notify() throws {
    let database = try TestCluster.shared().createDatabase("notify")
    let configuration = TestRun.newPath("notify.yaml")
    try "\(try TestConfiguration.open(database))\n".write(toFile: configuration, atomically: false, encoding: .utf8)
    let program = """
      import os, signal, socket, subprocess, sys
      binary, configuration, data, path = sys.argv[1:5]
      for name in [path, "\\0" + os.path.basename(path)]:
          with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
              manager.bind(name)
              manager.settimeout(20)
              shown = name.replace("\\0", "@")
              gateway = subprocess.Popen([binary, "serve", "--config", configuration, "--data", data],
                  env={**os.environ, "NOTIFY_SOCKET": shown}, stdout=subprocess.PIPE, text=True)
              try:
                  assert manager.recv(1000) == b"READY=1", "not ready"
                  # It says so when it listens, not before.
                  host, port = gateway.stdout.readline().split()[2].rsplit(":", 1)
                  socket.create_connection((host, int(port)), 5).close()
                  gateway.send_signal(signal.SIGTERM)
                  assert manager.recv(1000) == b"STOPPING=1", "not stopping"
                  assert gateway.wait(20) == 0, gateway.returncode
              finally:
                  gateway.kill()
      # A manager that is gone is no reason not to serve.
      gateway = subprocess.Popen([binary, "serve", "--config", configuration, "--data", data],
          env={**os.environ, "NOTIFY_SOCKET": "/nowhere"}, stdout=subprocess.PIPE, text=True)
      try:
          assert gateway.stdout.readline().startswith("listening"), "it does not serve"
          gateway.send_signal(signal.SIGTERM)
          assert gateway.wait(20) == 0
      finally:
          gateway.kill()
      """
    let cluster = try TestCluster.shared()
    let end = try ChildProcess.run(
      try TestRun.python(),
      [
        "-c", program, try TestRun.binary(), configuration, try TestRun.newFolder("notify"),
        TestRun.newPath("notify.sock"),
      ],
      environment: ["SALLYPORT_DEMO_APP_PASSWORD": cluster.appPassword], within: 60)
    #expect(end.status == 0, "\(end.output)\(end.errors)")
  }
}

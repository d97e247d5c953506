import Foundation
import Glibc

/// A real sshd on loopback for this run, with the keys of everybody in it. Ended with the run, by its process id.
final class TestSSH {
  nonisolated(unsafe) static let shared = Result { try TestSSH() }
  nonisolated(unsafe) private static var pid: pid_t = 0

  let folder: String
  let port: Int
  private let process: ChildProcess
  /// `SHA256:…`
  let fingerprint: String
  var user: String { String(cString: getpwuid(geteuid()).pointee.pw_name) }

  private init() throws {
    folder = try TestRun.newFolder("sshd")
    for name in ["host", "backend", "ana", "bo", "stranger"] {
      let end = try ChildProcess.run(
        "/usr/bin/ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "\(name)@test", "-f", "\(folder)/\(name)"])
      guard end.status == 0 else { throw TestFailure("ssh-keygen: \(end.errors)") }
    }
    port = try RawConnection.closedPort()
    // sshd asks for it when root starts it.
    if geteuid() == 0 {
      try? FileManager.default.createDirectory(atPath: "/run/sshd", withIntermediateDirectories: true)
    }
    try """
    Port \(port)
    ListenAddress 127.0.0.1
    HostKey \(folder)/host
    AuthorizedKeysFile \(folder)/backend.pub
    PidFile none
    StrictModes no
    UsePAM no
    PasswordAuthentication no
    MaxSessions 100
    MaxStartups 100
    LogLevel VERBOSE

    """.write(toFile: "\(folder)/sshd_config", atomically: false, encoding: .utf8)
    process = try ChildProcess("/usr/sbin/sshd", ["-D", "-e", "-f", "\(folder)/sshd_config"])
    TestSSH.pid = process.pid
    atexit { kill(TestSSH.pid, SIGTERM) }
    let print = try ChildProcess.run("/usr/bin/ssh-keygen", ["-lf", "\(folder)/host.pub"]).output
    fingerprint = String(print.split(separator: " ")[1])
    let process = process
    _ = try eventually("sshd to listen", within: 10) {
      guard process.isRunning else { throw TestFailure("sshd: \(process.errors)") }
      return process.errors.contains("Server listening") ? true : nil
    }
  }

  func publicKey(_ name: String) throws -> String {
    try String(contentsOfFile: "\(folder)/\(name).pub", encoding: .utf8).trimmingCharacters(in: .newlines)
  }

  /// ana may run programs and fetch files, bo everything; `rm` is denied to all, `touch` needs bo.
  func configuration(access: String = "") throws -> String {
    let account = "user: \(user), key: { file: \(folder)/backend }"
    let place = "protocol: ssh, address: \"127.0.0.1:\(port)\""
    return """
      gateway: { name: test, listen: { postgres: "127.0.0.1:0", ssh: "127.0.0.1:0" }, threads: 2 }
      users:
        ana: { groups: [engineering], keys: ["\(try publicKey("ana"))"] }
        bo:  { groups: [dba], keys: ["\(try publicKey("bo"))"] }
        eve: { groups: [visitors] }
      roles: { approver: [dba], admin: [dba] }
      connections:
        web-1: { \(place), logins: [\(user)], credentials: [{ \(account) }], host_key: "\(fingerprint)" }
        pinned: { \(place), credentials: [{ \(account) }], host_key: "SHA256:\(String(repeating: "A", count: 43))" }
        dead: { protocol: ssh, address: "127.0.0.1:1", credentials: [{ \(account) }], host_key: "\(fingerprint)" }
        wrong: { \(place), credentials: [{ user: \(user), key: { file: \(folder)/stranger } }], host_key: "\(fingerprint)" }
      access:
        - { groups: [engineering], connections: [web-1, pinned, dead, wrong], allow: { ssh: [exec, download] } }
        - { groups: [dba], connections: [web-1], allow: { ssh: all } }
        \(access)
      rules:
        - { name: no-rm, when: { ssh: { program: rm } }, then: deny, reason: nothing is removed by hand }
        - { name: touch-is-reviewed, when: { ssh: { program: touch } }, then: { approve: { by: [dba], wait: 20s } } }

      """
  }
}

extension GatewayProcess {
  /// The port for SSH.
  var sshPort: Int {
    let line = process.output.split(separator: "\n").first { $0.hasPrefix("listening ssh ") }
    return line?.split(separator: ":").last.flatMap { Int($0) } ?? 0
  }

  private func options(_ person: String, _ more: [String], jump: Bool) throws -> [String] {
    let ssh = try TestSSH.shared.get()
    let path = "\(folder)/ssh-\(person)"
    let known = try String(contentsOfFile: "\(data)/ssh_host_ed25519_key.pub", encoding: .utf8)
    try write("* \(known)", to: "\(folder)/known_hosts")
    let text = """
      Host *
        StrictHostKeyChecking yes
        UserKnownHostsFile \(folder)/known_hosts
        LogLevel ERROR
        IdentitiesOnly yes
        IdentityFile \(ssh.folder)/\(person)
      Host gateway 127.0.0.1
        Port \(sshPort)
        HostName 127.0.0.1

      """
    try write(text, to: path)
    return ["-F", path] + more + (jump ? ["-J", "gateway"] : [])
  }

  /// Not while a client that was started before may be reading it.
  private func write(_ text: String, to path: String) throws {
    guard (try? String(contentsOfFile: path, encoding: .utf8)) != text else { return }
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }

  /// OpenSSH's client as this person, `target` as in `ssh TARGET COMMAND`.
  func startSSH(
    _ person: String, _ target: String, _ command: [String], _ more: [String] = [], jump: Bool = false,
    input: String = ""
  ) throws -> ChildProcess {
    try ChildProcess(
      "/usr/bin/ssh", try options(person, more, jump: jump) + [jump ? target : "\(target)@gateway"] + command,
      input: input)
  }

  func ssh(
    _ person: String, _ target: String, _ command: String, _ more: [String] = [], jump: Bool = false,
    input: String = ""
  ) throws -> ProcessEnd {
    try startSSH(person, target, [command], more, jump: jump, input: input).wait(within: 20)
  }

  /// Another program of OpenSSH's, such as scp.
  func openSSH(_ program: String, _ person: String, _ arguments: [String]) throws -> ProcessEnd {
    try ChildProcess.run("/usr/bin/\(program)", try options(person, [], jump: false) + arguments)
  }
}

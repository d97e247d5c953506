import AccessModel
import Foundation
import Testing

@testable import SSH

@Suite("SSH: shell texts")
struct ShellTests {
  private func programs(_ text: String) -> [String]? {
    (try? ProgramReader.read(text))?.map { ([$0.name] + $0.arguments.map { $0 ?? "?" }).joined(separator: "|") }
  }

  @Test(
    "Programs are found wherever the text names them",
    arguments: [
      ("", []), ("ls", ["ls"]), ("ls -l 'a b' \"c d\" e\\ f", ["ls|-l|a b|c d|e f"]),
      ("a; b && c || d & e\nf | g", ["a", "b", "c", "d", "e", "f", "g"]),
      ("(a; b) > /x; { c; }", ["a", "b", "", "c"]), ("! a", ["a"]), ("a # rm -rf /", ["a"]),
      ("echo $(rm x) `id`", ["rm|x", "id", "echo|?|?"]), ("echo \"$(rm x)\"", ["rm|x", "echo|?"]),
      ("sudo -n -u www rm /x", ["sudo|-n|-u|www|rm|/x", "rm|/x"]),
      ("env LANG=C nice -n 5 rm x", ["env|LANG=C|nice|-n|5|rm|x", "nice|-n|5|rm|x", "rm|x"]),
      ("timeout -k 1 10 rm x", ["timeout|-k|1|10|rm|x", "rm|x"]),
      ("sh -c 'rm \"$1\"' x y", ["sh|-c|rm \"$1\"|x|y", "rm|?"]), ("bash -lc 'a; b'", ["bash|-lc|a; b", "a", "b"]),
      ("find / -exec rm {} ;", ["find|/|-exec|rm|{}", "rm|?"]),
      ("find / -exec rm {} \\; -print", ["find|/|-exec|rm|{}|;|-print", "rm|?"]),
      ("ls | xargs -0 rm -f", ["ls", "xargs|-0|rm|-f", "rm|-f|?"]),
      ("sh deploy.sh now", ["sh|deploy.sh|now", "deploy.sh|now"]),
      ("python3 /opt/a.py 1", ["python3|/opt/a.py|1", "/opt/a.py|1"]), ("ls *.log ~/x $HOME {a,b}", ["ls|?|?|?|?"]),
      ("cat <<'E'\n$(rm x)\nE\nid", ["cat", "id"]), ("a 2>&1 </dev/null >>/var/log/x", ["a"]), ("r''m x", ["rm|x"]),
      ("\\rm x", ["rm|x"]), ("'/bin/rm' x", ["/bin/rm|x"]), ("command -p rm x", ["command|-p|rm|x", "rm|x"]),
      ("busybox rm x", ["busybox|rm|x", "rm|x"]), ("set -eu; a", ["set|-eu", "a"]), ("tar xf a.tar", ["tar|xf|a.tar"]),
    ] as [(String, [String])])
  func found(_ text: String, _ expected: [String]) { #expect(programs(text) == expected, "\(text)") }

  @Test(
    "What cannot be told counts as everything",
    arguments: [
      "$X y", "eval rm", "r$Y x", "`echo rm` x", "/bin/r? x", "{rm,x}", "~/x", "base64 -d <<< x | sh", "echo x | sh",
      "sh", "bash -s", "python -c 'x'", "perl -e 1", "awk 'BEGIN{system(\"rm\")}'", "sed e x", "vi x", "ssh other rm",
      "su -c rm", "sudo -i", "sudo -s rm", "sudo $X rm", "PATH=/tmp ls", "LD_PRELOAD=x ls", "PATH+=x ls",
      "export PATH=x; ls", "alias ls=rm", "i\\\nf a; then rm x; fi", "if a; then rm x; fi",
      "for i in a; do rm $i; done",
      "f() { rm x; }; f", "a <(rm x)", "$'rm' x", "$\"rm\" x", "echo $((1))", "echo ${X:-$(rm x)}", "((x))", "[[ a ]]",
      "a |& b", "a <<< b", "cat <<E\n$(rm x)\nE", "a '", "a \"", "a \\", "a &&", "; a", "a ;; b", "()", "{ a }", "a )",
      "a <", "a 10>x", "a >&x", "a > 2>&1", "xargs -I{} sh -c '{}'", "find . -exec sh -c '{}' \\;", "xargs sh",
      "env -S 'rm x'", "tar --to-c=rm -xf x", "tar xIf rm x", "sort --compress-prog=rm x", "flock /x rm y",
      "watch rm x",
      "exec", "exec 3<x", ". ./x", "source x", "trap 'rm x' EXIT", "time -f x rm", "printf -v PATH x", "sh -c \"$X\"",
      "sh -x -c -- rm", "sh /dev/stdin", "=rm x", "a\u{a0}b", "a\u{1}b", "/lib64/ld-linux-x86-64.so.2 /bin/rm x",
      "zsh -c 'rm x'", "git -c core.pager=x log", "a\r", "`a \\`rm x\\``",
      String(repeating: "$(", count: 40) + "a" + String(repeating: ")", count: 40), String(repeating: "a;", count: 600),
      "ls " + String(repeating: "x", count: 70_000),
    ])
  func everything(_ text: String) {
    let command = ExecCommand.command(text)
    #expect(command.effects.isUnknown, "\(text)")
    #expect(command.footprint == .everything)
    guard case .ssh(let detail) = command.detail else {
      Issue.record("not a command of SSH")
      return
    }
    #expect(detail.misunderstood != nil)
  }

  @Test(
    "Transfers are what they are and nothing more",
    arguments: [
      ("scp -f /etc/hosts", "download"), ("scp -r -p -t /tmp", "upload"), ("scp -v -f 'a b' c", "download"),
      ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/a", "download"),
      ("rsync --server -re.LsfxCIvu . /srv", "upload"), ("git-upload-pack '/srv/x.git'", "download"),
      ("git-receive-pack '/srv/x.git'", "execute,upload"), ("scp -f /x; rm y", "execute,upload,download"),
      ("scp -f /x > /y", "execute,upload,download"), ("scp -f -t /x", "execute,upload,download"),
      ("ls /etc", "execute"),
      ("scp -S sh -t /x", "unknown"),
    ])
  func transfers(_ text: String, _ effects: String) {
    #expect(ExecCommand.command(text).effects.description == effects)
  }

  @Test("Paths are normalised, and those that cannot be known are said to be unknown")
  func paths() throws {
    func paths(_ text: String) throws -> [String?] {
      try ProgramReader.read(text).flatMap { $0.paths + $0.redirections }
    }
    #expect(try paths("cat /a/../etc//passwd ./x/./y --out=/z -v") == ["/etc/passwd", "x/y", "/z"])
    #expect(try paths("cat ../x $Y") == [nil, nil])
    #expect(try paths("cd /etc; cat passwd") == ["/etc", nil])
    #expect(try paths("a > /x/../y") == ["/y"])
    // What is relative may be a password, and its name is not kept.
    let access = ResourceAccess(Resource(.path, ["~"]), .execute)
    #expect(ExecCommand.command("other -psecret hidden").footprint == .resources([access]))
  }

  @Test("One channel starts one thing")
  func channel() {
    var channel = SessionChannel()
    #expect(channel.receive(.windowChange(columns: 80, rows: 24)) == .fail)
    #expect(channel.receive(.terminal(Terminal(type: "a\u{1b}[", columns: -1, rows: 1 << 40))) == .accept)
    #expect(channel.terminal == Terminal(type: "xterm", columns: 0, rows: 9_999))
    #expect(channel.receive(.terminal(Terminal(type: "vt100", columns: 80, rows: 24))) == .fail)
    #expect(channel.receive(.windowChange(columns: 80, rows: 24)) == .resize(columns: 80, rows: 24))
    #expect(channel.receive(.exec("ls")) == .decide(ExecCommand.command("ls")))
    #expect(channel.receive(.exec("ls")) == .fail)
    #expect(channel.receive(.shell) == .fail)
    var other = SessionChannel()
    guard case .refuse = other.receive(.exec(nil)) else {
      Issue.record("bytes that are no text were taken")
      return
    }
  }

  @Test("Names of one hop")
  func names() {
    #expect(TargetName("web-1") == TargetName(login: nil, connection: "web-1"))
    #expect(TargetName("root%web-1") == TargetName(login: "root", connection: "web-1"))
    for bad in ["", "%", "a%", "%b", "a%b%c", String(repeating: "x", count: 256)] { #expect(TargetName(bad) == nil) }
  }
}

@Suite("SSH: shells as oracles")
struct ShellOracleTests {
  private static let pieces = [
    "a", "echo", "b c", "'x y'", "\"p $q\"", "\\$", ";", ";;", "&", "&&", "||", "|", "|&", "(", ")", "{ ", " }", "!",
    "\n", " ", "\t", "#", "<", ">", ">>", "2>&1", "<<E\n", "\nE\n", "$(", "`", "\"", "'", "\\", "$x", "${y}", "$((",
    "=",
    "x=1", "if", "then", "fi", "do", "*", "~", "-c", "sh -c 'a'", "[", "]", "\\\n", "&>", "<(", "<<<", ">&", ">|", "1",
    "12",
  ]

  private func accepts(_ shell: String, _ text: String) throws -> Bool {
    let end = try ChildProcess.run(shell, ["-n"], input: text)
    // bash only warns of a here-document that the end of the text delimits.
    return end.status == 0 && !end.errors.contains("delimited by end-of-file")
  }

  @Test("Whatever we read, dash and bash read too")
  func accepted() throws {
    let seed = ProcessInfo.processInfo.environment["SALLYPORT_SHELL_SEED"].flatMap { UInt64($0) } ?? 20_261_121
    var random = SplitMix(state: seed)
    var read = 0
    for _ in 0..<4000 where read < 120 {
      let count = Int.random(in: 1...9, using: &random)
      var pieces: [String] = []
      for _ in 0..<count { pieces.append(Self.pieces.randomElement(using: &random) ?? "") }
      let text: String = pieces.joined(separator: Bool.random(using: &random) ? " " : "")
      guard (try? ShellParser.parse(text)) != nil, text.contains(where: { !$0.isLetter }) else { continue }
      read += 1
      for shell in ["/bin/dash", "/bin/bash"] {
        #expect(try accepts(shell, text), "\(shell): \(text.debugDescription)")
      }
    }
    #expect(read == 120)
  }

  @Test("Words mean to us what they mean to dash and bash")
  func words() throws {
    var random = SplitMix(state: 7)
    let parts = [
      "a", "'b c'", "\"d  e\"", "\\ ", "\\'", "\"\\\"\"", "''", "\"f'g\"", "'h\"i'", "\"\\x\"", "\\\\", "=", "-",
      "\"\\$\"", "#k", "{}", "%", "\"$\"", ",", "@", "\"l\\\nm\"",
    ]
    var lines: [String] = []
    var expected: [String] = []
    for _ in 0..<150 {
      var words: [String] = []
      for _ in 0..<3 {
        var word = "w"
        for _ in 0..<Int.random(in: 1...5, using: &random) { word += parts.randomElement(using: &random) ?? "" }
        words.append(word)
      }
      let text: String = words.joined(separator: " ")
      let line = try #require(ShellParser.parse("printf " + text).commands.first)
      #expect(line.words.count == 4, "\(text)")
      lines.append("printf '%s\\n' " + text)
      expected += line.words.dropFirst().map { $0.value ?? "?" }
    }
    for shell in ["/bin/dash", "/bin/bash"] {
      let end = try ChildProcess.run(shell, ["-c", lines.joined(separator: "\n")])
      #expect(end.output == expected.map { $0 + "\n" }.joined(), "\(shell)")
    }
  }
}

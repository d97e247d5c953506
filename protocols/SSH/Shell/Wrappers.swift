/// What programs do with the rest of their words: run it as another program, as a text for a shell, or nobody knows.
///
/// A list can never be whole: whoever may run programs can write one that runs others. What is known to do so is followed
/// or counts as everything; what an ordinary program starts by itself is not seen (protocols/SSH/README.md).
enum Wrappers {
  /// Shells whose `-c` is read like the text itself.
  static let shells: Set<String> = ["sh", "dash", "bash", "ash"]

  /// Programs that run a file given to them; anything else that they are given is code.
  static let interpreters: Set<String> = [
    "perl", "ruby", "node", "nodejs", "php", "lua", "tclsh", "wish", "deno", "bun", "guile", "Rscript", "julia",
    "pwsh", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "rbash", "rc", "es", "elvish", "nu", "xonsh", "python", "pypy",
    "java", "groovy", "scala", "jshell", "ocaml", "ghci", "runghc", "gforth", "swift", "dotnet", "osascript", "qjs",
  ]

  /// Whatever they are given may run anything: they change the shell itself, start programs in ways that are not
  /// followed, or have a language with such a command.
  static let opaque: Set<String> = [
    // The shell's own.
    "eval", "source", ".", "alias", "unalias", "export", "declare", "typeset", "local", "readonly", "read", "mapfile",
    "readarray", "trap", "enable", "hash", "shopt", "bind", "complete", "compgen", "let", "getopts", "unset", "builtin",
    "fc", "history", "pushd", "popd", "setopt", "autoload", "zmodload", "emulate", "noglob", "nocorrect", "fg", "bg",
    // Others that start programs.
    "su", "runuser", "sg", "newgrp", "pkexec", "chroot", "unshare", "nsenter", "setpriv", "capsh", "flock", "script",
    "scriptreplay", "watch", "parallel", "strace", "ltrace", "gdb", "gdbserver", "lldb", "screen", "tmux", "dtach",
    "abduco", "at", "batch", "crontab", "systemd-run", "systemd-inhibit", "run-parts", "start-stop-daemon", "taskset",
    "numactl", "setarch", "linux32", "linux64", "i386", "x86_64", "prlimit", "cpulimit", "chpst", "softlimit",
    "setuidgid", "envdir", "s6-setuidgid", "gosu", "su-exec", "tini", "dumb-init", "dbus-run-session", "dbus-launch",
    "xvfb-run", "fakeroot", "fakechroot", "proot", "bwrap", "firejail", "eatmydata", "catchsegv", "valgrind", "perf",
    "rlwrap", "unbuffer", "expect", "mosh-server", "cgexec", "ip", "ssh", "docker", "podman", "nerdctl", "ctr",
    "crictl", "kubectl", "lxc-attach", "lxc", "machinectl", "chrt", "hugectl", "faketime", "torsocks", "proxychains",
    "tsocks", "entr", "inotifywait", "logsave", "pidexec", "multitime", "hyperfine", "coproc", "doas", "op", "super",
    "calife", "ssh-agent", "gpg-agent", "xterm", "uxterm", "setsebool", "runcon", "choom", "uclampset", "chronic",
    "ifne", "pee", "zrun", "lckdo", "mispipe", "vipe", "vidir", "run-one", "socat", "nc", "ncat", "netcat", "socket",
    // With a language of their own.
    "awk", "gawk", "mawk", "nawk", "bwk", "sed", "gsed", "ed", "ex", "vi", "vim", "nvim", "view", "rvim", "vimdiff",
    "emacs", "emacsclient", "nano", "pico", "joe", "mcedit", "less", "more", "most", "man", "info", "pg", "dc", "m4",
    "make", "gmake", "cmake", "ninja", "bpftrace", "stap", "jrunscript", "openvt", "byebug", "irb", "pry", "psql",
    "mysql", "mariadb", "sqlite3", "redis-cli", "mongo", "mongosh", "ansible", "salt", "puppet", "chef", "git", "hg",
    "svn", "busctl", "gcc", "cc", "clang", "ld", "cpio", "rpm", "dpkg", "apt", "apt-get", "yum", "dnf", "pip", "pip3",
    "npm", "npx", "gem", "bundle", "cargo", "go", "composer", "mutt", "mail", "mailx", "ftp", "lftp", "sftp", "wget",
    "tcpdump", "nmap", "openssl", "ld.so",
  ]

  /// Options with a value of their own, by program; all others listed stand alone.
  struct Options {
    var alone: Set<String>
    var withValue: Set<String> = []
    /// Words between the options and the program.
    var operands = 0
    /// Assignments may stand before the program.
    var takesAssignments = false
  }

  static let prefixes: [String: Options] = [
    "sudo": Options(
      alone: ["-n", "-E", "-H", "-S", "-k", "--non-interactive", "--preserve-env", "--set-home", "--stdin"],
      withValue: ["-u", "-g", "-p", "--user", "--group", "--prompt"], takesAssignments: true),
    "env": Options(
      alone: ["-i", "-", "--ignore-environment"], withValue: ["-u", "--unset"], takesAssignments: true),
    "nice": Options(alone: [], withValue: ["-n", "--adjustment"]),
    "ionice": Options(alone: ["-t", "--ignore"], withValue: ["-c", "-n", "--class", "--classdata"]),
    "nohup": Options(alone: []),
    "setsid": Options(alone: ["-c", "-f", "-w", "--ctty", "--fork", "--wait"]),
    "timeout": Options(
      alone: ["--foreground", "--preserve-status", "-v", "--verbose"],
      withValue: ["-s", "--signal", "-k", "--kill-after"], operands: 1),
    "stdbuf": Options(alone: [], withValue: ["-i", "-o", "-e"]),
    "time": Options(alone: ["-p"]),
    "command": Options(alone: ["-p"]),
    "exec": Options(alone: []),
    "busybox": Options(alone: []),
    "toybox": Options(alone: []),
    "xargs": Options(
      alone: ["-0", "-r", "-t", "-x", "--null", "--no-run-if-empty", "--verbose", "--exit"],
      withValue: ["-n", "-P", "-L", "-s", "-d", "-a", "--max-args", "--max-procs", "--max-lines", "--delimiter"]),
  ]

  /// Options of ordinary programs that run another one, by program: long ones, which may be shortened, and letters.
  static let running: [String: (long: [String], letters: String)] = [
    "tar": (
      [
        "--to-command", "--checkpoint-action", "--use-compress-program", "--info-script", "--new-volume-script",
        "--rsh-command", "--rmt-command",
      ], "IF"
    ),
    "sort": (["--compress-program"], ""), "split": (["--filter"], ""), "zip": (["--unzip-command"], "T"),
    "rsync": (["--rsh", "--rsync-path"], "e"), "scp": ([], "So"), "curl": (["--config"], "K"),
    "systemctl": (["--host", "--machine"], "HM"),
  ]

  /// Whether one of the words may be such an option.
  static func runsMore(_ base: String, _ arguments: [String?]) -> Bool {
    guard let options = running[base] else { return false }
    // The far end of a transfer starts nothing.
    if base == "rsync", arguments.first == "--server" { return false }
    return arguments.enumerated().contains { index, argument in
      guard let argument else { return true }
      if argument.hasPrefix("--"), argument.count > 2 {
        let name = argument.prefix { $0 != "=" }
        return options.long.contains { $0.hasPrefix(name) }
      }
      // tar takes its first letters without a dash.
      guard argument.hasPrefix("-") || base == "tar" && index == 0 else { return false }
      return argument.contains { options.letters.contains($0) }
    }
  }

  /// Variables that may be set for a program without another one being run because of it.
  static func isHarmless(variable name: String) -> Bool {
    let known: Set<String> = [
      "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "CLICOLOR", "DEBIAN_FRONTEND", "SYSTEMD_COLORS",
    ]
    return known.contains(name) || name.hasPrefix("LC_")
  }

  /// Whether a program's name is one of an interpreter, with or without a version behind it: `python3.11`.
  static func isInterpreter(_ base: String) -> Bool {
    let name = base.prefix { !$0.isNumber && $0 != "." && $0 != "-" }
    return interpreters.contains(base) || interpreters.contains(String(name))
  }

  /// Whether nothing can be said of what the program does with its words: one of the list, or one of its versions.
  static func isOpaque(_ base: String) -> Bool {
    if opaque.contains(base) || base.hasPrefix("ld-linux") || base.hasPrefix("ld-musl") { return true }
    let name = base.prefix { !$0.isNumber && $0 != "." && $0 != "-" }
    return opaque.contains(String(name))
      && base.dropFirst(name.count).allSatisfy { $0.isNumber || $0 == "." || $0 == "-" }
  }
}

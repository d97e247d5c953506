// SSH: what clients ask of SSH connections, as commands and answers; the transport is libssh's, and not in here.

import AccessModel

/// Reads the text of an exec request (RFC 4254 §6.5), which the backend hands to the account's login shell.
public enum ExecCommand {
  /// Bytes of a text that is decided at all.
  public static let maximumLength = 131_072

  /// What the text may do. Total: what is not understood may do everything.
  public static func command(_ text: String) -> Command {
    do throws(ShellMisunderstanding) {
      return command(text, try ProgramReader.read(text))
    } catch {
      return unknown(text, .exec, error.reason)
    }
  }

  /// A login shell: what will be typed there is not known before.
  public static var shell: Command { unknown("", .shell, "what is typed into a shell is not known before") }

  public static func subsystem(_ name: String) -> Command {
    unknown(name, .subsystem, "the subsystem is not decoded")
  }

  private static func unknown(_ text: String, _ request: SSHDetail.Request, _ reason: String) -> Command {
    Command(
      effects: .unknown, footprint: .everything, text: text,
      detail: .ssh(SSHDetail(request: request, misunderstood: reason)))
  }

  private static func command(_ text: String, _ programs: [SSHProgram]) -> Command {
    let transfer = programs.count == 1 ? programs.first.flatMap(FileTransfer.init) : nil
    let effects =
      transfer?.effects
      ?? (programs.contains(where: FileTransfer.isProgram) ? [.execute, .upload, .download] : .execute)
    var accesses = Set<ResourceAccess>()
    for program in programs {
      for path in program.paths + program.redirections {
        accesses.insert(ResourceAccess(resource(path, isTransfer: transfer != nil), effects))
      }
    }
    return Command(
      effects: effects, footprint: Footprint(accesses), text: text,
      detail: .ssh(SSHDetail(request: .exec, programs: programs)))
  }

  /// Relative paths are all one: what lies below the directory in which commands begin. They may be passwords, too.
  private static func resource(_ path: String?, isTransfer: Bool) -> Resource {
    let kind = isTransfer ? Resource.Kind.file : .path
    guard let path else { return Resource(kind, [nil]) }
    return Resource(kind, [isTransfer || path.hasPrefix("/") ? path : "~"])
  }
}

/// A file transfer by a program that the client starts on the backend: scp, rsync, git.
struct FileTransfer {
  var effects: Effects

  private static let programs: Set<String> = [
    "scp", "rsync", "sftp-server", "git-upload-pack", "git-receive-pack", "git-upload-archive", "sz", "rz",
  ]

  static func isProgram(_ program: SSHProgram) -> Bool {
    programs.contains(program.name.split(separator: "/").last.map(String.init) ?? "")
  }

  /// nil where it is not certain that the program does nothing but this.
  init?(_ program: SSHProgram) {
    guard program.redirections.isEmpty else { return nil }
    switch program.name {
    case "scp", "/usr/bin/scp": self.init(scp: program.arguments)
    case "rsync", "/usr/bin/rsync": self.init(rsync: program.arguments)
    case "git-upload-pack", "git-upload-archive": self.init(path: program.arguments, .download)
    // Its hooks are the repository's own programs.
    case "git-receive-pack": self.init(path: program.arguments, [.upload, .execute])
    default: return nil
    }
  }

  /// `scp -f` sends files to the client, `scp -t` takes them (OpenSSH's scp.c; no document describes it).
  private init?(scp arguments: [String?]) {
    let options = arguments.prefix { $0?.hasPrefix("-") ?? false }.compactMap { $0 }
    let letters = Set(options.filter { $0 != "--" }.flatMap { $0.dropFirst() })
    guard letters.isSubset(of: "ftrpdvq"), letters.contains("f") != letters.contains("t") else { return nil }
    let paths = arguments.dropFirst(options.count)
    guard !paths.isEmpty, letters.contains("f") || paths.count == 1 else { return nil }
    effects = letters.contains("f") ? .download : .upload
  }

  /// `rsync --server --sender …` sends files to the client, without `--sender` it takes them.
  private init?(rsync arguments: [String?]) {
    guard arguments.first == "--server" else { return nil }
    var isSender = false
    var seenOperands = 0
    for argument in arguments.dropFirst() {
      guard let argument else {
        // Patterns among the paths.
        guard seenOperands > 0 else { return nil }
        seenOperands += 1
        continue
      }
      switch argument {
      case "--sender": isSender = true
      case "--delete", "--delete-before", "--delete-during", "--delete-after", "--delete-delay", "--partial",
        "--numeric-ids", "--inplace", "--ignore-existing", "--existing", "--size-only", "--stats", "--fake-super":
        break
      case _ where argument.hasPrefix("--"): return nil
      // What stands behind `e` tells the other side what the client can do; to a server it names no program.
      case _ where argument.hasPrefix("-"):
        guard argument.dropFirst().allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") }) else {
          return nil
        }
      default: seenOperands += 1
      }
    }
    guard seenOperands >= 2 else { return nil }
    effects = isSender ? .download : .upload
  }

  private init?(path arguments: [String?], _ effects: Effects) {
    guard arguments.count == 1, let path = arguments.first ?? nil, !path.hasPrefix("-") else { return nil }
    self.effects = effects
  }
}

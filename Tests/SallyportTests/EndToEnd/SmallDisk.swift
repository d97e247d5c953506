import Foundation
import Glibc

/// A file system of a few megabytes in memory, which a test can fill. Needs the right to mount.
final class SmallDisk {
  let path: String
  private var ballast: String { "\(path)/ballast" }

  init(megabytes: Int) throws {
    path = try TestRun.newFolder("disk")
    let mounted = try ChildProcess.run(
      "/usr/bin/mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=0700", "tmpfs", path])
    guard mounted.status == 0 else { throw TestFailure("no file system of its own: \(mounted.errors)") }
  }

  deinit {
    // Lazily: it goes when the last file in it is closed.
    _ = try? ChildProcess.run("/usr/bin/umount", ["-l", path])
  }

  /// Whether this process may mount; containers often may not, even as root.
  static let isPossible: Bool = {
    guard getuid() == 0, let folder = try? TestRun.newFolder("probe") else { return false }
    let mounted = try? ChildProcess.run("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder])
    guard mounted?.status == 0 else { return false }
    return (try? ChildProcess.run("/usr/bin/umount", [folder]).status == 0) ?? false
  }()

  /// Takes all the room that is left.
  func fill() throws {
    let file = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw TestFailure("no file on the small disk") }
    defer { close(file) }
    var piece = [UInt8](repeating: 0x62, count: 1 << 20)
    while write(file, &piece, piece.count) > 0 {}
    guard errno == ENOSPC else {
      throw TestFailure("the small disk does not fill: \(String(cString: strerror(errno)))")
    }
  }

  /// Gives it back.
  func free() { unlink(ballast) }
}

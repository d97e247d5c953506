import Foundation
import Glibc

/// A real file system on a device of its own, of which a test can ask: what would be on it if power went now?
///
/// What was written and not synchronised is in the kernel's memory, above the device; a copy of the device does not have
/// it, as a disk would not. Needs the right to mount.
final class PowerDisk {
  let path: String
  private let image: String
  private var mounted: [String] = []

  init(megabytes: Int) throws {
    path = try TestRun.newFolder("power")
    image = TestRun.newPath("power.img")
    try PowerDisk.make(image, megabytes)
    try mount(image, at: path)
  }

  deinit {
    for path in mounted.reversed() { _ = try? ChildProcess.run("/usr/bin/umount", ["-l", path]) }
    try? FileManager.default.removeItem(atPath: image)
  }

  /// Whether this process may have loop devices; containers often may not, even as root.
  static let isPossible: Bool = {
    guard getuid() == 0, access("/usr/sbin/mkfs.ext4", X_OK) == 0, let folder = try? TestRun.newFolder("probe") else {
      return false
    }
    let image = "\(folder)/image"
    guard (try? make(image, 8)) != nil,
      (try? ChildProcess.run("/usr/bin/mount", ["-o", "loop", image, folder]).status == 0) == true
    else { return false }
    return (try? ChildProcess.run("/usr/bin/umount", [folder]).status == 0) ?? false
  }()

  /// A folder with what would be there after the power came back.
  func afterPowerLoss() throws -> String {
    let copy = TestRun.newPath("power.img")
    let folder = try TestRun.newFolder("power")
    _ = try ChildProcess.run("/usr/bin/cp", ["--sparse=always", image, copy])
    try mount(copy, at: folder)
    // The device keeps it open.
    try FileManager.default.removeItem(atPath: copy)
    return folder
  }

  private static func make(_ image: String, _ megabytes: Int) throws {
    try Data().write(to: URL(filePath: image))
    guard truncate(image, megabytes << 20) == 0 else { throw TestFailure("no room for a file system") }
    let made = try ChildProcess.run("/usr/sbin/mkfs.ext4", ["-q", "-F", image])
    guard made.status == 0 else { throw TestFailure("no file system: \(made.errors)") }
  }

  private func mount(_ image: String, at folder: String) throws {
    let end = try ChildProcess.run("/usr/bin/mount", ["-o", "loop", image, folder])
    guard end.status == 0 else { throw TestFailure("not mounted: \(end.errors)") }
    mounted.append(folder)
  }
}

// AuditTrail: keeps what happened in append-only, hash-chained files that survive the death of the process.

import Enforcement
import Glibc

/// The folder `<data>/audit`, held by one gateway process at a time; it has one subfolder per lane.
public final class AuditDirectory: Sendable {
  /// `<data>/audit`.
  public let path: String
  private let lock: Int32

  /// Makes the folder when it is missing (mode 0700) and takes its lock, which the kernel gives back when the process
  /// ends in whatever way.
  ///
  /// Throws when another process holds the lock or the folder cannot be written.
  public init(data: String) throws(AuditFailure) {
    let path = AuditDirectory.path(data: data)
    try Files.makeDirectory(data)
    try Files.makeDirectory(path)
    let lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw Files.failure("open", "\(path)/lock") }
    guard AuditDirectory.take(lock) else {
      let code = errno
      close(lock)
      if code == EWOULDBLOCK { throw AuditFailure("audit trail \"\(path)\" is in use by another gateway") }
      throw Files.failure("lock", "\(path)/lock", code)
    }
    self.path = path
    self.lock = lock
  }

  deinit { close(lock) }

  /// A lock lives on for an instant in a child that its owner was just starting, until that has become another program.
  private static func take(_ lock: Int32) -> Bool {
    for _ in 0..<20 {
      if flock(lock, LOCK_EX | LOCK_NB) == 0 { return true }
      guard errno == EWOULDBLOCK else { return false }
      usleep(10_000)
    }
    return flock(lock, LOCK_EX | LOCK_NB) == 0
  }

  /// How far the lanes go that are not open: those of an earlier process with more event loops. Reads the newest
  /// segment of each.
  public func standings(except open: Set<String>) throws(AuditFailure) -> [LaneStanding] {
    var standings: [LaneStanding] = []
    for lane in try Files.lanes(in: path) where !open.contains(lane) {
      let end = try LaneRecovery.recover(lane: lane, path: "\(path)/\(lane)")
      standings.append(
        LaneStanding(lane: lane, segment: end.segment, sequence: end.sequence, hash: end.recordHash.hex))
    }
    return standings
  }

  /// Where the trail of a data folder is.
  public static func path(data: String) -> String { "\(data)/audit" }

  /// The lane of what the gateway itself does, and of control verbs.
  public static let controlLane = "control"

  /// True for what may name a lane: 1 to 64 lower-case letters, digits and hyphens.
  public static func isLaneName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= SegmentFormat.laneNameLimit
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || byte == UInt8(ascii: "-")
      }
  }
}

/// The few calls to the file system that the trail needs, with errors that name the file.
enum Files {
  static func failure(_ action: String, _ path: String, _ code: Int32 = errno) -> AuditFailure {
    AuditFailure("could not \(action) \"\(path)\": \(String(cString: strerror(code)))")
  }

  static func makeDirectory(_ path: String) throws(AuditFailure) {
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("create folder", path) }
  }

  /// Names in a folder, sorted, without `.` and `..`; empty when there is no such folder.
  static func list(_ path: String) throws(AuditFailure) -> [String] {
    guard let stream = opendir(path) else {
      if errno == ENOENT { return [] }
      throw failure("read folder", path)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Names of the lanes of a trail, sorted.
  static func lanes(in trail: String) throws(AuditFailure) -> [String] {
    try list(trail).filter { AuditDirectory.isLaneName($0) && isDirectory("\(trail)/\($0)") }
  }

  /// Numbers of the segment files of a lane, ascending.
  static func segments(in lane: String) throws(AuditFailure) -> [UInt64] {
    try list(lane).compactMap(SegmentFormat.number(ofFile:)).sorted()
  }

  /// Waits until all of a file is on the disk.
  static func synchronize(_ path: String) throws(AuditFailure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw failure("open", path) }
    defer { close(descriptor) }
    guard fdatasync(descriptor) == 0 else { throw failure("synchronise", path) }
  }

  /// Writes all bytes at the descriptor's place; false when it took only some.
  static func append(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { return false }
      rest = rest.dropFirst(written)
    }
    return true
  }

  private static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Reads up to `count` bytes at `offset`; fewer only at the end of the file.
  static func read(_ descriptor: Int32, at offset: Int, count: Int) throws(AuditFailure) -> [UInt8] {
    var code: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: max(0, count)) { buffer, filled in
      while filled < buffer.count {
        let got = pread(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, offset + filled)
        if got > 0 {
          filled += got
        } else if got == 0 {
          return
        } else if errno != EINTR {
          code = errno
          return
        }
      }
    }
    guard code == 0 else { throw AuditFailure("could not read: \(String(cString: strerror(code)))") }
    return bytes
  }
}

import Enforcement
import Glibc
import Synchronization

/// A segment file whose room on the disk is certain and whose pages are in memory, but which holds nothing yet.
///
/// The address is kept as a number so that another thread can prepare a segment and hand it over.
struct PreparedSegment: Sendable {
  var path: String
  var descriptor: Int32
  var address: UInt
  var size: Int

  /// Gives the room back.
  func discard() {
    munmap(UnsafeMutableRawPointer(bitPattern: address), size)
    close(descriptor)
    unlink(path)
  }
}

/// Makes segment files of a given size, or says why that cannot be had.
public struct SegmentAllocator: Sendable {
  let allocate: @Sendable (_ path: String, _ size: Int) throws(AuditFailure) -> PreparedSegment

  init(allocate: @escaping @Sendable (_ path: String, _ size: Int) throws(AuditFailure) -> PreparedSegment) {
    self.allocate = allocate
  }

  /// On the disk: every block is allocated before use, so that a full disk is found here and not as a SIGBUS later.
  ///
  /// A file system that copies on write (btrfs, ZFS) cannot promise that; there a full disk ends the process.
  public static let disk = SegmentAllocator { (path, size) throws(AuditFailure) in
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Files.failure("create", path) }
    func give(up failure: AuditFailure) -> AuditFailure {
      close(descriptor)
      unlink(path)
      return failure
    }
    var code: Int32
    repeat { code = posix_fallocate(descriptor, 0, size) } while code == EINTR
    guard code == 0 else { throw give(up: Files.failure("allocate", path, code)) }
    let flags = MAP_SHARED | MAP_POPULATE
    guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, Int32(flags), descriptor, 0), address != MAP_FAILED
    else { throw give(up: Files.failure("map", path)) }
    PageWarming(address: UInt(bitPattern: address), count: min(size, PageWarming.distance)).run()
    return PreparedSegment(path: path, descriptor: descriptor, address: UInt(bitPattern: address), size: size)
  }
}

/// Pages of a segment that are there and are to become writable before a record needs them.
///
/// It may run on another thread, and even when the segment is closed by then: it changes no byte of any memory.
struct PageWarming: Sendable {
  var address: UInt
  var count: Int

  /// So many bytes in advance; those of later ones would be written back, and so be read-only, before they are used.
  static let distance = 1 << 20
  /// MADV_POPULATE_WRITE of madvise(2), since Linux 5.14. Before that a page becomes writable when it is written.
  private static let populateWrite: Int32 = 23

  func run() { madvise(UnsafeMutableRawPointer(bitPattern: address), count, PageWarming.populateWrite) }
}

/// The next segment while another thread prepares it.
final class Preparation: Sendable {
  private enum State: Sendable {
    case running
    case ready(PreparedSegment)
    case failed(AuditFailure)
    case abandoned
  }
  private let state = Mutex(State.running)

  /// Called once, on whatever thread.
  func run(_ allocator: SegmentAllocator, path: String, size: Int) {
    let result: State
    do throws(AuditFailure) {
      result = .ready(try allocator.allocate(path, size))
    } catch {
      result = .failed(error)
    }
    state.withLock { state in
      if case .abandoned = state, case .ready(let segment) = result { return segment.discard() }
      state = result
    }
  }

  /// The segment once it is there, nil while it is not; throws when it cannot be had.
  func result() throws(AuditFailure) -> PreparedSegment? {
    switch state.withLock({ $0 }) {
    case .running, .abandoned: return nil
    case .ready(let segment): return segment
    case .failed(let failure): throw failure
    }
  }

  /// Discards what was prepared, or will be.
  func abandon() {
    state.withLock { state in
      if case .ready(let segment) = state { segment.discard() }
      state = .abandoned
    }
  }
}

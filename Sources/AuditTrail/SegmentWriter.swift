import Atomics
import Glibc

/// The segment that a lane writes to: a file that is mapped into memory.
///
/// What was stored in the map is the kernel's: it survives the process, whatever ends it.
final class SegmentWriter {
  private let path: String
  private let descriptor: Int32
  private let base: UnsafeMutableRawPointer
  private let size: Int
  let number: UInt64
  @exclusivity(unchecked) private var end = SegmentFormat.headerSize
  /// Up to where pages were made writable in advance.
  @exclusivity(unchecked) private var warm = PageWarming.distance

  /// Where the next record goes.
  var offset: Int { end }
  var remaining: Int { size - end }
  var isThreeQuartersFull: Bool { end >= size - size / 4 }

  /// Takes over a prepared segment and puts it into use by its header. nil when it is too small for one.
  init?(_ prepared: PreparedSegment, header: SegmentHeader) {
    guard prepared.size > SegmentFormat.headerSize, prepared.size.isMultiple(of: 8),
      let base = UnsafeMutableRawPointer(bitPattern: prepared.address)
    else { return nil }
    path = prepared.path
    descriptor = prepared.descriptor
    self.base = base
    size = prepared.size
    number = header.number
    let bytes = header.encoded()
    // The magic number makes the header valid, so it comes last.
    let rest = bytes.dropFirst(8)
    rest.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: base + 8, count: $0.count).copyMemory(from: $0) }
    UnsafeAtomic<UInt64>(at: base.assumingMemoryBound(to: UnsafeAtomic<UInt64>.Storage.self))
      .store(SegmentFormat.magic.littleEndian, ordering: .releasing)
  }

  /// Writes one record and commits it.
  ///
  /// - Parameters:
  ///   - content: sequence number, time and payload as they stand in the file.
  ///   - payload: how many of these bytes are payload; the caller has made sure that the record fits.
  func write(content: UnsafeRawBufferPointer, payload: Int, hash: UnsafeRawBufferPointer) {
    let record = base + end
    let total = SegmentFormat.recordSize(payload: payload)
    guard total <= remaining, let source = content.baseAddress, let digest = hash.baseAddress else { return }
    // The length first: it says how far an unfinished record may reach.
    word(record).store(UInt32(truncatingIfNeeded: payload).littleEndian, ordering: .relaxed)
    atomicMemoryFence(ordering: .releasing)
    (record + 8).copyMemory(from: source, byteCount: content.count)
    (record + (total - SegmentFormat.hashSize)).copyMemory(from: digest, byteCount: SegmentFormat.hashSize)
    word(record + 4).store(SegmentFormat.committed.littleEndian, ordering: .releasing)
    end += total
  }

  private func word(_ pointer: UnsafeMutableRawPointer) -> UnsafeAtomic<UInt32> {
    UnsafeAtomic<UInt32>(at: pointer.assumingMemoryBound(to: UnsafeAtomic<UInt32>.Storage.self))
  }

  /// The next pages to be made writable in advance; nil when there are enough, or no more.
  ///
  /// Else the first record in each page would wait for a page fault, in which the file system has a say: one statement
  /// in fifteen.
  @inline(__always)
  func takeNextPages() -> PageWarming? { end + PageWarming.distance / 2 < warm ? nil : nextPages() }

  @inline(never)
  private func nextPages() -> PageWarming? {
    guard warm < size else { return nil }
    defer { warm += PageWarming.distance }
    return PageWarming(address: UInt(bitPattern: base + warm), count: min(PageWarming.distance, size - warm))
  }

  /// Unmaps the file and cuts off what was not used; nothing can be written afterwards.
  deinit {
    munmap(base, size)
    _ = ftruncate(descriptor, end)
    close(descriptor)
  }

  /// Waits until all that was written is on the disk. Blocks; for a clean end.
  func synchronize() {
    msync(base, size, MS_SYNC)
    fsync(descriptor)
  }
}

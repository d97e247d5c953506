import Enforcement
import Glibc

/// What is wrong with the seals, and at which.
struct SealFault: Error, Hashable, CustomStringConvertible {
  /// The first that cannot be relied on; 0 when the file itself cannot be read.
  var number: UInt64
  var reason: String
  var description: String { number == 0 ? "seals: \(reason)" : "seal \(number): \(reason)" }
}

/// Reads the seals of a trail one after the other, in bounded memory; also while a gateway adds to them.
struct SealReader {
  private let descriptor: SealFile?
  private var offset = 0
  private var buffer: [UInt8] = []
  /// Where in the buffer the next line begins.
  private var start = 0
  private var last: Seal?
  /// The end of the file is a line that was not finished.
  private(set) var isUnfinished = false
  /// Whether there is such a file.
  var exists: Bool { descriptor != nil }

  /// - Parameter trail: `<data>/audit`.
  init(trail: String) throws(SealFault) {
    let path = SealLog.path(trail)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 || errno == ENOENT else {
      throw SealFault(number: 0, reason: Files.failure("open", path).message)
    }
    self.descriptor = descriptor < 0 ? nil : SealFile(descriptor)
  }

  /// The next seal; nil when there is none yet. Throws where the chain of seals breaks.
  mutating func next() throws(SealFault) -> Seal? {
    guard let line = try line() else { return nil }
    let expected = (last?.number ?? 0) + 1
    guard let seal = Seal(line: String(decoding: line, as: UTF8.self)) else {
      throw SealFault(number: expected, reason: "the line is no seal")
    }
    guard seal.number == expected, seal.previous == last?.hash ?? Seal.firstPrevious else {
      throw SealFault(number: expected, reason: "it does not continue the seal before it")
    }
    last = seal
    return seal
  }

  private mutating func line() throws(SealFault) -> ArraySlice<UInt8>? {
    guard let descriptor else { return nil }
    while true {
      if let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return buffer[start..<end]
      }
      let number = (last?.number ?? 0) + 1
      guard buffer.count - start <= Seal.lineLimit else {
        throw SealFault(number: number, reason: "the line is too long")
      }
      do throws(AuditFailure) {
        let more = try Files.read(descriptor.value, at: offset, count: Seal.lineLimit)
        isUnfinished = more.isEmpty && start < buffer.count
        if more.isEmpty { return nil }
        offset += more.count
        buffer = Array(buffer[start...]) + more
        start = 0
      } catch {
        throw SealFault(number: number, reason: error.message)
      }
    }
  }
}

/// An open file that is closed with its last user.
private final class SealFile {
  let value: Int32
  init(_ value: Int32) { self.value = value }
  deinit { close(value) }
}

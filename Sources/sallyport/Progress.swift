import Foundation
import Glibc

/// How far something long is, on the terminal of whoever waits for it; says nothing where there is none, and nothing in
/// the first second.
final class Progress {
  private let what: String
  private let isShown = isatty(STDERR_FILENO) == 1
  private var count = 0
  private var next = Date().addingTimeInterval(1)
  private var isWritten = false

  /// - Parameter what: follows the number: `records checked`.
  init(_ what: String) { self.what = what }

  /// One more is done.
  func step() {
    count += 1
    guard isShown, count & 0xfff == 0, Date() >= next else { return }
    next = Date().addingTimeInterval(0.5)
    isWritten = true
    FileHandle.standardError.write(Data("\r\(count) \(what)".utf8))
  }

  /// Takes the line away.
  func end() {
    if isWritten { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
  }
}

/// Bytes on their way from one channel to another: what a short write left is kept, and nothing more is read meanwhile.
struct SSHFlow {
  /// Read, and not written yet.
  private var pending: [UInt8] = []
  private var written = 0
  /// It stopped because of the other side, not for want of bytes.
  private(set) var isBlocked = false
  /// Bytes written so far.
  private(set) var total = 0

  /// Reads of one call; then others get their turn.
  private static let burst = 16

  var isEmpty: Bool { pending.isEmpty }

  /// Puts words of the gateway's own behind what waits.
  mutating func append(_ text: String) { pending += Array(text.utf8) }

  mutating func append(_ bytes: [UInt8]) { pending += bytes }

  /// Moves what both sides let pass. Returns true when there may be more at once.
  mutating func move(
    from source: SSHPort, _ input: SSHPort.Stream, to destination: SSHPort, _ output: SSHPort.Stream,
    through visit: (inout [UInt8]) -> Void
  ) -> Bool {
    isBlocked = true
    for _ in 0..<SSHFlow.burst {
      guard flush(to: destination, output), destination.isWritable, destination.room > 0 else { return false }
      guard var bytes = source.read(input) else {
        isBlocked = false
        return false
      }
      visit(&bytes)
      pending = bytes
    }
    return true
  }

  /// Writes what is kept. Returns true when nothing is left of it.
  mutating func flush(to destination: SSHPort, _ output: SSHPort.Stream) -> Bool {
    guard !pending.isEmpty else { return true }
    guard destination.isWritable else { return false }
    let count = pending.withUnsafeBytes { destination.write(output, UnsafeRawBufferPointer(rebasing: $0[written...])) }
    written += count
    total += count
    guard written == pending.count else { return false }
    pending = []
    written = 0
    return true
  }
}

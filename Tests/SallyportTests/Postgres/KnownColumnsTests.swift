import NIOCore
import Testing

@testable import Postgres

@Suite("Known columns")
struct KnownColumnsTests {
  private func body(_ number: Int) -> ByteBuffer { ByteBuffer(string: "columns \(number)") }

  @Test("A result is known by all its bytes, in the version of the catalogue in which it was looked at")
  func versions() {
    var known = KnownColumns()
    #expect(known.find(body(1), version: 0) == nil)
    known.add(body(1), nil, version: 7)
    #expect(known.find(body(1), version: 7) == .some(nil))
    #expect(known.find(body(2), version: 7) == nil)
    #expect(known.find(body(1), version: 8) == nil)
    // Another version forgets what was known in this one.
    known.add(body(2), nil, version: 8)
    #expect(known.find(body(1), version: 8) == nil && known.find(body(1), version: 7) == nil)
    #expect(known.find(body(2), version: 8) == .some(nil))
  }

  @Test("It is bounded in number and in bytes")
  func bounds() {
    var known = KnownColumns()
    for number in 0..<9 { known.add(body(number), nil, version: 1) }
    #expect(known.find(body(0), version: 1) == nil)
    for number in 1..<9 { #expect(known.find(body(number), version: 1) == .some(nil)) }
    let long = ByteBuffer(repeating: 1, count: 5_000)
    known.add(long, nil, version: 1)
    #expect(known.find(long, version: 1) == nil)
  }
}

extension KnownColumns {
  fileprivate func find(_ body: ByteBuffer, version: UInt64) -> RowMask?? {
    body.withUnsafeReadableBytes { find($0, version: version) }
  }
}

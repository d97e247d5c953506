import CSodium

/// HMAC-SHA256 (RFC 2104) under one key, which is taken in once: a digest takes no allocation.
struct KeyedMAC: Sendable {
  private var begun = crypto_auth_hmacsha256_state()

  init(_ key: [UInt8]) { crypto_auth_hmacsha256_init(&begun, key, key.count) }

  /// 32 bytes.
  func digest(_ bytes: UnsafeRawBufferPointer) -> SIMD32<UInt8> {
    var state = begun
    if let base = bytes.baseAddress {
      crypto_auth_hmacsha256_update(&state, base.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }
    var digest = SIMD32<UInt8>()
    withUnsafeMutableBytes(of: &digest) { room in
      guard let base = room.baseAddress else { return }
      crypto_auth_hmacsha256_final(&state, base.assumingMemoryBound(to: UInt8.self))
    }
    return digest
  }

  func digest(_ value: ShortValue) -> SIMD32<UInt8> { value.withBytes { digest($0) } }
}

extension SIMD32<UInt8> {
  /// The number that the first eight bytes are, in network order.
  var leadingNumber: UInt64 { (0..<8).reduce(UInt64(0)) { $0 << 8 | UInt64(self[$1]) } }
}

extension DetectorSet {
  /// A text as it may be kept: `[credit-card]` in place of each finding; nil when there is none.
  ///
  /// - Parameter label: what the name of the column or key says of all of it.
  public func masked(_ bytes: UnsafeRawBufferPointer, label: Context = .none) -> [UInt8]? {
    let findings = findings(in: bytes, label: label)
    if findings.isEmpty { return nil }
    var masked: [UInt8] = []
    masked.reserveCapacity(bytes.count)
    var place = 0
    for finding in findings.joined {
      masked += bytes[place..<finding.range.lowerBound]
      masked += Array("[\(name(of: finding.detector))]".utf8)
      place = finding.range.upperBound
    }
    masked += bytes[place...]
    return masked
  }

  public func masked(_ text: String) -> String? {
    var copy = text
    return copy.withUTF8 { masked(UnsafeRawBufferPointer($0)) }.map { String(decoding: $0, as: UTF8.self) }
  }
}

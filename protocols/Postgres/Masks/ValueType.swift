/// What the bytes of a value are, as far as masks know it; by the OIDs of pg_type.dat, which never change.
enum ValueType: Hashable, Sendable {
  /// name, text, bpchar, varchar, unknown: the same bytes in both formats. `isPadded`: trailing blanks mean nothing.
  case text(isPadded: Bool)
  /// The internal type "char": one byte.
  case byte
  /// int2, int4, int8, oid; `bytes` 2, 4 or 8.
  case integer(bytes: Int, isSigned: Bool)
  case numeric, float4, float8, bool, date, time, timeWithZone, timestamp, timestampWithZone, interval
  case uuid, bytea, json, jsonb, xml
  case inet, cidr
  /// macaddr and macaddr8.
  case hardwareAddress(bytes: Int)
  case array(element: UInt32)
  case range, multirange
  /// Enums, composites, types of extensions: nothing valid can be made up for them.
  case other

  init(_ oid: UInt32) {
    if let known = ValueType.scalars[oid] {
      self = known
    } else if let element = ValueType.arrays[oid] {
      self = .array(element: element)
    } else if ValueType.ranges.contains(oid) {
      self = .range
    } else {
      self = ValueType.multiranges.contains(oid) ? .multirange : .other
    }
  }

  private static let scalars: [UInt32: ValueType] = [
    16: .bool, 17: .bytea, 18: .byte, 19: .text(isPadded: false), 20: .integer(bytes: 8, isSigned: true),
    21: .integer(bytes: 2, isSigned: true), 23: .integer(bytes: 4, isSigned: true), 25: .text(isPadded: false),
    26: .integer(bytes: 4, isSigned: false), 114: .json, 142: .xml, 650: .cidr, 700: .float4, 701: .float8,
    705: .text(isPadded: false), 774: .hardwareAddress(bytes: 8), 829: .hardwareAddress(bytes: 6), 869: .inet,
    1042: .text(isPadded: true), 1043: .text(isPadded: false), 1082: .date, 1083: .time, 1114: .timestamp,
    1184: .timestampWithZone, 1186: .interval, 1266: .timeWithZone, 1700: .numeric, 2950: .uuid, 3802: .jsonb,
  ]

  /// Array types with the type of their elements.
  private static let arrays: [UInt32: UInt32] = [
    1000: 16, 1001: 17, 1002: 18, 1003: 19, 1016: 20, 1005: 21, 1007: 23, 1009: 25, 1028: 26, 199: 114, 143: 142,
    651: 650, 1021: 700, 1022: 701, 775: 774, 1040: 829, 1041: 869, 1014: 1042, 1015: 1043, 1182: 1082, 1183: 1083,
    1115: 1114, 1185: 1184, 1187: 1186, 1270: 1266, 1231: 1700, 2951: 2950, 3807: 3802,
  ]
  /// int4range, numrange, tsrange, tstzrange, daterange, int8range.
  private static let ranges: Set<UInt32> = [3904, 3906, 3908, 3910, 3912, 3926]
  private static let multiranges: Set<UInt32> = [4451, 4532, 4533, 4534, 4535, 4536]
}

extension ValueType {
  /// The value that says nothing: zero, the epoch, what is empty; nil where NULL is the only one.
  ///
  /// Of text it is four stars. PostgreSQL chapter 8 and the types' `*_send` functions (src/backend/utils/adt).
  func neutral(isBinary: Bool) -> [UInt8]? {
    switch self {
    case .text: Array("****".utf8)
    case .byte: [UInt8(ascii: "*")]
    case .json: Array("\"****\"".utf8)
    case .jsonb: (isBinary ? [1] : []) + Array("\"****\"".utf8)
    case .xml: Array("<redacted/>".utf8)
    case .other: nil
    default: isBinary ? neutralBytes : neutralText.map { Array($0.utf8) }
    }
  }

  private var neutralText: String? {
    switch self {
    case .integer, .numeric, .float4, .float8: "0"
    case .bool: "f"
    case .date: "1970-01-01"
    case .time: "00:00:00"
    case .timeWithZone: "00:00:00+00"
    case .timestamp: "1970-01-01 00:00:00"
    case .timestampWithZone: "1970-01-01 00:00:00+00"
    case .interval: "00:00:00"
    case .uuid: "00000000-0000-0000-0000-000000000000"
    case .bytea: "\\x"
    case .inet: "0.0.0.0"
    case .cidr: "0.0.0.0/32"
    case .hardwareAddress(let bytes): [String](repeating: "00", count: bytes).joined(separator: ":")
    case .array, .multirange: "{}"
    case .range: "empty"
    case .text, .byte, .json, .jsonb, .xml, .other: nil
    }
  }

  private var neutralBytes: [UInt8]? {
    switch self {
    case .integer(let bytes, _), .hardwareAddress(let bytes): [UInt8](repeating: 0, count: bytes)
    // Digits, weight, sign and scale of nothing.
    case .numeric, .float8, .time: [UInt8](repeating: 0, count: 8)
    case .float4: [UInt8](repeating: 0, count: 4)
    case .bool: [0]
    case .date: bigEndian(Int32(-CalendarDay.postgresEpoch))
    case .timestamp, .timestampWithZone: bigEndian(Int64(-CalendarDay.postgresEpoch) * CalendarDay.microseconds)
    case .timeWithZone: [UInt8](repeating: 0, count: 12)
    case .interval, .uuid: [UInt8](repeating: 0, count: 16)
    case .bytea: []
    // Family (2 is IPv4), bits, whether it is a network, length of the address.
    case .inet: [2, 32, 0, 4, 0, 0, 0, 0]
    case .cidr: [2, 32, 1, 4, 0, 0, 0, 0]
    // No dimensions, no NULLs, the elements' type.
    case .array(let element): [UInt8](repeating: 0, count: 8) + bigEndian(element)
    // RANGE_EMPTY; no ranges at all.
    case .range: [1]
    case .multirange: [0, 0, 0, 0]
    case .text, .byte, .json, .jsonb, .xml, .other: nil
    }
  }
}

/// A number in network order.
func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  withUnsafeBytes(of: number.bigEndian) { Array($0) }
}

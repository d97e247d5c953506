import AccessModel

/// What becomes of values of a type under a mask.
public enum MaskService: Hashable, Sendable {
  /// What the mask says.
  case served
  /// The type has none of the mask's values: the one that says nothing stands in.
  case neutral
  /// The type has no valid value that could stand in.
  case null

  /// - Parameter oid: of the type, of a domain that behind it.
  public init(of mask: Mask, on oid: UInt32) {
    let type = ValueType(oid)
    let isServed =
      switch mask {
      case .null: true
      case .redact, .conceal: type.neutral(isBinary: false) != nil
      case .fixed(let text): type.spelled(text, isBinary: false, maxCharacters: nil) != nil
      case .hash: KeyedHash.makesValues(of: type)
      case .tokenize: TokenMask.makesValues(of: type) && type != .integer(bytes: 2, isSigned: true)
      case .bucket(let bucket): BucketMask(bucket: bucket, type: type, isBinary: false).makesValues
      case .partial: PartialMask.makesValues(of: type)
      }
    self = isServed ? .served : type.neutral(isBinary: false) == nil ? .null : .neutral
  }
}

extension PartialMask {
  /// False for types of which every value becomes the one that says nothing.
  static func makesValues(of type: ValueType) -> Bool {
    switch type {
    case .text, .integer: true
    default: false
    }
  }
}

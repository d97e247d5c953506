// Residency: says where bytes may go, by region and numeric address, without looking anything up.

import AccessModel

/// Whether an address may be dialled.
public enum RegionVerdict: Hashable, Sendable {
  case allowed
  /// Lower case, without a full stop.
  case refused(reason: String)
}

/// Says whether a backend's address lies where its data may go.
///
/// The dialler asks it after resolving a name and before connecting, once for each address (DECISIONS 28).
public protocol RegionPolicy: Sendable {
  /// `address` is numeric, without a port; `region` is the one that the connection names, nil without. A name instead
  /// of an address is refused: what it resolves to when dialled need not be what was checked.
  func allows(_ address: String, region: String?) -> RegionVerdict
}

/// The region policy that checks nothing but that the address is numeric: regions are not enforced.
public struct AllowAllRegions: RegionPolicy {
  public init() {}

  public func allows(_ address: String, region: String?) -> RegionVerdict {
    if NetworkAddress(address) == nil { return .refused(reason: "\"\(address)\" is not a numeric address") }
    return .allowed
  }
}

extension RegionPolicy where Self == AllowAllRegions {
  /// Every numeric address, whatever the region.
  public static var allowAll: AllowAllRegions { AllowAllRegions() }
}

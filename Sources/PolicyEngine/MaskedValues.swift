import AccessModel

extension ScopedPolicy {
  /// The first rule by which something that is touched may hold a masked column.
  public func maskRule(reaching footprint: Footprint) -> String? {
    masks.first { !$0.isShadow && $0.mayReach(footprint) }?.name
  }

  /// True when something that is touched may hold a column that is masked for this person: then what the person sends
  /// there is as secret as what comes back. `.everything` always may, where any mask applies.
  public func mayReachMasked(_ footprint: Footprint) -> Bool {
    masks.contains { !$0.isShadow && $0.mayReach(footprint) }
  }
}

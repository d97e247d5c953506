import AccessModel

extension ScopedPolicy {
  /// False when no decision and no mask asks what a command does: nothing is granted, or everything with no rule on top.
  ///
  /// Then it need not be found out what names stand for.
  public var dependsOnCommands: Bool {
    guard let granted else { return false }
    return !granted.isUnknown || !masks.isEmpty || !restrictions.isEmpty
  }
}

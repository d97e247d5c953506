import AccessModel

/// Counts how many constants people compare masked columns with, over all their sessions (DECISIONS 17).
public protocol ComparisonBudget: AnyObject, Sendable {
  /// True when these are within what the rule allows the person in an hour; they then count. Answers at once.
  func take(_ comparison: Obligations.Comparison, by user: String) -> Bool
}

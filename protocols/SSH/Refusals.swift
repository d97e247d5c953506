import AccessModel

extension Refusal {
  /// What the client writes to standard error: the rule, why, and what to do next, each on a line of its own.
  public var lines: String {
    let kind =
      switch kind {
      case .notApproved: "not approved"
      case .cancelled, .limited, .shutdown, .unavailable: "stopped"
      case .denied, .misunderstood, .absent, .malformed: "denied"
      }
    let head = "sallyport: \(kind) by rule \"\(denial.rule)\": \(denial.reason)\n"
    return head + (denial.hint.map { "sallyport: \($0)\n" } ?? "")
  }
}

/// Exit statuses that the gateway itself gives.
public enum ExitStatus {
  /// What shells say of a command that was found and cannot be run: refused.
  public static let refused: Int32 = 126
  /// What shells say of a command that Ctrl-C ended.
  public static let interrupted: Int32 = 130
  /// What ssh says when the connection failed: the backend cannot be had.
  public static let unavailable: Int32 = 255
}

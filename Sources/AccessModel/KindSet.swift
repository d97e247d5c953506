/// A set of statement kinds in one word.
public struct KindSet: OptionSet, Sendable, Hashable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public init(_ kind: SQLStatement.Kind) { rawValue = 1 << KindSet.bit(kind) }

  /// Spelled out: hashing a kind hashes its name, which costs more than all else that a decision does.
  private static func bit(_ kind: SQLStatement.Kind) -> UInt64 {
    switch kind {
    case .select: 0
    case .insert: 1
    case .update: 2
    case .delete: 3
    case .merge: 4
    case .truncate: 5
    case .copyTo: 6
    case .copyFrom: 7
    case .create: 8
    case .alter: 9
    case .drop: 10
    case .grant: 11
    case .call: 12
    case .do: 13
    case .explain: 14
    case .prepare: 15
    case .execute: 16
    case .deallocate: 17
    case .declare: 18
    case .fetch: 19
    case .close: 20
    case .set: 21
    case .show: 22
    case .begin: 23
    case .commit: 24
    case .rollback: 25
    case .savepoint: 26
    case .lock: 27
    case .listen: 28
    case .notify: 29
    case .analyze: 30
    case .vacuum: 31
    case .other: 32
    case .replicate: 33
    }
  }
}

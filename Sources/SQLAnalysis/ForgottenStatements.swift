import AccessModel

/// Which prepared statements are gone once a text has run.
public enum ForgottenStatements: Hashable, Sendable {
  case nothing
  case statement(String)
  /// All of them, or any: the text runs code that is not known.
  case everything
}

extension Analysis {
  /// What running this text takes from the session's prepared statements: DEALLOCATE, DISCARD, and unknown code.
  ///
  /// A name that is gone can be given to another text by SQL's PREPARE, unseen by the protocol.
  public var forgets: ForgottenStatements {
    if effects.isUnknown { return .everything }
    for statement in detail.statements {
      switch statement.kind {
      case .deallocate: return Analysis.deallocated(in: text, isAlone: detail.statements.count == 1)
      // DISCARD is one of these.
      case .other: return .everything
      case .select, .insert, .update, .delete, .merge, .truncate, .copyTo, .copyFrom, .create, .alter, .drop, .grant,
        .call, .do, .explain, .prepare, .execute, .declare, .fetch, .close, .set, .show, .begin, .commit, .rollback,
        .savepoint, .lock, .listen, .notify, .analyze, .vacuum, .replicate:
        break
      }
    }
    return .nothing
  }

  /// The name in `DEALLOCATE [PREPARE] name`, as drivers write it; anything else counts as all.
  private static func deallocated(in text: String, isAlone: Bool) -> ForgottenStatements {
    var words = text.split { $0 == " " || $0 == ";" || $0 == "\n" || $0 == "\t" }.map(String.init)[...]
    guard isAlone, words.popFirst()?.lowercased() == "deallocate" else { return .everything }
    if words.count == 2, words.first?.lowercased() == "prepare" { words.removeFirst() }
    guard words.count == 1, let name = words.first, name.lowercased() != "all" else { return .everything }
    // Quoted or odd names are left to the cautious answer; an unquoted one is folded to lower case.
    let isPlain = name.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x5f
    }
    return isPlain ? .statement(name.lowercased()) : .everything
  }
}

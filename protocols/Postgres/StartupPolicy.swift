import AccessModel

/// What of a client's start-up parameters reaches the backend, what is refused, and what the gateway sets itself.
///
/// A setting that SET could change as the session's first statement passes; what changes who the session is or how its
/// text is read does not, and neither does what only a start-up packet can set.
enum StartupPolicy {
  private static let refused: Set<String> = [
    // Who the session is, and how its text is read.
    "role", "session_authorization", "is_superuser", "replication", "standard_conforming_strings", "backslash_quote",
    // Code that is loaded into the backend.
    "session_preload_libraries", "local_preload_libraries", "dynamic_library_path", "jit_provider",
    // Only a start-up packet can set these (PGC_BACKEND, PGC_SU_BACKEND): no decision would ever see them.
    "ignore_system_indexes", "jit_debugging_support", "jit_profiling_support", "log_connections",
    "log_disconnections", "post_auth_delay",
    // What protects the tables from their users, for accounts that may turn it off.
    "session_replication_role", "allow_system_table_mods", "zero_damaged_pages", "ignore_checksum_failure",
  ]
  /// Encodings in which a byte of a longer character can look like ASCII, so that text cannot be scanned safely.
  private static let unsafeEncodings: Set<String> = [
    "sjis", "mskanji", "shiftjis", "win932", "windows932", "big5", "win950", "windows950", "gbk", "win936",
    "windows936", "uhc", "win949", "windows949", "gb18030", "johab", "shiftjis2004",
  ]

  /// Whether text in this client encoding can be analysed byte by byte.
  static func isSafe(encoding: String) -> Bool {
    // PostgreSQL compares encoding names by their letters and digits alone.
    // By scalars: a mark that joins a letter into one Character does not hide that letter from PostgreSQL.
    let letters = encoding.unicodeScalars.filter {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0))
    }
    return !unsafeEncodings.contains(String(String.UnicodeScalarView(letters)).lowercased())
  }

  /// The parameters for the backend: the client's, without names and without what the gateway answers itself.
  static func backendParameters(
    for message: StartupMessage, user: String, database: String, person: String
  ) throws(ProtocolError) -> [StartupMessage.Parameter] {
    var result: [StartupMessage.Parameter] = [.init("user", user), .init("database", database)]
    for parameter in message.parameters {
      switch parameter.name {
      case "user", "database", "application_name": continue
      // Once, below, as whoever decides reads it: of two, PostgreSQL would let the first one count too.
      case "replication": _ = try ReplicationMode.read(parameter.value)
      case "options":
        for (name, value) in try settings(inOptions: parameter.value) { try check(name, value) }
        result.append(parameter)
      case let name where name.hasPrefix("_pq_."): continue
      case let name:
        try check(name, parameter.value)
        result.append(parameter)
      }
    }
    if let mode = message.replication { result.append(.init("replication", mode.rawValue)) }
    result.append(.init("application_name", person))
    return result
  }

  private static func check(_ name: String, _ value: String) throws(ProtocolError) {
    let name = name.lowercased()
    if refused.contains(name) {
      throw .client(
        "start-up parameter \"\(name)\" is not allowed through the gateway", code: "42501",
        hint: "Leave it out of the connection string and of its options.")
    }
    if name == "client_encoding", !isSafe(encoding: value) {
      throw .client(
        "client encoding \"\(value)\" is not supported by the gateway; use UTF8 instead", code: "0A000")
    }
  }

  /// The settings in `options`, which are command-line switches: `-c name=value`, `-cname=value`, `--name=value`.
  ///
  /// Any other switch is refused: some of them (-O, -P, -f) change more than a setting.
  static func settings(inOptions options: String) throws(ProtocolError) -> [(name: String, value: String)] {
    var result: [(name: String, value: String)] = []
    var words = splitOptions(options)[...]
    while let word = words.popFirst() {
      var assignment: String
      if word == "-c" {
        guard let next = words.popFirst() else { throw .client("invalid start-up options: -c needs a setting") }
        assignment = next
      } else if word.hasPrefix("-c") || word.hasPrefix("--") {
        assignment = String(word.dropFirst(2))
      } else {
        throw .client("start-up option \"\(word)\" is not allowed through the gateway", code: "42501")
      }
      // By scalars, as above: "=" with a combining mark behind it is still the sign.
      guard let equals = assignment.unicodeScalars.firstIndex(of: "=") else {
        throw .client("invalid start-up options: \"\(assignment)\" is not a setting")
      }
      let value = String(assignment.unicodeScalars[equals...].dropFirst())
      assignment = String(assignment.unicodeScalars[..<equals])
      result.append((assignment.replacing("-", with: "_"), value))
    }
    return result
  }

  /// Splits at white space; a backslash takes the next character as it is (pg_split_opts).
  private static func splitOptions(_ text: String) -> [String] {
    var words: [String] = []
    var word = ""
    var inWord = false
    var escaped = false
    for scalar in text.unicodeScalars {
      if escaped {
        word.unicodeScalars.append(scalar)
        escaped = false
      } else if scalar == "\\" {
        escaped = true
        inWord = true
      } else if scalar.properties.isWhitespace {
        if inWord { words.append(word) }
        word = ""
        inWord = false
      } else {
        word.unicodeScalars.append(scalar)
        inWord = true
      }
    }
    if inWord { words.append(word) }
    return words
  }
}

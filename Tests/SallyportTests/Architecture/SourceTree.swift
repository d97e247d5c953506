import Foundation

/// The sources of this checkout, for tests that read them.
enum SourceTree {
  static let root: String = {
    if let root = ProcessInfo.processInfo.environment["SALLYPORT_TEST_ROOT"], !root.isEmpty { return root }
    // Tests/SallyportTests/Architecture/SourceTree.swift
    return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path
  }()

  /// Each target that is ours, with its folder.
  static let targets: [String: String] = {
    var targets = ["Postgres": "protocols/Postgres", "SSH": "protocols/SSH"]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: root + "/Sources")) ?? [] {
      if !name.hasPrefix("C") { targets[name] = "Sources/" + name }
    }
    return targets
  }()

  struct File {
    /// Relative to the root.
    var path: String
    var text: String
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    /// The modules that it imports.
    var imports: Set<String> {
      Set(
        lines.compactMap { line in
          let words = line.split(separator: " ").map(String.init)
          guard let position = words.firstIndex(of: "import"), position + 1 < words.count,
            words[..<position].allSatisfy({ $0.hasPrefix("@") || ["public", "package", "internal"].contains($0) })
          else { return nil }
          return words[position + 1]
        })
    }
  }

  static func files(of target: String) -> [File] {
    guard let folder = targets[target],
      let entries = FileManager.default.enumerator(atPath: root + "/" + folder)
    else { return [] }
    return entries.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().compactMap { name in
      (try? String(contentsOfFile: "\(root)/\(folder)/\(name)", encoding: .utf8))
        .map { File(path: "\(folder)/\(name)", text: $0) }
    }
  }
}

import Foundation

/// One file of a configuration as text.
public struct ConfigurationSource: Sendable, Hashable {
  /// As diagnostics name it.
  public var file: String
  public var text: String

  public init(file: String, text: String) {
    self.file = file
    self.text = text
  }
}

/// The files of one configuration.
public struct ConfigurationFiles: Sendable, Hashable {
  /// What relative files in them are relative to.
  public var directory: String
  public var sources: [ConfigurationSource]

  public init(directory: String, sources: [ConfigurationSource]) {
    self.directory = directory
    self.sources = sources
  }
}

/// Reads a configuration: from text purely, or from a file or folder.
public enum ConfigurationLoader {
  /// A hash over bytes, written as lower-case hex; SHA-256 is meant.
  public typealias Digest = @Sendable ([UInt8]) -> String

  /// Files in a folder beyond which it is not taken for a configuration.
  static let maxFiles = 1000

  /// Reads a file, or all `*.yaml` and `*.yml` of a folder (not of those in it, and no expectations) in the order of
  /// their names.
  ///
  /// `hostName` is the gateway's name where the configuration has none. Blocks on the file system. Fails with every
  /// mistake found, at most 100; nothing is half taken.
  public static func load(
    path: String, hostName: String = "sallyport", digest: Digest
  ) -> Result<GatewayConfiguration, DiagnosticList> {
    read(path: path).flatMap { parse($0, hostName: hostName, digest: digest) }
  }

  /// The texts of a file, or of all files of a folder, and the folder. Blocks on the file system.
  public static func read(path: String) -> Result<ConfigurationFiles, DiagnosticList> {
    switch files(at: path) {
    case .failure(let list): return .failure(list)
    case .success(let (directory, files)):
      var sources: [ConfigurationSource] = []
      var mistakes: [Diagnostic] = []
      for file in files {
        switch read(file) {
        case .success(let source): sources.append(source)
        case .failure(let list): mistakes += list.diagnostics
        }
      }
      if !mistakes.isEmpty { return .failure(DiagnosticList(mistakes)) }
      return .success(ConfigurationFiles(directory: directory, sources: sources))
    }
  }

  /// Reads the texts of files; pure.
  public static func parse(
    _ files: ConfigurationFiles, hostName: String, digest: Digest
  ) -> Result<GatewayConfiguration, DiagnosticList> {
    parse(files.sources, hostName: hostName, digest: digest).map {
      var configuration = $0
      configuration.directory = files.directory
      return configuration
    }
  }

  /// What the texts' `policyHash` is, also of those that are no configuration.
  public static func hash(of files: ConfigurationFiles, digest: Digest) -> String {
    digest(canonicalBytes(files.sources))
  }

  /// Reads configuration text; pure. Sections of several sources are joined, and no name may come twice.
  public static func parse(
    _ sources: [ConfigurationSource], hostName: String = "sallyport", digest: Digest
  ) -> Result<GatewayConfiguration, DiagnosticList> {
    let reader = ConfigurationReader(hostName: hostName)
    for source in sources { reader.read(source) }
    let files = sources.map(\.file)
    guard var configuration = reader.finish(files: files) else {
      return .failure(reader.mistakes.list(order: files))
    }
    configuration.policyHash = digest(canonicalBytes(sources))
    return .success(configuration)
  }

  /// What the hash is made of: of each source the length of its name, the name without folders, the length of its text
  /// and the text, so that moving a line between files shows and moving the folder does not. Lengths are 8 bytes,
  /// big-endian.
  static func canonicalBytes(_ sources: [ConfigurationSource]) -> [UInt8] {
    var bytes: [UInt8] = []
    func append(_ text: some StringProtocol) {
      withUnsafeBytes(of: UInt64(text.utf8.count).bigEndian) { bytes += $0 }
      bytes += text.utf8
    }
    for source in sources {
      append(source.file.split(separator: "/").last ?? "")
      append(source.text)
    }
    return bytes
  }

  // MARK: - Files

  private static func files(at path: String) -> Result<(directory: String, files: [String]), DiagnosticList> {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      return .failure(mistake(path, "there is no such file or folder"))
    }
    guard isFolder.boolValue else { return .success((folder(of: path), [path])) }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      return .failure(mistake(path, "the folder cannot be read"))
    }
    let chosen = names.filter { name in
      !name.hasPrefix(".") && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
        && !PolicyExpectations.suffixes.contains { name.hasSuffix($0) }
    }.sorted()
    if chosen.isEmpty { return .failure(mistake(path, "there is no .yaml file in this folder")) }
    if chosen.count > maxFiles {
      return .failure(mistake(path, "there are more than \(maxFiles) files in this folder"))
    }
    return .success((path, chosen.map { BoundedFile.join(path, $0) }))
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func read(_ file: String) -> Result<ConfigurationSource, DiagnosticList> {
    do {
      return decode(try BoundedFile.read(file, limit: YAMLSource.maxBytes), file: file)
    } catch {
      return .failure(mistake(file, error.message))
    }
  }

  /// Bytes as text; UTF-8 is demanded, and the mistake says where it ends.
  static func decode(_ bytes: [UInt8], file: String) -> Result<ConfigurationSource, DiagnosticList> {
    if let text = String(validating: bytes, as: UTF8.self) {
      return .success(ConfigurationSource(file: file, text: text))
    }
    // Repaired text differs from the bytes first where they are not valid.
    let repaired = String(decoding: bytes, as: UTF8.self)
    let valid = zip(bytes, repaired.utf8).prefix { $0 == $1 }.map(\.0)
    let before = String(decoding: valid, as: UTF8.self)
    let line = valid.count { $0 == UInt8(ascii: "\n") } + 1
    let lastLine = before.split(separator: "\n", omittingEmptySubsequences: false).last ?? ""
    return .failure(
      DiagnosticList([
        Diagnostic(
          file: file, line: line, column: lastLine.unicodeScalars.count + 1, message: "the file is not UTF-8 here",
          suggestion: "Save it as UTF-8.")
      ]))
  }

  private static func mistake(_ file: String, _ message: String) -> DiagnosticList {
    DiagnosticList([Diagnostic(file: file, line: 0, column: 0, message: message)])
  }
}

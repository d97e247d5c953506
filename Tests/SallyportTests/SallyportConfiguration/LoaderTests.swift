import Foundation
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: files, secrets, hash")
struct LoaderTests {
  /// A folder of its own, removed afterwards.
  private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sallyport-configuration-\(UUID().uuidString)")
      .path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private func message(_ path: String) -> String? {
    switch ConfigurationLoader.load(path: path, digest: { _ in "" }) {
    case .success: nil
    case .failure(let list): list.diagnostics.first.map { "\($0.line):\($0.column): \($0.message)" }
    }
  }

  @Test("what cannot be read is a mistake of its own")
  func unreadable() throws {
    try inFolder { folder in
      #expect(message("\(folder)/none.yaml") == "0:0: there is no such file or folder")
      #expect(message(folder) == "0:0: there is no .yaml file in this folder")
      try Data("users: {}\n# \u{FC}".utf8 + [0x0A, 0x23, 0x20, 0xFC, 0x0A]).write(to: URL(filePath: "\(folder)/a.yaml"))
      #expect(message("\(folder)/a.yaml") == "3:3: the file is not UTF-8 here")
      try Data(count: (4 << 20) + 1).write(to: URL(filePath: "\(folder)/a.yaml"))
      #expect(message("\(folder)/a.yaml") == "0:0: the file is larger than 4194304 bytes")
    }
  }

  @Test("secrets are read from the environment or a file, without one last newline")
  func secrets() throws {
    #expect(try SecretReference.environment("A").resolve(environment: ["A": "s3cret\n"]) == "s3cret\n")
    try inFolder { folder in
      try Data("s3cret\n\n".utf8).write(to: URL(filePath: "\(folder)/secret"))
      #expect(try SecretReference.file("secret").resolve(relativeTo: folder) == "s3cret\n")
      #expect(try SecretReference.file("\(folder)/secret").resolve(relativeTo: "/nowhere") == "s3cret\n")
    }
  }

  @Test("a secret that cannot be had says where it was looked for")
  func secretFailures() throws {
    func failure(_ reference: SecretReference, _ folder: String = "", _ environment: [String: String] = [:]) -> String?
    {
      do {
        _ = try reference.resolve(relativeTo: folder, environment: environment)
        return nil
      } catch { return error.message }
    }
    #expect(failure(.environment("A")) == "env A is not set")
    #expect(failure(.environment("A"), "", ["A": ""]) == "env A is empty")
    #expect(failure(.environment("A"), "", ["A": "x\u{0}y"]) == "env A is not text")
    try inFolder { folder in
      #expect(failure(.file("s"), folder) == "file s: there is no such file")
      #expect(failure(.file("."), folder) == "file .: this is a folder")
      for (bytes, message) in [
        (Data("\n".utf8), "file s is empty"), (Data([0xFF]), "file s is not text"),
        (Data(repeating: 0x61, count: 65_538), "file s: the file is larger than 65537 bytes"),
        (Data(repeating: 0x61, count: 65_537), "file s is larger than 64 KiB"),
      ] {
        try bytes.write(to: URL(filePath: "\(folder)/s"))
        #expect(failure(.file("s"), folder) == message)
      }
    }
  }

  @Test("the hash covers names and texts, and not the folder")
  func hash() {
    func bytes(_ sources: (String, String)...) -> [UInt8] {
      ConfigurationLoader.canonicalBytes(sources.map { ConfigurationSource(file: $0.0, text: $0.1) })
    }
    #expect(
      bytes(("a.yaml", "x")) == [0, 0, 0, 0, 0, 0, 0, 6] + Array("a.yaml".utf8) + [0, 0, 0, 0, 0, 0, 0, 1]
        + Array("x".utf8))
    #expect(bytes(("/etc/a.yaml", "x")) == bytes(("a.yaml", "x")))
    #expect(bytes(("a.yaml", "x"), ("b.yaml", "y")) != bytes(("a.yaml", "xb.yamly")))
    #expect(bytes(("a.yaml", "x")) != bytes(("a.yaml", "x\n")) && bytes(("a.yaml", "x")) != bytes(("b.yaml", "x")))
    let configuration = try? ConfigurationLoader.parse(
      [ConfigurationSource(file: "t", text: ConfigurationSample.base)], digest: { "n\($0.count)" }
    ).get()
    #expect(configuration?.policyHash == "n\(17 + ConfigurationSample.base.utf8.count)")
  }

  @Test(
    "host and port",
    arguments: [
      ("db.internal:5432", "db.internal:5432"), ("127.0.0.1:1", "127.0.0.1:1"), ("[::1]:65535", "[::1]:65535"),
      ("db_1", "db_1:5432"), ("[2001:DB8::1]", "[2001:DB8::1]:5432"),
    ])
  func endpoints(text: String, expected: String) throws {
    #expect(try Endpoint.parse(text, defaultPort: 5432, lowestPort: 1).get().description == expected)
  }

  @Test(
    "no host or no port",
    arguments: [
      "", ":", ":5432", "db:", "db:x", "db:0", "db:65536", "db:-1", "db:+1", "db:1:2", "::1", "[::1", "[db]:1",
      "[::1]x", "a b:1",
      "db..x:1", "-db:1", "db/x:1", "ü:1", "db:１", "[]:1", "db:99999999999999999999",
    ])
  func noEndpoints(text: String) {
    switch Endpoint.parse(text, defaultPort: 5432, lowestPort: 1) {
    case .success(let endpoint): Issue.record("\(endpoint)")
    case .failure(let flaw): #expect(!flaw.message.isEmpty)
    }
  }
}

import Foundation
import Testing

@Suite("Architecture")
struct ArchitectureTests {
  /// What each target may import: the arrows of the design, and nothing upward. Whoever adds one says so here.
  private static let allowed: [String: Set<String>] = [
    "AccessModel": ["Detection"],
    "SQLAnalysis": ["AccessModel", "CPgQuery", "Dispatch", "Foundation", "Glibc", "Synchronization"],
    "PolicyEngine": ["AccessModel", "Detection", "Residency"],
    "Enforcement": ["AccessModel", "PolicyEngine"],
    "Identity": ["AccessModel", "Crypto", "Foundation", "Glibc"],
    "Residency": ["AccessModel"],
    "Detection": ["CByteScan", "CPCRE2"],
    "MaskProof": ["Crypto"],
    "Postgres": [
      "AccessModel", "Detection", "SQLAnalysis", "Identity", "CSodium", "NIOCore", "Crypto", "CryptoExtras",
    ],
    "SSH": ["AccessModel"],
    "AuditTrail": [
      "AccessModel", "Detection", "Enforcement", "CSodium", "Crypto", "Atomics", "Foundation", "FoundationEssentials",
      "Glibc",
      "Synchronization",
    ],
    "Store": ["AccessModel", "Identity", "GRDB", "Foundation", "Glibc"],
    "SallyportConfiguration": [
      "AccessModel", "Detection", "PolicyEngine", "Identity", "Residency", "Yams", "Foundation", "Glibc",
    ],
    "Gateway": [
      "AccessModel", "SQLAnalysis", "PolicyEngine", "Enforcement", "Identity", "Residency", "Detection", "Postgres",
      "AuditTrail", "Store", "SallyportConfiguration", "MaskProof", "SSH", "CLibSSH",
      "CEpoll", "NIOCore", "NIOPosix", "NIOEmbedded", "NIOTLS", "NIOSSL",
      "NIOHTTP1", "NIOConcurrencyHelpers", "AsyncHTTPClient", "Crypto", "X509", "SwiftASN1", "Logging", "Dispatch",
      "Foundation", "Glibc", "Synchronization",
    ],
    "sallyport": [
      "Gateway", "SallyportConfiguration", "AuditTrail", "ArgumentParser", "Logging", "Crypto", "Foundation", "Glibc",
      "Dispatch", "Synchronization",
    ],
  ]

  /// Code that bytes of a peer reach, or that decides.
  private static let pure = [
    "AccessModel", "SQLAnalysis", "PolicyEngine", "Enforcement", "Identity", "Residency", "Detection", "Postgres",
    "SSH", "AuditTrail", "MaskProof",
  ]

  @Test func everyTargetIsListed() {
    #expect(Set(SourceTree.targets.keys) == Set(Self.allowed.keys))
  }

  @Test("Arrows run downward only", arguments: allowed.keys.sorted())
  func arrows(_ target: String) throws {
    let allowed = try #require(Self.allowed[target])
    let files = SourceTree.files(of: target)
    #expect(!files.isEmpty)
    for file in files {
      #expect(file.imports.subtracting(allowed).isEmpty, "\(file.path) imports \(file.imports.subtracting(allowed))")
    }
  }

  @Test("Only the enforcer imports what mints permits", arguments: allowed.keys.sorted())
  func minting(_ target: String) {
    for file in SourceTree.files(of: target) where file.path != "Sources/Enforcement/Enforcer.swift" {
      let mentions = file.lines.filter { $0.contains("@_spi(Minting)") }
      #expect(
        mentions.isEmpty || file.path == "Sources/AccessModel/Permit.swift", "\(file.path) names the minting SPI")
    }
  }

  /// Those that write to others than backends, the one that writes what the session let out, whose functions consume a
  /// permit for each byte (PostgresSession+Verdict), and TLS, through which what was written goes.
  private static let otherWriters: Set<String> = [
    "PostgresConnection.swift writeToClient", "PostgresConnection.swift writeToBackend", "ControlServer.swift answer",
    "TLSLayer.swift write", "StreamSocket.swift write", "HealthServer.swift respond",
  ]
  private static let writes = [".writeAndFlush(", "stream.write(", "backend?.write(", "client.write(", "tls.write("]

  @Test("Whatever is written towards a backend consumes a permit")
  func writes() throws {
    var permitted: Set<String> = []
    for file in SourceTree.files(of: "Gateway") {
      var signature = ""
      for line in file.lines {
        let code = line.trimmingPrefix { $0 == " " }
        if code.contains("func ") { signature = String(code) }
        guard Self.writes.contains(where: code.contains), !code.hasPrefix("//") else { continue }
        let name = signature.split(separator: "func ").last?.prefix { $0 != "(" && $0 != "<" } ?? ""
        let writer = "\(file.path.split(separator: "/").last ?? "") \(name)"
        if Self.otherWriters.contains(writer) { continue }
        #expect(
          signature.contains("consuming ControlPermit") || signature.contains("consuming Permit"),
          "\(writer) writes without a permit")
        permitted.insert(writer)
      }
    }
    #expect(permitted.isSuperset(of: ["BackendOpening.swift write", "CatalogReader.swift ask"]), "\(permitted)")
  }

  @Test("No test mints a permit either")
  func mintingInTests() {
    let entries = FileManager.default.enumerator(atPath: SourceTree.root + "/Tests")
    let files = (entries?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(".swift") }
    #expect(!files.isEmpty)
    for file in files {
      let text = (try? String(contentsOfFile: "\(SourceTree.root)/Tests/\(file)", encoding: .utf8)) ?? ""
      let imports = text.split(separator: "\n").filter { $0.hasPrefix("@_spi(") }
      #expect(imports.isEmpty, "\(file) imports SPI")
    }
  }

  @Test("Nothing that bytes reach can trap by intention", arguments: pure)
  func traps(_ target: String) {
    for file in SourceTree.files(of: target) {
      for word in ["try!", "fatalError(", "preconditionFailure(", "@unchecked Sendable", ".unsafelyUnwrapped", "as!"] {
        let places = file.lines.enumerated().filter { !$1.trimmingPrefix(" ").hasPrefix("//") && $1.contains(word) }
        #expect(places.isEmpty, "\(file.path):\((places.first?.offset ?? 0) + 1) has \(word)")
      }
    }
  }

  @Test("Files stay small enough to be read", arguments: allowed.keys.sorted())
  func sizes(_ target: String) {
    for file in SourceTree.files(of: target) {
      #expect(file.lines.count <= 450, "\(file.path) has \(file.lines.count) lines")
    }
  }

  @Test("Each target says its job in one sentence at its top", arguments: allowed.keys.sorted())
  func sentence(_ target: String) {
    let files = SourceTree.files(of: target)
    #expect(files.contains { $0.text.hasPrefix("// \(target): ") }, "\(target) has no first file that says its job")
  }
}

@Suite("Permits")
struct PermitTests {
  /// Type-checks a file that is outside the package against its modules.
  private func typecheck(_ source: String) throws -> (status: Int32, output: String) {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("permit-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("Outside.swift")
    try Data(source.utf8).write(to: file)
    let modules = SourceTree.root + "/.build/release/Modules"
    #expect(FileManager.default.fileExists(atPath: modules + "/AccessModel.swiftmodule"), "build the package first")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // As far as SIL: that a value is consumed once is checked behind the types.
    // What the modules need of C, besides.
    let byteScan = SourceTree.root + "/.build/release/CByteScan.build/module.modulemap"
    process.arguments =
      ["swiftc", "-emit-sil", "-o", folder.appendingPathComponent("out").path, "-swift-version", "6", "-I", modules]
      + ["-Xcc", "-fmodule-map-file=\(byteScan)", "-I", SourceTree.root + "/Sources/CPCRE2", file.path]
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }

  @Test("A permit cannot be made outside the enforcer")
  func minting() throws {
    let good = try typecheck("import AccessModel\nlet id = CommandID(1)\nlet control = ControlPermit(.cancel)\n")
    #expect(good.status == 0, "\(good.output)")
    let bad = try typecheck("import AccessModel\nlet permit = Permit(for: CommandID(1))\n")
    #expect(bad.status != 0)
    #expect(bad.output.contains("Permit"))
  }

  @Test("A permit cannot be copied, so it cannot be used twice")
  func copying() throws {
    let bad = try typecheck(
      """
      import AccessModel
      func send(_ permit: consuming Permit) {}
      func twice(_ permit: consuming Permit) { send(permit); send(permit) }
      """)
    #expect(bad.status != 0)
    #expect(bad.output.contains("consumed more than once"), "\(bad.output)")
    let good = try typecheck(
      """
      import AccessModel
      func send(_ permit: consuming Permit) {}
      func once(_ permit: consuming Permit) { send(permit) }
      """)
    #expect(good.status == 0, "\(good.output)")
  }
}

@Suite("Third parties")
struct ThirdPartyTests {
  @Test("Every package and system library that the package names is in the list of third parties, and no other")
  func listed() throws {
    let package = try String(contentsOfFile: SourceTree.root + "/Package.swift", encoding: .utf8)
    let list = try String(contentsOfFile: SourceTree.root + "/docs/third-party.md", encoding: .utf8)
    let named = package.matches(of: /github\.com\/([^"]+?)(\.git)?"/).map { String($0.1) }
    #expect(named.count >= 10)
    for name in named {
      #expect(list.contains(name) || list.contains(name.replacing(".swift", with: "")), "\(name) is not listed")
    }
    let system = package.matches(of: /\.apt\(\["([a-z0-9-]+)"\]\)/).map { String($0.1) }
    #expect(system.contains("libpg-query-dev"))
    for name in system { #expect(list.contains(name), "\(name) is not listed") }
    let direct = list.matches(of: /\| ([a-z]+\/[A-Za-z.-]+)/).map { String($0.1) }
    #expect(direct.count >= 8)
    for name in direct { #expect(named.contains(name), "\(name) is listed and not used") }
  }
}

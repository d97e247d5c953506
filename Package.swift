// swift-tools-version: 6.2
import PackageDescription

/// Overlapping accesses that only show at run time are looked for when SALLYPORT_CHECKED is set (`make soak`). The
/// compiler excludes all others; each of these checks costs as much as what it checks, and together they were a sixth of
/// what the gateway does for a statement.
let checks: [SwiftSetting] =
  Context.environment["SALLYPORT_CHECKED"] == nil ? [.unsafeFlags(["-enforce-exclusivity=unchecked"])] : []

/// Strict everywhere: Swift 6 concurrency, and a warning in our own code is an error.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)] + checks

let package = Package(
  name: "sallyport",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "sallyport", targets: ["sallyport"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.2"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.1"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-atomics.git", from: "1.3.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
  ],
  targets: [
    // System libraries. libpg_query ships no .pc file, so its module map names the library.
    .systemLibrary(name: "CPgQuery", providers: [.apt(["libpg-query-dev"])]),
    .systemLibrary(name: "CSodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CLibSSH", pkgConfig: "libssh", providers: [.apt(["libssh-dev"])]),
    // epoll(7), which Swift's Glibc module leaves out.
    .systemLibrary(name: "CEpoll"),

    // One loop over bytes by the processor's vector instructions, which Swift has no way to.
    .target(name: "CByteScan"),

    // Pure: values and decisions. No sockets, no clocks.
    .target(name: "Detection", dependencies: ["CByteScan", "CPCRE2"], swiftSettings: strict),
    .target(name: "AccessModel", dependencies: ["Detection"], swiftSettings: strict),
    .target(
      name: "SQLAnalysis", dependencies: ["AccessModel", "CPgQuery"], swiftSettings: strict),
    .target(name: "PolicyEngine", dependencies: ["AccessModel", "Detection", "Residency"], swiftSettings: strict),
    .target(
      name: "Enforcement", dependencies: ["AccessModel", "PolicyEngine"], swiftSettings: strict),
    .target(
      name: "Identity", dependencies: ["AccessModel", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict),
    .target(name: "Residency", dependencies: ["AccessModel"], swiftSettings: strict),
    .target(
      name: "MaskProof", dependencies: [.product(name: "Crypto", package: "swift-crypto")], swiftSettings: strict),
    .target(
      name: "Postgres",
      dependencies: [
        "AccessModel", "Detection", "SQLAnalysis", "Identity", "CSodium",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
      ],
      path: "protocols/Postgres", exclude: ["README.md"], swiftSettings: strict),
    .target(
      name: "SSH", dependencies: ["AccessModel"], path: "protocols/SSH", exclude: ["README.md"], swiftSettings: strict),

    // Files and state.
    .target(
      name: "AuditTrail",
      dependencies: [
        "AccessModel", "Detection", "Enforcement", "CSodium", .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Atomics", package: "swift-atomics"),
      ],
      swiftSettings: strict),
    .target(
      name: "Store",
      dependencies: ["AccessModel", "Identity", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: strict),
    .target(
      name: "SallyportConfiguration",
      dependencies: [
        "AccessModel", "Detection", "PolicyEngine", "Identity", "Residency", .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: strict),

    // The only target with sockets and clocks, and the command line around it.
    .target(
      name: "Gateway",
      dependencies: [
        "AccessModel", "SQLAnalysis", "PolicyEngine", "Enforcement", "Identity", "Residency", "Detection",
        "Postgres", "SSH", "AuditTrail", "Store", "SallyportConfiguration", "MaskProof", "CEpoll", "CLibSSH",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "sallyport",
      dependencies: [
        "Gateway", "SallyportConfiguration", "AuditTrail",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .testTarget(
      name: "SallyportTests",
      dependencies: [
        "AccessModel", "SQLAnalysis", "PolicyEngine", "Enforcement", "Identity", "Residency", "Detection",
        "Postgres", "SSH", "AuditTrail", "Store", "SallyportConfiguration", "MaskProof", "Gateway", "sallyport",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
  ]
)

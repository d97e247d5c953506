/// A host, by name or number, and a port.
public struct Endpoint: Sendable, Hashable {
  /// A name or a numeric address; an IPv6 address without brackets.
  public var host: String
  public var port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

extension Endpoint {
  /// Whether what is sent to this host does not leave the machine: where secrets may travel in the clear.
  public static func isThisMachine(_ host: String) -> Bool {
    ["localhost", "127.0.0.1", "::1"].contains(host)
  }
}

extension Endpoint: CustomStringConvertible {
  /// `host:port`, `[::1]:5432`.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Endpoint {
  /// What is wrong with an address, to follow the name of the key.
  struct Flaw: Error {
    var message: String
    var suggestion: String?
  }

  static func parse(_ text: String, defaultPort: UInt16?, lowestPort: UInt16) -> Result<Endpoint, Flaw> {
    let form = Flaw(
      message: "must be host:port", suggestion: "Write it like db.internal:5432, 127.0.0.1:5432 or \"[::1]:5432\".")
    let host: Substring
    let rest: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return .failure(form) }
      host = text[text.index(after: text.startIndex)..<end]
      rest = text[text.index(after: end)...]
      guard isV6(host) else { return .failure(form) }
    } else {
      host = text.prefix { $0 != ":" }
      rest = text.dropFirst(host.count)
      guard isHost(host) else { return .failure(form) }
    }
    return port(rest, defaultPort: defaultPort, lowestPort: lowestPort, form: form).map {
      Endpoint(host: String(host), port: $0)
    }
  }

  /// `rest` is what follows the host: nothing, or a colon and a number.
  private static func port(
    _ rest: Substring, defaultPort: UInt16?, lowestPort: UInt16, form: Flaw
  ) -> Result<UInt16, Flaw> {
    if rest.isEmpty {
      guard let defaultPort else { return .failure(Flaw(message: "has no port", suggestion: form.suggestion)) }
      return .success(defaultPort)
    }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return .failure(form)
    }
    guard let port = UInt16(digits), port >= lowestPort else {
      return .failure(Flaw(message: "has a port that is not from \(lowestPort) to 65535", suggestion: nil))
    }
    return .success(port)
  }

  private static func isV6(_ text: Substring) -> Bool {
    text.contains(":")
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "a")...UInt8(ascii: "f"),
          UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  /// Letters, digits, `-`, `_` and dots between labels (RFC 1123 §2.1, and the underscore of container networks).
  private static func isHost(_ text: Substring) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-"
        && label.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
          default: false
          }
        }
    }
  }
}

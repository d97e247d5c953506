// Gateway: the only target with sockets, clocks and threads; it drives the sans-IO sessions.

import Glibc
import NIOCore

/// The clocks of this process, in the units that the rest of it takes.
public enum Clock {
  /// µs since 1970.
  public static func now() -> Int64 { read(CLOCK_REALTIME) }
  /// µs since some start; never goes back.
  public static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }
  /// Seconds since 1970.
  public static func seconds() -> Int64 { now() / 1_000_000 }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}

/// A session's name in the audit trail: 13 characters, 64 random bits in base 32.
enum SessionName {
  private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

  static func generate() -> String {
    var bits = UInt64.random(in: .min ... .max)
    var characters: [UInt8] = []
    for _ in 0..<13 {
      characters.append(digits[Int(bits & 31)])
      bits >>= 5
    }
    return String(decoding: characters, as: UTF8.self)
  }
}

/// How long each step may take before the connection is ended.
public struct Deadlines: Hashable, Sendable {
  /// From the first byte to the first ReadyForQuery.
  public var login = TimeAmount.seconds(30)
  /// For one TCP connection to a backend.
  public var connect = TimeAmount.seconds(10)
  /// For a cancel request's connection to be closed by the backend.
  public var cancel = TimeAmount.seconds(5)
  /// For a catalogue look-up.
  public var catalog = TimeAmount.seconds(10)
  /// For what is still to be written when a connection ends.
  public var farewell = TimeAmount.seconds(2)
  /// For sessions to end when the gateway stops.
  public var drain = TimeAmount.seconds(5)
  /// Between two looks at the sessions of an event loop, for their limits of time.
  public var sweep = TimeAmount.seconds(1)

  public init() {}
}

/// Bounds of the whole process, in connections.
public struct Capacity: Hashable, Sendable {
  /// Connections that have not signed in yet; further ones are closed at once.
  public var unauthenticated = 2_000
  /// Clients of the control socket.
  public var control = 32
  /// Statements that wait for an approval.
  public var held = 1_000

  public init() {}
}

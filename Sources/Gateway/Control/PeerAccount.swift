import Glibc

/// Accounts of this machine, as its user database has them.
enum PeerAccount {
  /// The name of an account; nil when it has none. May ask a directory, so it blocks.
  static func name(of uid: UInt32) -> String? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwuid_r(uid, &entry, &buffer, buffer.count, &found) == 0, found != nil, let name = entry.pw_name else {
      return nil
    }
    return String(cString: name)
  }

  /// The number of a group, by name or number; nil when there is none of that name.
  static func number(ofGroup text: String) -> gid_t? {
    if let number = gid_t(text) { return number }
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    var buffer = [CChar](repeating: 0, count: 65_536)
    guard getgrnam_r(text, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
    return entry.gr_gid
  }
}

import CLibSSH
import Foundation
import Glibc

/// Why libssh did not do what it was asked for. Lower case, without a full stop; never a secret.
struct SSHFailure: Error, Hashable, Sendable, CustomStringConvertible {
  var message: String
  var description: String { message }
}

/// What of libssh belongs to no session: its start, keys, and the algorithms that both sides are offered.
enum SSHLibrary {
  /// Once per process, before any thread uses it.
  static let start: Void = {
    ssh_init()
    ssh_set_log_level(0)
  }()

  /// Only what needs little of a peer that has not signed in: no group exchange, no large groups (CVE-2002-20001).
  static let keyExchanges = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256"
  static let ciphers = "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr"
  static let codes = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"
  /// What clients may sign with; certificates are not read yet.
  static let clientKeys =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256,"
    + "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com"

  /// libssh's words for what last went wrong with a session or bind.
  static func words(_ handle: OpaquePointer) -> String {
    ssh_get_error(UnsafeMutableRawPointer(handle)).map { String(cString: $0) } ?? "unknown error"
  }

  /// A public key as it stands on the wire; nil when libssh cannot write it.
  static func blob(of key: OpaquePointer) -> [UInt8]? {
    var text: UnsafeMutablePointer<CChar>?
    guard ssh_pki_export_pubkey_base64(key, &text) == SSH_OK, let text else { return nil }
    defer { ssh_string_free_char(text) }
    return Data(base64Encoded: String(cString: text)).map(Array.init)
  }

  /// `SHA256:…`, as ssh-keygen -l prints it.
  static func fingerprint(of key: OpaquePointer) -> String? {
    var hash: UnsafeMutablePointer<UInt8>?
    var length = 0
    guard ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) == SSH_OK else { return nil }
    defer { ssh_clean_pubkey_hash(&hash) }
    let digits = Data(UnsafeBufferPointer(start: hash, count: length)).base64EncodedString()
    return "SHA256:" + digits.filter { $0 != "=" }
  }
}

/// A private key in libssh's memory. Confined to one thread at a time.
final class SSHPrivateKey {
  let pointer: OpaquePointer

  /// From OpenSSH's form or PEM, without a passphrase.
  init(_ text: String) throws(SSHFailure) {
    var key: OpaquePointer?
    // The callback in place of libssh's own, which would ask a terminal for the passphrase.
    let refuse: ssh_auth_callback = { _, _, _, _, _, _ in -1 }
    guard ssh_pki_import_privkey_base64(text, nil, refuse, nil, &key) == SSH_OK, let key else {
      throw SSHFailure(message: "it is no private key that libssh can read, or it has a passphrase")
    }
    pointer = key
  }

  deinit { ssh_key_free(pointer) }
}

/// The key by which clients know the gateway: made on first start, in the data folder, readable by its owner alone.
struct SSHHostKey: Sendable {
  /// The private key, in OpenSSH's form.
  let text: String
  /// `ssh-ed25519 AAAA…`.
  let publicLine: String

  static func path(data: String) -> String { data + "/ssh_host_ed25519_key" }

  static func load(data: String) throws -> SSHHostKey {
    _ = SSHLibrary.start
    let path = path(data: data)
    if !FileManager.default.fileExists(atPath: path) { try generate(path) }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    do {
      let key = try SSHPrivateKey(text)
      guard let blob = SSHLibrary.blob(of: key.pointer), let type = ssh_key_type_to_char(ssh_key_type(key.pointer))
      else {
        throw SSHFailure(message: "its public part cannot be written")
      }
      let line = "\(String(cString: type)) \(Data(blob).base64EncodedString())"
      try PrivateFile.write(line + "\n", to: path + ".pub", mode: 0o644)
      return SSHHostKey(text: text, publicLine: line)
    } catch let failure as SSHFailure {
      throw GatewayFailure(
        "\(path) cannot be used: \(failure)",
        hint: "Restore it from a backup; a new one, made when it is missing, is unknown to every client.")
    }
  }

  private static func generate(_ path: String) throws {
    var key: OpaquePointer?
    guard ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) == SSH_OK, let key else {
      throw GatewayFailure("could not make an SSH host key")
    }
    defer { ssh_key_free(key) }
    var text: UnsafeMutablePointer<CChar>?
    guard ssh_pki_export_privkey_base64(key, nil, nil, nil, &text) == SSH_OK, let text else {
      throw GatewayFailure("could not write an SSH host key")
    }
    defer {
      memset(text, 0, strlen(text))
      ssh_string_free_char(text)
    }
    try PrivateFile.write(String(cString: text), to: path, mode: 0o600)
  }
}

/// What sessions of one reactor are accepted with: the host key and what is offered. Confined to that reactor.
final class SSHBind {
  let pointer: OpaquePointer

  init(_ hostKey: SSHHostKey) throws {
    guard let bind = ssh_bind_new() else { throw GatewayFailure("libssh has no memory") }
    pointer = bind
    // libssh would read files of /etc/ssh otherwise.
    var no: CBool = false
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no)
    for (option, value) in [
      (SSH_BIND_OPTIONS_KEY_EXCHANGE, SSHLibrary.keyExchanges), (SSH_BIND_OPTIONS_CIPHERS_C_S, SSHLibrary.ciphers),
      (SSH_BIND_OPTIONS_CIPHERS_S_C, SSHLibrary.ciphers), (SSH_BIND_OPTIONS_HMAC_C_S, SSHLibrary.codes),
      (SSH_BIND_OPTIONS_HMAC_S_C, SSHLibrary.codes),
      (SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, SSHLibrary.clientKeys),
    ] {
      guard ssh_bind_options_set(bind, option, value) == SSH_OK else {
        throw GatewayFailure("libssh does not take \(value): \(SSHLibrary.words(bind))")
      }
    }
    var key: OpaquePointer?
    guard ssh_pki_import_privkey_base64(hostKey.text, nil, nil, nil, &key) == SSH_OK, let key,
      // The bind owns the key from here on.
      ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, UnsafeRawPointer(key)) == SSH_OK
    else { throw GatewayFailure("libssh does not take the host key: \(SSHLibrary.words(bind))") }
  }

  deinit { ssh_bind_free(pointer) }
}

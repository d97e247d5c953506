import AccessModel
import Crypto
import Identity

/// How the gateway proves to the backend that it may use the account.
extension BackendHandshake {
  mutating func receive(_ request: AuthenticationRequest) throws -> Event? {
    switch (request, state) {
    case (.ok, .authenticating), (.ok, .starting):
      guard channelBinding != .require || isBound else {
        throw ProtocolError.backend(
          "channel binding is required, but the backend authenticated the gateway without it")
      }
      state = .starting
    case (.cleartextPassword, .authenticating):
      PasswordMessage.password(try unboundPassword()).encode(into: &output)
    case (.md5Password(let salt), .authenticating):
      PasswordMessage.password(md5Response(user: account.user, password: try unboundPassword(), salt: salt))
        .encode(into: &output)
    case (.sasl(let mechanisms), .authenticating):
      var client = SCRAMClient(password: try password(), binding: try binding(offered: mechanisms), keys: account.keys)
      PasswordMessage.saslInitialResponse(mechanism: client.binding.mechanism.rawValue, data: client.clientFirst())
        .encode(into: &output)
      state = .saslFirst(client)
    case (.saslContinue(let data), .saslFirst(var client)):
      guard let derivation = try client.takeServerFirst(data) else {
        try answer(client, with: nil)
        return nil
      }
      state = .deriving(client)
      return .needsKeys(derivation)
    case (.saslFinal(let data), .saslFinal(var client)):
      try client.receiveServerFinal(data)
      isBound = client.binding.mechanism == .plus
      state = .starting
    case (.unsupported(let code, _), _):
      throw ProtocolError.backend(
        "the backend asks for authentication method \(code), which the gateway does not speak")
    case (_, _):
      throw ProtocolError.backend("the backend's authentication messages are out of order")
    }
    return nil
  }

  /// Sends client-final; `keys` were derived for it, or nil where those of an earlier sign-in fit.
  mutating func answer(_ client: SCRAMClient, with keys: SCRAMKeys?) throws(SCRAMError) {
    var client = client
    PasswordMessage.saslResponse(try client.clientFinal(with: keys)).encode(into: &output)
    self.keys = client.keys
    state = .saslFinal(client)
  }

  /// Which mechanism to take of those on offer, by libpq's rules (fe-auth.c, pg_SASL_init).
  private func binding(offered mechanisms: [String]) throws(ProtocolError) -> SCRAMBinding {
    let offersPlus = mechanisms.contains(SCRAMMechanism.plus.rawValue)
    guard isEncrypted || !offersPlus else {
      // Only a backend that has TLS offers it, so somebody in between took the TLS away.
      throw .backend("the backend offers SCRAM-SHA-256-PLUS on a connection without TLS")
    }
    if offersPlus, channelBinding != .disable, let endPoint { return .endPoint(endPoint) }
    guard channelBinding != .require else {
      throw .backend(
        isEncrypted
          ? "channel binding is required, but the backend does not offer it"
          : "channel binding is required, but the connection has no TLS")
    }
    guard mechanisms.contains(SCRAMMechanism.plain.rawValue) else {
      throw .backend("the backend offers no SASL mechanism that the gateway speaks")
    }
    return isEncrypted && !offersPlus && channelBinding == .prefer ? .notOffered : .unsupported
  }

  private func password() throws(ProtocolError) -> String {
    guard let password = account.password else {
      throw .backend("the backend asks for a password and the connection's credential has none")
    }
    return password
  }

  /// The password for a method that shows it, or its hash, to whoever is at the other end.
  private func unboundPassword() throws(ProtocolError) -> String {
    guard channelBinding != .require else {
      throw .backend("channel binding is required, but the backend asks for a password in another way")
    }
    return try password()
  }
}

/// `md5` and md5(md5(password ‖ user) ‖ salt), each in lower-case hex (PostgreSQL, AuthenticationMD5Password).
func md5Response(user: String, password: String, salt: [UInt8]) -> String {
  let inner = hex(Insecure.MD5.hash(data: Array((password + user).utf8)))
  return "md5" + hex(Insecure.MD5.hash(data: Array(inner.utf8) + salt))
}

private func hex(_ digest: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

import AccessModel
import AuditTrail
import Crypto

/// Takes the values out of texts that are stored, where they may belong to masked columns (DECISIONS 15, 22). The exact text
/// lives only in the session; of it a keyed hash is kept, by which equal texts can be told to be equal and nothing be guessed.
struct ConcealedTexts: Sendable {
  private let key: SymmetricKey

  /// - Parameter secret: of the gateway's state.
  init(secret: [UInt8]) {
    key = SymmetricKey(
      data: HMAC<SHA256>.authenticationCode(for: Array("sallyport texts".utf8), using: SymmetricKey(data: secret)))
  }

  /// The same facts with another text; these, where they hold no value.
  func conceal(_ facts: CommandFacts) -> CommandFacts {
    let masked = LiteralMask.hiding(facts.text)
    if masked.hidden == 0, masked.text == facts.text { return facts }
    let proof = HMAC<SHA256>.authenticationCode(for: Array(facts.text.utf8), using: key)
    return CommandFacts(
      text: masked.text, shape: facts.shape,
      concealed: ConcealedValues(
        count: masked.hidden, proof: proof.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()))
  }
}

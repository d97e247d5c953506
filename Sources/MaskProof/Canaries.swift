/// Values that nothing else looks like, planted where masks are to hide them.
///
/// Texts have 16 characters: letters that are no hexadecimal digits, and a digit at every fifth place, so that six of them
/// in a row are found nowhere by chance. Numbers have 14 digits, nine of which are as rare.
public struct Canaries: Sendable {
  /// One of each kind for each row of `people`.
  public struct Row: Sendable {
    public var code: String
    public var pin: Int64
    public var blob: String
    public var list: String
    public var document: String
    public var pair: String
  }
  public var people: [Row]
  public var child: Row
  public var ledger: [String]

  /// The rows of `people`.
  static let rowCount = 4

  public init(seed: UInt64) {
    var source = Choices(seed: seed ^ 0xCA9A_91E5, number: 0)
    people = (0..<Canaries.rowCount).map { _ in Row(&source) }
    child = Row(&source)
    ledger = (0..<3).map { _ in Canaries.text(&source) }
  }

  public var texts: [String] {
    (people + [child]).flatMap { [$0.code, $0.blob, $0.list, $0.document, $0.pair] } + ledger
  }
  public var numbers: [Int64] { (people + [child]).map(\.pin) }

  static func text(_ source: inout Choices) -> String {
    let letters = Array("ghjkmpqrtvwxyz"), digits = Array("0123456789")
    return String((0..<16).map { $0 % 5 == 3 ? source.pick(digits) : source.pick(letters) })
  }
}

extension Canaries.Row {
  fileprivate init(_ source: inout Choices) {
    code = Canaries.text(&source)
    // No digit is 0, so that no piece is shorter than it looks.
    pin = (0..<14).reduce(Int64(0)) { number, _ in number * 10 + Int64(1 + source.next(9)) }
    blob = Canaries.text(&source)
    list = Canaries.text(&source)
    document = Canaries.text(&source)
    pair = Canaries.text(&source)
  }
}

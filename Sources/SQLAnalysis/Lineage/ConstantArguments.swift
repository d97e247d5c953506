/// Constants beside a value in a call, by which it is known that no value makes the call fail.
extension LineageWalk {
  /// A number that is not large, or a text of a few characters.
  func isShortConstant(_ node: UInt32) -> Bool {
    guard tape.kind(node) == .aConst else { return false }
    let number = tape.child(node, .ival)
    if number != 0 {
      guard let value = tape.number(number, .ival) else { return true }
      return abs(value) <= TotalFunctions.shortConstant
    }
    guard let text = tape.text(tape.child(node, .sval), .sval) else { return false }
    return text.utf8.count <= TotalFunctions.shortConstant
  }

  /// Whether all arguments but the first are numbers.
  func takesNumbers(_ call: UInt32) -> Bool {
    let arguments = tape.child(call, .args)
    return arguments != 0
      && tape.children(arguments).dropFirst().allSatisfy { tape.kind($0) == .aConst && tape.has($0, .ival) }
  }

  /// True for format with a constant of nothing but `%s`, `%L` and `%%`, perhaps with positions: no value makes it fail.
  func formatsPlainly(_ call: UInt32) -> Bool {
    let arguments = tape.child(call, .args)
    guard arguments != 0, let first = tape.children(arguments).first(where: { _ in true }), tape.kind(first) == .aConst,
      let text = tape.text(tape.child(first, .sval), .sval)
    else { return false }
    var rest = text.utf8[...]
    while let start = rest.firstIndex(of: UInt8(ascii: "%")) {
      rest = rest[start...].dropFirst()
      let digits = rest.prefix { $0 &- 0x30 < 10 }
      rest = rest[digits.endIndex...]
      if !digits.isEmpty {
        guard rest.first == UInt8(ascii: "$") else { return false }
        rest = rest.dropFirst()
      }
      guard let kind = rest.first, "sL%".utf8.contains(kind) else { return false }
      rest = rest.dropFirst()
    }
    return true
  }
}

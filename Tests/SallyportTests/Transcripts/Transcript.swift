import AccessModel
import Foundation
import Testing

/// One conversation as `fixtures/transcripts/README.md` describes it.
struct Transcript: Sendable, CustomTestStringConvertible {
  /// What people do meanwhile.
  enum Act: Hashable, Sendable {
    case approve(person: String)
    case refuse(person: String, reason: String)
    case cancel
  }
  enum Step: Sendable {
    /// `client >`, `backend >`: messages that this side sends in one piece.
    case send(Side, [WireFrame])
    /// `client <`, `backend <`: the next message that reaches this side.
    case expect(Side, WireFrame)
    /// `audit`: the next record.
    case audit(String)
    case people(Act)
    /// `closes`: the gateway ends both connections.
    case closes
  }
  /// `relation`: what the catalogue says.
  struct Relation: Sendable {
    var oid: UInt32
    var schema: String
    var name: String
    /// In the order of their attribute numbers, from 1.
    var columns: [String]
  }
  var name: String
  var policy = ""
  var relations: [Relation] = []
  /// Each with the number of its line.
  var steps: [(line: Int, step: Step)] = []

  var testDescription: String { name }

  init(name: String, text: String) throws {
    self.name = name
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      do { try read(String(line), index + 1) } catch { throw TranscriptMistake("\(name):\(index + 1): \(error)") }
    }
    guard !policy.isEmpty else { throw TranscriptMistake("\(name) names no policy") }
  }

  private mutating func read(_ line: String, _ number: Int) throws {
    let words = line.split(separator: " ", maxSplits: 1)
    guard let verb = words.first, !verb.hasPrefix("#") else { return }
    let rest = words.count > 1 ? words[1].trimmingCharacters(in: .whitespaces) : ""
    switch verb {
    case "policy": policy = rest
    case "relation": try readRelation(rest)
    case "audit": steps.append((number, .audit(rest)))
    case "closes": steps.append((number, .closes))
    case "people": steps.append((number, .people(try Transcript.act(rest))))
    case "client", "backend":
      let side: Side = verb == "client" ? .client : .backend
      guard let arrow = rest.first, arrow == ">" || arrow == "<" else { throw TranscriptMistake("it has no arrow") }
      let message = rest.dropFirst().trimmingCharacters(in: .whitespaces)
      if arrow == "<" {
        // What reaches one side was said by the other.
        steps.append((number, .expect(side, try WireFrame(message, from: side == .client ? .backend : .client))))
      } else {
        append(try WireFrame(message, from: side), from: side, number)
      }
    case let other: throw TranscriptMistake("\(other) is no verb")
    }
  }

  /// Messages of one side in lines that follow each other are sent in one piece.
  private mutating func append(_ frame: WireFrame, from side: Side, _ number: Int) {
    if case .send(let last, let frames) = steps.last?.step, last == side {
      steps[steps.count - 1].step = .send(side, frames + [frame])
    } else {
      steps.append((number, .send(side, [frame])))
    }
  }

  private mutating func readRelation(_ text: String) throws {
    let words = text.split(separator: " ").map(String.init)
    let path = words.count > 2 ? words[1].split(separator: ".").map(String.init) : []
    guard path.count == 2, let oid = UInt32(words[0]) else {
      throw TranscriptMistake("write it like: relation 16384 public.customers id name")
    }
    relations.append(Relation(oid: oid, schema: path[0], name: path[1], columns: Array(words.dropFirst(2))))
  }

  private static func act(_ text: String) throws -> Act {
    let tokens = try WireToken.split(text)
    guard case .word(let verb) = tokens.first else { throw TranscriptMistake("people do something") }
    var words = WireWords(verb, tokens.dropFirst())
    switch verb {
    case "cancel": return .cancel
    case "approve": return .approve(person: try words.word())
    case "refuse": return .refuse(person: try words.word(), reason: String(decoding: try words.text(), as: UTF8.self))
    case let other: throw TranscriptMistake("people approve NAME, refuse NAME \"reason\" or cancel, not \(other)")
    }
  }
}

/// The transcripts and policies of the checkout.
enum TranscriptFolder {
  static let path = SourceTree.root + "/fixtures/transcripts"

  static func policy(_ name: String) throws -> String {
    try String(contentsOfFile: "\(path)/policies/\(name)", encoding: .utf8)
  }

  /// All of them, in the order of their names. One that cannot be read is in it, as a mistake.
  static func all() -> [Result<Transcript, any Error>] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.filter { $0.hasSuffix(".transcript") }.sorted().map { name in
      Result {
        try Transcript(
          name: String(name.dropLast(11)), text: String(contentsOfFile: "\(path)/\(name)", encoding: .utf8))
      }
    }
  }

  static let readable: [Transcript] = all().compactMap { try? $0.get() }
}

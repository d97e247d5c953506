import Foundation
import Testing

/// What the documents tell people to type is there.
@Suite("Documentation")
struct DocumentationTests {
  /// Lines of the documents that call the binary, without comments and redirections.
  private static func commands() throws -> [String] {
    let root = try TestRun.root()
    var found: [String] = []
    for file in ["README.md", "docs/getting-started.md", "docs/operations.md"] {
      let text = try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
      for line in text.split(separator: "\n") where line.hasPrefix("    ") {
        let words = line.trimmingCharacters(in: .whitespaces)
        guard words.hasPrefix("sallyport ") else { continue }
        found.append(String(words.prefix { $0 != "#" && $0 != ">" }))
      }
    }
    return found
  }

  @Test("each command of the documents exists, with each of its options")
  func commandsExist() throws {
    let commands = try Self.commands()
    #expect(commands.count > 30)
    var help: [[String]: String] = [:]
    for command in commands {
      let words = command.split(separator: " ").dropFirst().map(String.init)
      // Subcommands come first, and are words of letters alone.
      let path = Array(words.prefix { $0.allSatisfy(\.isLowercase) }.prefix(2))
      var text = ""
      for count in [path.count, 1, 0] where text.isEmpty && count <= path.count {
        let way = Array(path.prefix(count))
        if help[way] == nil {
          let end = try ChildProcess.run(try TestRun.binary(), way + ["--help"])
          help[way] =
            end.status == 0 && (way.isEmpty || end.output.contains("USAGE: sallyport \(way.joined(separator: " "))"))
            ? end.output : ""
        }
        text = help[way] ?? ""
        // An argument, such as a name, is no subcommand; but the first word always is.
        if count == 0, !path.isEmpty { text = "" }
      }
      #expect(!text.isEmpty, "there is no command \"\(command)\"")
      for option in words where option.hasPrefix("--") && option != "--generate-completion-script" {
        #expect(text.contains(option), "\(option) of \"\(command)\" is not there")
      }
    }
  }

  @Test("what the pages show as a whole configuration is one, and the shell gets its completions")
  func gettingStarted() throws {
    let text = try String(contentsOfFile: "\(try TestRun.root())/docs/getting-started.md", encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0.hasPrefix("       gateway:") })
    let configuration = lines[start...].prefix { $0.hasPrefix("       ") }.map { $0.dropFirst(7) }.joined(
      separator: "\n")
    let file = TestRun.newPath("started.yaml")
    try "\(configuration)\n".write(toFile: file, atomically: false, encoding: .utf8)
    let check = try ChildProcess.run(try TestRun.binary(), ["check", file])
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    for shell in ["bash", "zsh", "fish"] {
      let script = try ChildProcess.run(try TestRun.binary(), ["--generate-completion-script", shell])
      #expect(script.status == 0 && script.output.contains("approvals"), "\(shell)")
    }
  }

  @Test("each metric that is served stands in the list, and no other")
  func metrics() throws {
    let text = try String(contentsOfFile: "\(try TestRun.root())/docs/operations.md", encoding: .utf8)
    let source = try String(
      contentsOfFile: "\(try TestRun.root())/Sources/Gateway/Health/PrometheusText.swift", encoding: .utf8)
    let names = { (text: String) in Set(text.matches(of: /sallyport_[a-z_]+/).map { String($0.output) }) }
    #expect(names(text) == names(source))
  }

  @Test("where there is no trail nothing is called sound", arguments: ["verify", "tail", "export", "head"])
  func noTrail(_ verb: String) throws {
    let end = try ChildProcess.run(try TestRun.binary(), ["audit", verb, "--data", "/nowhere"])
    #expect(end.status == 1 && end.output.isEmpty && end.errors.contains("there is no audit trail in /nowhere"))
  }
}

import Testing

@testable import Gateway
@testable import sallyport

@Suite("Terminals: what is read off a screen")
struct TerminalScreenTests {
  private func screen(_ prompt: String = "$ ") throws -> TerminalScreen {
    let screen = TerminalScreen(columns: 20, rows: 4)
    #expect(screen.shown(Array(prompt.utf8)) == [])
    return screen
  }

  private func echo(_ screen: TerminalScreen, _ keys: String, _ shown: String) -> [String] {
    screen.typed(Array(keys.utf8))
    return screen.shown(Array(shown.utf8))
  }

  @Test("Editing, history and completion count as they end")
  func editing() throws {
    let screen = try screen()
    #expect(echo(screen, "l", "l") == [])
    #expect(echo(screen, "x", "x") == [])
    #expect(echo(screen, "\u{7f}", "\u{8} \u{8}") == [])
    #expect(echo(screen, "\t", "s -la") == [])
    #expect(echo(screen, "\r", "\r\nfile\r\n$ ") == ["ls -la"])
    #expect(echo(screen, "\u{1b}[A", "ls -la") == [])
    #expect(echo(screen, "\r", "\r\n$ ") == ["ls -la"])
  }

  @Test("What is not echoed is not there, and an empty line is none")
  func hidden() throws {
    let screen = try screen("Password: ")
    #expect(echo(screen, "secret\r", "\r\n$ ") == [])
    #expect(echo(screen, "\r", "\r\n$ ") == [])
    #expect(echo(screen, "id\r", "id\r\n$ ") == ["id"])
  }

  @Test("A line that wraps, and one that scrolls away, are one text")
  func wrapped() throws {
    let screen = try screen()
    let long = "echo " + String(repeating: "abcdefghij", count: 4)
    #expect(echo(screen, long, long) == [])
    #expect(echo(screen, "\r", "\r\n$ ") == [long])
  }

  @Test("Lines that were typed ahead are found behind their prompts; a program's output is not taken for one")
  func ahead() throws {
    let screen = try screen()
    #expect(echo(screen, "a\rb\r", "a\r\noutput\r\n$ b\r\n$ ") == ["a", "b"])
  }

  @Test("An editor's keys are no commands")
  func editor() throws {
    let screen = try screen()
    #expect(echo(screen, "vi\r", "vi\r\n\u{1b}[?1049h") == ["vi"])
    #expect(echo(screen, "itext\r", "text\r\n") == [])
    #expect(echo(screen, ":q\r", "\u{1b}[?1049l$ ") == [])
    #expect(echo(screen, "id\r", "id\r\n") == ["id"])
  }

  @Test("Any bytes, in any size of window, are taken")
  func hostile() throws {
    var random = SystemRandomNumberGenerator()
    for columns in [0, 1, 2, 80, 100_000] {
      let screen = TerminalScreen(columns: columns, rows: columns / 3)
      for _ in 0..<40 {
        let bytes = (0..<200).map { _ in
          UInt8([0x1B, 0x5B, 0x3B, 0x0A, 0x0D, 0x48].randomElement() ?? Int.random(in: 0...255))
        }
        let noise = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
        screen.typed(noise)
        _ = screen.shown(bytes + noise)
        screen.resize(columns: Int.random(in: 0...300), rows: Int.random(in: 0...90))
      }
    }
  }

  @Test(
    "A replay draws, and does nothing else to the terminal of the one who looks",
    arguments: [
      ("a\u{1b}[31mred\u{1b}[0m\r\n", "a\u{1b}[31mred\u{1b}[0m\r\n"), ("\u{1b}]0;title\u{7}b", "b"),
      ("\u{1b}]52;c;ZXZpbA==\u{1b}\\b", "b"), ("\u{1b}[6n\u{1b}[cb", "b"), ("\u{1b}P$q\u{1b}\\b", "b"),
      ("\u{1b}[?1049h\u{1b}[2J\u{1b}[H", "\u{1b}[?1049h\u{1b}[2J\u{1b}[H"), ("\u{1b}[?1000hb", "b"),
      ("\u{9b}5nb", "b"), ("\u{1b}[20tb", "b"), ("\u{1b}(Bb", "b"), ("\u{1b}cb", "b"), ("\u{5}b", "b"),
    ])
  func replay(_ text: String, _ shown: String) {
    var filter = TerminalFilter()
    #expect(filter.harmless(text) == shown)
    var byCharacter = TerminalFilter()
    #expect(text.unicodeScalars.map { byCharacter.harmless(String($0)) }.joined() == shown)
  }

  @Test("A character that is cut at the end of a piece waits for the rest")
  func cut() {
    #expect(SessionScreen.unfinished(Array("aé".utf8)) == 0)
    #expect(SessionScreen.unfinished([0x61, 0xC3]) == 1)
    #expect(SessionScreen.unfinished([0xE2, 0x82]) == 2)
    #expect(SessionScreen.unfinished([0xF0, 0x9F, 0x98]) == 3)
    #expect(SessionScreen.unfinished([0xFF, 0x80, 0x80]) == 3 || SessionScreen.unfinished([0x80, 0x80, 0x80]) == 0)
    #expect(SessionScreen.unfinished([]) == 0)
  }
}

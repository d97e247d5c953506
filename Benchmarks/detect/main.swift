import Glibc

/// What the benchmark measures of the detectors. `speed FILE`: bytes of a file, a row at a time, as JSON. `quality`: reads
/// `label TAB text` lines with `\\`, `\t` and `\n` escaped, and answers each with its findings as JSON.
struct Bench {
  static func main() {
    let arguments = CommandLine.arguments
    switch arguments.dropFirst().first {
    case "speed": for file in arguments.dropFirst(2) { speed(file) }
    case "quality": quality()
    default: print("usage: detect speed FILE… | quality")
    }
  }

  private static func cpu() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func bytes(_ file: String) -> [UInt8] {
    guard let stream = fopen(file, "r") else { return [] }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = fread(&piece, 1, piece.count, stream)
      if count == 0 { return bytes }
      bytes += piece[..<count]
    }
  }

  private static func speed(_ file: String) {
    let text = bytes(file)
    let set = DetectorSet()
    var found = 0
    let start = cpu()
    text.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      var place = 0
      while place < bytes.count {
        let end =
          memchr(base + place, 10, bytes.count - place).map { base.distance(to: UnsafeRawPointer($0)) } ?? bytes.count
        found += set.findings(in: UnsafeRawBufferPointer(rebasing: bytes[place..<end])).count
        place = end + 1
      }
    }
    let took = cpu() - start
    print("{\"bytes\": \(text.count), \"seconds\": \(took), \"found\": \(found)}")
  }

  private static func plain(_ text: Substring) -> String {
    var plain = ""
    var isEscaped = false
    for character in text {
      if isEscaped {
        plain.append(character == "n" ? "\n" : character == "t" ? "\t" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        plain.append(character)
      }
    }
    return plain
  }

  private static func quality() {
    let set = DetectorSet()
    while let line = readLine() {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      let label = parts[0].isEmpty ? Context.none : Context(label: plain(parts[0]))
      let found = set.findings(in: plain(parts[1]), label: label).map { finding in
        "[\(finding.range.lowerBound), \(finding.range.upperBound), \"\(set.name(of: finding.detector))\"]"
      }
      print("[\(found.joined(separator: ", "))]")
    }
  }
}
Bench.main()

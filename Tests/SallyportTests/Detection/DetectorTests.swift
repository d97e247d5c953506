import Detection
import Testing

/// Single values, right and wrong by one thing.
@Suite("Detectors")
struct DetectorTests {
  /// What is found in a text, as `kind text`.
  private func found(_ text: String, label: String? = nil, _ set: DetectorSet = DetectorSet()) -> [String] {
    let bytes = Array(text.utf8)
    return set.findings(in: text, label: label.map { Context(label: $0) } ?? .none).map {
      "\(set.name(of: $0.detector)) \(String(decoding: bytes[$0.range], as: UTF8.self))"
    }
  }

  @Test(
    "Exactly the value is found",
    arguments: [
      ("mail ana.kern+x@example.co.uk, ok", "email ana.kern+x@example.co.uk"),
      ("pay 4111 1111 1111 1111 now", "credit-card 4111 1111 1111 1111"),
      ("4111111111111111.", "credit-card 4111111111111111"),
      ("amex 378282246310005", "credit-card 378282246310005"),
      ("DE89 3704 0044 0532 0130 00", "iban DE89 3704 0044 0532 0130 00"),
      ("x GB82WEST12345698765432 y", "iban GB82WEST12345698765432"),
      ("ssn 078-05-1120", "us-ssn 078-05-1120"), ("idnr 86095742719", "de-steuer-id 86095742719"),
      ("RSSMRA85T10A562S", "it-codice-fiscale RSSMRA85T10A562S"), ("dni 12345678Z", "es-dni 12345678Z"),
      ("X1234567L", "es-dni X1234567L"),
      ("bsn 111222333", "nl-bsn 111222333"), ("93.05.18-223.61", "be-rijksregister 93.05.18-223.61"),
      ("44051401359", "pl-pesel 44051401359"),
      ("811218-9876", "se-personnummer 811218-9876"), ("131052-308T", "fi-hetu 131052-308T"),
      ("1800101221144", "ro-cnp 1800101221144"),
      ("егн 7523169263", "bg-egn 7523169263"), ("736028/5163", "cz-rodne-cislo 736028/5163"),
      ("isikukood 37605030299", "ee-lt-personal-code 37605030299"),
      ("oib 94577403194", "hr-oib 94577403194"), ("pps 1234567T", "ie-pps 1234567T"),
      ("svnr 1237 010180", "at-svnr 1237 010180"),
      ("nif 123456789", "pt-nif 123456789"), ("cpr 070761-4285", "dk-cpr 070761-4285"),
      ("2 55 08 14 168 025 38", "fr-nir 2 55 08 14 168 025 38"),
      ("born 5 March 1980 in", "date-of-birth 5 March 1980"), ("passport L8988901C", "passport L8988901C"),
      ("call +49 30 1234567", "phone +49 30 1234567"), ("(212) 555-0123", "phone (212) 555-0123"),
      ("from 10.2.3.4:5432", "ip-address 10.2.3.4"),
      ("[2001:db8::8a2e:370:7334]", "ip-address 2001:db8::8a2e:370:7334"),
      ("aa:bb:cc:dd:ee:ff", "mac-address aa:bb:cc:dd:ee:ff"), ("00-1A-2B-3C-4D-5E", "mac-address 00-1A-2B-3C-4D-5E"),
      ("postgres://app:s3cret@db/x", "password s3cret"), ("password = 'two words'", "password two words"),
      ("{\"api_key\": \"zq81-kk\"}", "password zq81-kk"), ("PGPASSWORD=tiger psql", "password tiger"),
    ])
  func exact(_ text: String, _ wanted: String) {
    #expect(found(text) == [wanted])
  }

  @Test(
    "What only looks like it is not",
    arguments: [
      "4111 1111 1111 1112", "order no. 4111111111111111", "DE88 3704 0044 0532 0130 00", "000-12-3456", "666-12-3456",
      "111222333", "12345678A",
      "131052-308U", "44051401358", "811218-9877", "v1.2.3.4", "release 10.2.3.4", "1.2.3.4.5", "256.1.1.1", "12:30:45",
      "std::string", "icon@2x.png",
      "user@localhost", "git@github.com:a/b.git", "password: string", "password == other", "PASSWORD=${SECRET}",
      "-----BEGIN PRIVATE KEY----- is its first line",
      "550e8400-e29b-41d4-a716-446655440000", "2026-11-21 16:40:12.123456+00",
      "commit 8f14e45fceea167a5a36dedd4bea2543", "1763742000", "9783161484100",
      "sk-circle-fade-dot-large-and-more-of-it", "3.14159265358979", "item 212-555-0123",
    ])
  func nothing(_ text: String) {
    #expect(found(text) == [])
  }

  @Test("The name of a column tells what bare digits are, and that they are something else")
  func labels() {
    #expect(found("111222333") == [])
    #expect(found("111222333", label: "customerBSN") == ["nl-bsn 111222333"])
    #expect(found("4111111111111111", label: "order_id") == [])
    #expect(found("4111111111111111", label: "card_order") == ["credit-card 4111111111111111"])
    #expect(found("1980-01-02", label: "created") == [])
    #expect(found("1980-01-02", label: "date_of_birth") == ["date-of-birth 1980-01-02"])
  }

  @Test("Only what is asked for is found, as sure as asked for")
  func selection() {
    let text = "ana@example.com, 4111111111111111"
    #expect(found(text, DetectorSet([.init(.email)])) == ["email ana@example.com"])
    #expect(found("111222333", DetectorSet(minimum: .low)) == ["nl-bsn 111222333"])
    #expect(found("4111111111111111", DetectorSet(minimum: .high)) == [])
    #expect(found("card 4111111111111111", DetectorSet(minimum: .high)) == ["credit-card 4111111111111111"])
  }

  @Test("A key that is cut off is hidden as far as it goes, and a header alone is none")
  func keys() {
    let line = String(repeating: "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", count: 2)
    let whole = "-----BEGIN RSA PRIVATE KEY-----\n\(line)\n\(line)\n-----END RSA PRIVATE KEY-----"
    #expect(found("a\n\(whole)\nb") == ["private-key \(whole)"])
    let cut = "-----BEGIN PRIVATE KEY-----\n\(line)\n\(line)"
    #expect(found(cut) == ["private-key \(cut)"])
    #expect(found("-----BEGIN PUBLIC KEY-----\n\(line)\n-----END PUBLIC KEY-----") == [])
  }

  @Test("Every kind has a name that stands for it alone")
  func names() {
    #expect(Set(DetectorKind.allCases.map(\.name)).count == DetectorKind.allCases.count)
    for kind in DetectorKind.allCases { #expect(DetectorKinds(named: kind.name) == DetectorKinds(kind)) }
    #expect(DetectorKinds(named: "national-ids")?.kinds.count == 19)
    #expect(DetectorKinds(named: "credit") == nil)
  }

  @Test("What is kept names what was there")
  func stored() {
    let set = DetectorSet()
    #expect(set.masked("to ana@example.com, card 4111111111111111!") == "to [email], card [credit-card]!")
    #expect(set.masked("nothing here") == nil)
  }
}

@Suite("Detectors of the configuration")
struct CustomDetectorTests {
  private func found(_ text: String, _ detector: CustomDetector) -> [String] {
    let bytes = Array(text.utf8)
    return DetectorSet([], custom: [detector]).findings(in: text).map {
      String(decoding: bytes[$0.range], as: UTF8.self)
    }
  }

  @Test("Patterns and words are found, also in long texts and broken UTF-8")
  func matches() throws {
    let badge = try CustomDetector(name: "badge", pattern: #"(?i)\bEMP-\d{5}\b"#, words: ["Project Falcon", "ötzi"])
    #expect(found("emp-12345, EMP-1234, x EMP-54321", badge) == ["emp-12345", "EMP-54321"])
    #expect(found("about project falcon and falconry", badge) == ["project falcon"])
    #expect(found("project falcons; ötzi, ötzis", badge) == ["ötzi"])
    let long = String(repeating: "lorem ipsum ", count: 500) + "EMP-00001 " + String(repeating: "x", count: 3000)
    #expect(found(long, badge) == ["EMP-00001"])
    let broken = Array("\u{FFFD}".utf8.dropFirst()) + Array(" EMP-00002".utf8)
    #expect(broken.withUnsafeBytes { DetectorSet([], custom: [badge]).findings(in: $0) }.count == 1)
  }

  @Test("A weak pattern counts where its words are near")
  func context() throws {
    let weak = try CustomDetector(
      name: "staff", pattern: #"\b\d{6}\b"#, context: ["staff", "Personal"], confidence: .low)
    #expect(found("order 123456", weak) == [])
    #expect(found("staff no 123456", weak) == ["123456"])
    #expect(found("personal: 123456", weak) == ["123456"])
  }

  @Test("A pattern that explodes is stopped, and what it was on is hidden")
  func limits() throws {
    let hostile = try CustomDetector(name: "hostile", pattern: #"(a+)+$"#)
    let text = String(repeating: "a", count: 5000) + "!"
    let clock = ContinuousClock()
    let took = clock.measure { #expect(!found(text, hostile).isEmpty) }
    // Unbounded it would take years.
    #expect(took < .seconds(20))
  }

  @Test(
    "A pattern that cannot be used says where and why",
    arguments: [
      ("a(b", 3, "missing closing parenthesis"), ("[z-a]", 4, "range out of order in character class"),
      ("a*", 0, "it matches the empty text"), (#"(?<=x{300})y"#, 0, "it looks back further than 200 characters"),
    ])
  func mistakes(_ pattern: String, _ offset: Int, _ message: String) {
    do throws(CustomDetector.PatternError) {
      _ = try CustomDetector(name: "x", pattern: pattern)
      Issue.record("\(pattern) was taken")
    } catch {
      #expect(error.message == message)
      #expect(abs(error.offset - offset) <= 1, "\(error.offset)")
    }
  }
}

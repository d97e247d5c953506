// Detection: finds personal data and secrets in bytes, by form, check digits and the words around.

/// One kind of sensitive data that the gateway knows by itself.
public enum DetectorKind: UInt8, Hashable, Sendable, CaseIterable {
  case email, phone
  case creditCard, iban, usSSN
  case deTaxID, frNIR, esDNI, itCodiceFiscale, nlBSN, beNationalNumber, plPESEL, ptNIF, sePersonnummer, dkCPR
  case fiHETU, roCNP, bgEGN, czRodneCislo, atSVNR, balticCode, hrOIB, iePPS, siEMSO
  case passport, dateOfBirth
  case ipAddress, macAddress
  case jwt, awsKey, gcpKey, azureKey, githubToken, slackToken, stripeKey, openAIKey, anthropicKey, privateKey
  case password

  /// As rules name it.
  public var name: String {
    switch self {
    case .email: "email"
    case .phone: "phone"
    case .creditCard: "credit-card"
    case .iban: "iban"
    case .usSSN: "us-ssn"
    case .deTaxID: "de-steuer-id"
    case .frNIR: "fr-nir"
    case .esDNI: "es-dni"
    case .itCodiceFiscale: "it-codice-fiscale"
    case .nlBSN: "nl-bsn"
    case .beNationalNumber: "be-rijksregister"
    case .plPESEL: "pl-pesel"
    case .ptNIF: "pt-nif"
    case .sePersonnummer: "se-personnummer"
    case .dkCPR: "dk-cpr"
    case .fiHETU: "fi-hetu"
    case .roCNP: "ro-cnp"
    case .bgEGN: "bg-egn"
    case .czRodneCislo: "cz-rodne-cislo"
    case .atSVNR: "at-svnr"
    case .balticCode: "ee-lt-personal-code"
    case .hrOIB: "hr-oib"
    case .iePPS: "ie-pps"
    case .siEMSO: "si-emso"
    case .passport: "passport"
    case .dateOfBirth: "date-of-birth"
    case .ipAddress: "ip-address"
    case .macAddress: "mac-address"
    case .jwt: "jwt"
    case .awsKey: "aws-key"
    case .gcpKey: "gcp-key"
    case .azureKey: "azure-key"
    case .githubToken: "github-token"
    case .slackToken: "slack-token"
    case .stripeKey: "stripe-key"
    case .openAIKey: "openai-key"
    case .anthropicKey: "anthropic-key"
    case .privateKey: "private-key"
    case .password: "password"
    }
  }

  /// Whether check digits tell a right value from most wrong ones.
  public var hasChecksum: Bool {
    DetectorKinds.nationalIDs.contains(self) || self == .creditCard || self == .iban
  }
}

/// A set of kinds.
public struct DetectorKinds: OptionSet, Hashable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ kind: DetectorKind) { rawValue = 1 << UInt64(kind.rawValue) }

  public func contains(_ kind: DetectorKind) -> Bool { rawValue >> UInt64(kind.rawValue) & 1 != 0 }

  public static let all = DetectorKinds(DetectorKind.allCases)
  public static let nationalIDs = DetectorKinds(range: .deTaxID, .siEMSO)
  public static let secrets = DetectorKinds(range: .jwt, .password)

  public init(_ kinds: [DetectorKind]) { self = kinds.reduce(into: []) { $0.formUnion(DetectorKinds($1)) } }

  private init(range first: DetectorKind, _ last: DetectorKind) {
    self.init(DetectorKind.allCases.filter { (first.rawValue...last.rawValue).contains($0.rawValue) })
  }

  public var kinds: [DetectorKind] { DetectorKind.allCases.filter(contains) }

  /// Names that stand for several, as rules write them.
  public static let groups: [(name: String, kinds: DetectorKinds)] = [
    ("all", .all), ("national-ids", .nationalIDs), ("secrets", .secrets),
  ]

  /// What a name of the catalogue or of a group stands for; nil when there is none of that name.
  public init?(named name: String) {
    if let kind = DetectorKind.allCases.first(where: { $0.name == name }) {
      self.init(kind)
    } else if let group = DetectorKinds.groups.first(where: { $0.name == name }) {
      self = group.kinds
    } else {
      return nil
    }
  }
}

/// How sure a finding is.
public enum Confidence: Int, Hashable, Sendable, Comparable, CaseIterable {
  /// The form fits, as many other things do.
  case low
  /// Its form or its check digits say so, or a weak form where the words around it say what it is.
  case medium
  /// It can hardly be anything else.
  case high

  public static func < (a: Confidence, b: Confidence) -> Bool { a.rawValue < b.rawValue }
  public var name: String {
    switch self {
    case .low: "low"
    case .medium: "medium"
    case .high: "high"
    }
  }
  var raised: Confidence { Confidence(rawValue: rawValue + 1) ?? self }
  var lowered: Confidence { Confidence(rawValue: rawValue - 1) ?? self }
}

/// A place in a text that holds something sensitive.
public struct Finding: Hashable, Sendable {
  public enum Detector: Hashable, Sendable {
    case kind(DetectorKind)
    /// One of the configuration, by its place in `DetectorSet.custom`.
    case custom(Int)
  }
  public var detector: Detector
  /// Offsets of bytes; exactly what is sensitive, without quotes or names around.
  public var range: Range<Int>
  public var confidence: Confidence

  public init(_ detector: Detector, _ range: Range<Int>, _ confidence: Confidence) {
    self.detector = detector
    self.range = range
    self.confidence = confidence
  }
}

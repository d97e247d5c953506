/// Words that tell what a number beside them is, in the languages of the countries whose numbers are known.
enum ContextVocabulary {
  /// Whole words, lower case.
  static let words: [([DetectorKind], String)] = [
    (
      [.phone],
      "phone tel telephone mobile cell cellphone fax call handy mobil telefone téléphone portable móvil movil "
        + "celular teléfono telefono cellulare whatsapp sms dial puhelin telefoon gsm msisdn tfno tlf"
    ),
    (
      [.creditCard],
      "card cards credit visa mastercard amex karte kreditkarte carte tarjeta carta kort kaart cc ccnum debit pan"
    ),
    ([.iban], "iban konto kontonummer account bban"),
    ([.usSSN], "ssn ssns"),
    ([.usSSN, .frNIR, .atSVNR], "social"),
    ([.deTaxID], "idnr"),
    ([.deTaxID, .esDNI, .ptNIF, .hrOIB, .nlBSN, .itCodiceFiscale], "tax taxid tin"),
    ([.frNIR], "nir insee sécurité securite sociale secu vitale"),
    ([.esDNI], "dni nie documento identidad"),
    ([.itCodiceFiscale], "codice fiscale cf"),
    ([.nlBSN], "bsn sofi sofinummer"),
    ([.beNationalNumber], "registre niss insz rrn nrn"),
    ([.plPESEL], "pesel"),
    ([.ptNIF], "contribuinte fiscal"),
    ([.ptNIF, .esDNI], "nif"),
    ([.sePersonnummer], "personnr pnr samordningsnummer"),
    ([.sePersonnummer, .dkCPR], "personnummer"),
    ([.dkCPR], "cpr cprnr"),
    ([.fiHETU], "hetu henkilötunnus sotu"),
    ([.roCNP], "cnp"),
    ([.bgEGN], "egn егн ЕГН"),
    ([.czRodneCislo], "rodné rodne rodného rodneho rč rc číslo cislo"),
    ([.atSVNR], "svnr sv svnummer"),
    ([.balticCode], "isikukood asmens kodas"),
    ([.hrOIB], "oib"),
    ([.iePPS], "pps ppsn ppsno"),
    ([.siEMSO], "emso emšo jmbg"),
    (DetectorKinds.nationalIDs.kinds, "national nationalid identity personalid idnumber"),
    (
      [.passport],
      "passport passports passeport pasaporte passaporto passaporte paspoort paszport pasport pass passnummer passnr"
    ),
    (
      [.dateOfBirth],
      "dob birth birthday birthdate born geboren geb née né naissance nacimiento nacido nacida nascita nato nata "
        + "nascimento född fødselsdato født narození narozen urodzenia syntymäaika bday birth_date"
    ),
  ]

  /// Beginnings of words, 5 to 10 bytes, lower case: for compounds.
  static let stems: [([DetectorKind], String)] = [
    ([.phone], "telefo handyn mobilt mobiln rufnum phonen telnr"),
    ([.creditCard], "kreditk cardnum creditca"),
    ([.deTaxID], "steuer"),
    ([.nlBSN], "burgers"),
    ([.beNationalNumber], "rijksreg"),
    ([.atSVNR], "sozialv"),
    ([.passport], "passport reisepa"),
    ([.dateOfBirth], "geburts geboort födelse fødsels birthd"),
  ]

  /// What a number is that is no number of a person: written right before it.
  static let otherwise: [([DetectorKind], String)] = [([], things), ([.ipAddress], versions)]

  /// Of which a number with three points is no address.
  private static let versions = "version versions ver build release revision rev firmware oid section chapter v"

  private static let things =
    "order orders bestellung bestellnummer auftrag commande pedido invoice rechnung rechnungsnummer reference tracking "
    + "shipment parcel sku part article artikel item serial batch lot ticket "
    + "transaction txn txid hash commit checksum sha md5 timestamp epoch price amount total qty quantity isbn ean gtin "
    + "barcode upc pid port trace span request session weight bytes size "
    + "duration uptime ts inventory asset model quote case job queue row offset customer kunde kundennummer client "
    + "booking"

  /// Words between such a word and its number.
  static let fillers = "no nr number nummer num id ids is was numero número numéro code ref of the für for and n"
}

/// Sets of words by their hashes; FNV-1a with 64 bits, so that two words do not meet.
struct WordTable: Sendable {
  private var slots: [(hash: UInt64, kinds: DetectorKinds)]
  private let mask: Int

  static let basis: UInt64 = 0xcbf2_9ce4_8422_2325
  @inline(__always) static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
    (hash ^ UInt64(byte)) &* 0x100_0000_01b3
  }

  init(_ entries: [([DetectorKind], String)]) {
    let words = entries.flatMap { kinds, text in text.split(separator: " ").map { (DetectorKinds(kinds), $0) } }
    var size = 64
    while size < words.count * 4 { size *= 2 }
    slots = Array(repeating: (0, []), count: size)
    mask = size - 1
    for (kinds, word) in words {
      let hash = word.utf8.reduce(WordTable.basis) { WordTable.step($0, $1) }
      var index = Int(truncatingIfNeeded: hash >> 20) & mask
      while slots[index].hash != 0, slots[index].hash != hash { index = (index + 1) & mask }
      slots[index] = (hash, slots[index].kinds.union(kinds))
    }
  }

  /// nil for a word that is not in it.
  func kinds(_ hash: UInt64) -> DetectorKinds? {
    var index = Int(truncatingIfNeeded: hash >> 20) & mask
    while slots[index].hash != 0 {
      if slots[index].hash == hash { return slots[index].kinds }
      index = (index + 1) & mask
    }
    return nil
  }

  static let words = WordTable(ContextVocabulary.words)
  static let stems = WordTable(ContextVocabulary.stems)
  static let otherwise = WordTable(ContextVocabulary.otherwise)
  static let fillers = WordTable([([], ContextVocabulary.fillers)])
}

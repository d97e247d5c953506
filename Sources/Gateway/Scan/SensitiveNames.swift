import Foundation

/// What columns are likely to hold by the words of their names, in the languages that databases are written in.
enum SensitiveNames {
  /// What a column holds, with the mask that is proposed for it, as rules spell it.
  enum Kind: String, CaseIterable, Codable, Sendable {
    case password, nationalID = "national-id", card, bankAccount = "bank-account", health, email, phone, birth, network
    case address
    case personName = "person-name", income

    var mask: String {
      switch self {
      case .password, .nationalID, .health, .address, .personName, .network: "redact"
      case .card, .bankAccount: "{ partial: { keep_last: 4 } }"
      case .phone: "{ partial: { keep_last: 2 } }"
      case .email: "{ partial: { keep: domain } }"
      case .birth: "{ bucket: { date: year } }"
      case .income: "{ bucket: { number: 10000 } }"
      }
    }
  }

  /// Words, or words that follow each other, each with what it stands for. English, German, French, Spanish, Italian,
  /// Portuguese, Dutch, Swedish, Danish, Norwegian, Polish.
  private static let words: [Kind: String] = [
    .password: """
    password passwd pwd passwort kennwort contrasena clave+secreta mot+passe senha wachtwoord losenord hasło haslo secret \
    api+key apikey private+key access+token refresh+token auth+token pin+code pincode
    """,
    .nationalID: """
    ssn social+security sozialversicherungsnummer svnr steuer+id steuernummer nir insee securite+sociale dni nie nif curp \
    cpf cnpj codice+fiscale bsn burgerservicenummer personnummer cpr fodselsnummer pesel nino national+insurance national+id \
    nationalid tax+id taxid tin passport passport+number reisepass passeport pasaporte passaporto paspoort ausweis \
    driver+license drivers+license licence+number carte+identite
    """,
    .card:
      "card+number cardnumber credit+card creditcard ccnum cc+number pan kreditkarte kartennummer carte+bancaire tarjeta cvv cvc",
    .bankAccount:
      "iban bic swift account+number accountnumber kontonummer konto+nr numero+compte cuenta+bancaria conto+corrente rekeningnummer routing+number",
    .health:
      "diagnosis diagnose diagnostico icd icd10 medication medikament allergy allergies blood+type blutgruppe disability religion ethnicity",
    .email: "email e+mail mail mailaddress correo courriel posta+elettronica epost",
    .phone:
      "phone telephone telefon telefono tel telefone mobile cellphone cell+phone handy handynummer movil portable celular fax msisdn phonenumber",
    .birth:
      "birth birthday birthdate dob date+birth geburtsdatum geburtstag geboren naissance nacimiento nascita nascimento geboortedatum fodelsedatum",
    .address:
      "address adresse anschrift street strasse straße rue calle via+civico indirizzo direccion endereco straat postcode postal+code zipcode zip plz codigo+postal",
    .personName: """
    first+name firstname last+name lastname surname family+name given+name full+name fullname middle+name maiden+name vorname \
    nachname familienname prenom nom+famille apellido apellidos nombre+completo cognome sobrenome voornaam achternaam fornamn \
    efternamn imie nazwisko
    """,
    .income: "salary wage income gehalt lohn einkommen salaire sueldo salario stipendio salaris wynagrodzenie",
    .network: "ip ip+address ipaddress mac+address client+ip remote+addr",
  ]

  private static let table: [(words: [String], kind: Kind)] = Kind.allCases.flatMap { kind in
    (words[kind] ?? "").split(whereSeparator: \.isWhitespace).map {
      ($0.split(separator: "+").map(String.init), kind)
    }
  }

  /// What a column of that name is likely to hold; nil when the name says nothing.
  static func kind(of name: String) -> Kind? {
    let parts = split(name)
    return table.first { entry in contains(parts, entry.words) }?.kind
  }

  private static func contains(_ parts: [String], _ words: [String]) -> Bool {
    guard words.count <= parts.count else { return false }
    return (0...(parts.count - words.count)).contains { start in
      parts[start..<(start + words.count)].elementsEqual(words)
    }
  }

  /// `customerEMail_2` is `customer`, `email`; accents of the common kind are taken off.
  static func split(_ name: String) -> [String] {
    var parts: [String] = []
    var part = ""
    var wasLower = false
    for character in name.folding(options: [.diacriticInsensitive], locale: nil) {
      let isWord = character.isLetter
      if !isWord || character.isUppercase && wasLower {
        if !part.isEmpty { parts.append(part.lowercased()) }
        part = ""
      }
      if isWord { part.append(character) }
      wasLower = character.isLowercase
    }
    if !part.isEmpty { parts.append(part.lowercased()) }
    let fillers: Set<String> = ["of", "de", "da", "di", "la", "le", "the", "der", "des", "no", "nr", "num"]
    let kept = parts.filter { !fillers.contains($0) }
    return kept.isEmpty ? parts : kept
  }
}

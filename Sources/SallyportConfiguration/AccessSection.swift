import AccessModel
import PolicyEngine

extension ConfigurationReader {
  /// `access:`, the list of grants.
  func readAccess(_ value: YAMLValue) {
    for entry in entries(value, "access") {
      if let grant = grant(entry) { grants.append(grant) }
    }
  }

  /// The entries of a list; none, and a mistake, when it is no list.
  func entries(_ value: YAMLValue, _ what: String) -> [YAMLValue] {
    guard case .sequence(let sequence) = value.node else {
      mistakes.add(
        value.place, value.isNull ? "\(what) is empty" : "\(what) must be a list, not \(value.kind)",
        "Begin each entry with \"- \".")
      return []
    }
    return sequence.map { YAMLValue(node: $0, file: value.file) }
  }

  private func grant(_ value: YAMLValue) -> AccessGrant? {
    guard var keys = MappingReader(value, "the grant", mistakes, .grant) else { return nil }
    let usersValue = keys.take("users")
    let groupsValue = keys.take("groups")
    if usersValue == nil, groupsValue == nil {
      mistakes.add(
        keys.place, "the grant names neither groups nor users", "Say who it is for, such as groups: [engineering].")
    }
    let users = usersValue.flatMap { self.users($0) }
    let groups = groupsValue.flatMap { self.groups($0, "groups") }
    let connections = keys.require("connections", "Name them, or write connections: \"*\" for all.").flatMap {
      connectionSelector($0)
    }
    let allow = keys.require("allow", "Say what is allowed, such as allow: { postgres: [read] }.").flatMap {
      self.allow($0)
    }
    keys.finish()
    // A key that could not be read must not widen the grant.
    guard let connections, let allow, (usersValue == nil) == (users == nil), (groupsValue == nil) == (groups == nil)
    else { return nil }
    return AccessGrant(
      users: users, groups: groups, connections: connections, allow: allow.mapValues(\.all),
      replicates: allow["postgres"]?.named.contains(.replicate) ?? false)
  }

  func users(_ value: YAMLValue) -> [String]? {
    guard let users = texts(value, "users") else { return nil }
    references.users += users
    return users.map(\.value)
  }

  /// Names, or `{ labels: … }`.
  private func connectionSelector(_ value: YAMLValue) -> ConnectionSelector? {
    guard case .mapping = value.node else { return connectionNames(value).map(ConnectionSelector.names) }
    guard var keys = MappingReader(value, "connections", mistakes, .labelSelector) else { return nil }
    let labels = keys.require("labels").flatMap { labelChoices($0) }
    keys.finish()
    return labels.map(ConnectionSelector.labels)
  }

  func connectionNames(_ value: YAMLValue) -> [NameGlob]? {
    guard let names = texts(value, "connections") else { return nil }
    references.connections += names
    return names.map { NameGlob($0.value) }
  }

  /// `{ env: prod, data: [customer, staff] }`.
  func labelChoices(_ value: YAMLValue) -> [String: [String]]? {
    guard let entries = MappingReader.entries(of: value, "labels", mistakes) else { return nil }
    if entries.isEmpty {
      return refuse(value.place, "labels is empty", "Name at least one label, or leave the key out.")
    }
    var labels: [String: [String]] = [:]
    for (key, value) in entries {
      guard let values = texts(value, "label \(key.value)") else { continue }
      references.labels += values.map { Located(value: (key.value, $0.value), place: $0.place) }
      labels[key.value] = values.map(\.value)
    }
    return labels.count == entries.count ? labels : nil
  }

  private func allow(_ value: YAMLValue) -> [String: EffectWords]? {
    guard var keys = MappingReader(value, "allow", mistakes, .allow) else { return nil }
    var allowed: [String: EffectWords] = [:]
    let before = mistakes.found.count
    if let value = keys.take("postgres") { allowed["postgres"] = effectWords(value, "effect", alsoAll: true) }
    if let value = keys.take("ssh") { allowed["ssh"] = sshEffects(value) }
    if allowed.isEmpty, mistakes.found.count == before {
      mistakes.add(keys.place, "allow names no protocol", "Write it like allow: { postgres: [read, write] }.")
    }
    keys.finish()
    return mistakes.found.count == before ? allowed : nil
  }

  /// `[exec, download, upload, forward]`, or `all`.
  private func sshEffects(_ value: YAMLValue) -> EffectWords? {
    guard let texts = texts(value, "ssh") else { return nil }
    let words = texts.compactMap { word($0, "word", among: MappingShape.sshEffects) }
    guard words.count == texts.count else { return nil }
    return words.reduce(into: EffectWords()) { read, effect in
      if effect.isUnknown { read.unknown = true } else { read.named.formUnion(effect) }
    }
  }

  /// What a list of effects names; `all` only where something is granted, since a rule without `effect` meets all.
  func effectWords(_ value: YAMLValue, _ what: String, alsoAll: Bool = false) -> EffectWords? {
    guard let texts = texts(value, what) else { return nil }
    var words = Effects.named.map { ($0.name, $0.effect) } + [("unknown", Effects.unknown)]
    if alsoAll { words.append(("all", .unknown)) }
    var read = EffectWords()
    var count = 0
    for text in texts {
      if text.value == "all", !alsoAll {
        mistakes.add(
          text.place, "effect \"all\" belongs to access", "A rule that leaves effect out is about all of them.")
        continue
      }
      guard let effect = word(text, "effect", among: words) else { continue }
      count += 1
      if effect.isUnknown { read.unknown = true } else { read.named.formUnion(effect) }
    }
    return count == texts.count ? read : nil
  }
}

/// Effects as they were named.
struct EffectWords {
  var named: Effects = []
  var unknown = false

  /// As a set, in which the unknown contains everything.
  var all: Effects { unknown ? .unknown : named }
}

extension MappingShape {
  static let grant = MappingShape(
    "grant",
    [
      Key("users", .oneOrMore(.text), "With groups beside it, a person must meet both."),
      Key("groups", .oneOrMore(.text)),
      Key(
        "connections", .either([.oneOrMore(.text), .mapping(.labelSelector)]), "Names, patterns, or labels.",
        required: true),
      Key("allow", .mapping(.allow), "What may be done, by protocol.", required: true),
    ], anyOf: ["users", "groups"])

  static let labelSelector = MappingShape(
    "label_selector", [Key("labels", .named(.oneOrMore(.text)), "Each with one of its values.", required: true)])

  static let allow = MappingShape(
    "allow",
    [
      Key("postgres", .effects(alsoAll: true)),
      Key("ssh", .oneOrMore(.words(sshEffects.map(\.0))), "exec: programs that can be told; all: whatever there is."),
    ], planned: ["http"], anyOf: ["postgres", "ssh"])

  static let sshEffects: [(String, Effects)] = [
    ("exec", .execute), ("download", .download), ("upload", .upload), ("forward", .forward), ("all", .unknown),
  ]
}

extension ValueShape {
  /// What `effectWords` reads.
  static func effects(alsoAll: Bool = false) -> ValueShape {
    .oneOrMore(.words(Effects.named.map(\.name) + ["unknown"] + (alsoAll ? ["all"] : [])))
  }
}

import AccessModel
import Identity

extension ConfigurationReader {
  /// `users:`, people and services by name.
  func readUsers(_ value: YAMLValue) {
    guard let entries = MappingReader.entries(of: value, "users", mistakes) else {
      hasUnreadUsers = true
      return
    }
    for (key, value) in entries {
      guard let name = name(key, "a user"), let settings = user(name, value) else {
        hasUnreadUsers = true
        continue
      }
      if let first = users[name] {
        mistakes.add(key.place, "user \"\(name)\" is written twice", firstAt(first.place))
        continue
      }
      users[name] = Located(value: settings, place: key.place)
    }
  }

  private func user(_ name: String, _ value: YAMLValue) -> UserSettings? {
    guard var keys = MappingReader(value, "user \"\(name)\"", mistakes, .user) else { return nil }
    var settings = UserSettings(name: name, kind: .person, groups: [], owner: nil, authentication: .scram)
    if let value = keys.take("groups"), let groups = texts(value, "groups") {
      settings.groups = groups.compactMap { self.name($0, "a group") }
    }
    if let value = keys.take("kind") {
      settings.kind = word(value, "kind", among: UserSettings.Kind.allCases.map { ($0.rawValue, $0) }) ?? .person
    }
    if let value = keys.take("owner"), let owner = text(value, "owner") {
      settings.owner = owner
      references.owners.append(Located(value: (owner, name), place: value.place))
    }
    if let value = keys.take("auth") {
      let words = UserSettings.Authentication.allCases.map { ($0.rawValue, $0) }
      settings.authentication = word(value, "auth", among: words, planned: ["jwt", "link"]) ?? .scram
    }
    if let value = keys.take("account"), let account = text(value, "account") {
      settings.account = self.account(account, of: name, value.place)
    }
    if let value = keys.take("keys") { settings.keys = authorizedKeys(value, of: name) }
    keys.finish()
    return settings
  }

  /// Lines of public keys. A key says who somebody is, so that it belongs to one user only.
  private func authorizedKeys(_ value: YAMLValue, of user: String) -> [AuthorizedKey] {
    (texts(value, "keys") ?? []).compactMap { line in
      let key: AuthorizedKey
      do throws(AuthorizedKey.Malformed) {
        key = try AuthorizedKey(line: line.value)
      } catch {
        return refuse(
          line.place, "this is no public key that can be used: \(error.reason)",
          "Copy the line of a .pub file, such as \"ssh-ed25519 AAAA… ana@laptop\".")
      }
      if let other = keyOwners[key.blob] {
        return refuse(
          line.place, "this key is also one of \"\(other)\"", "A key says who somebody is; keep it with one user.")
      }
      keyOwners[key.blob] = user
      return key
    }
  }

  /// Two people can not be one account, and who is root, or the gateway itself, is nobody's question.
  private func account(_ account: String, of user: String, _ place: Place) -> String? {
    if account == "root" || account == "0" {
      return refuse(place, "account \(account) operates every gateway of its machine, and is nobody's own")
    }
    if let other = users.values.first(where: { $0.value.account == account }) {
      return refuse(place, "account \"\(account.prefix(64))\" is that of user \"\(other.value.name)\" already")
    }
    return account
  }

  /// `roles:`, what members of groups may do on the gateway itself.
  func readRoles(_ value: YAMLValue) {
    guard var keys = MappingReader(value, "roles", mistakes, .roles) else { return }
    for role in GatewayRole.allCases {
      guard let value = keys.take(role.rawValue), let groups = groups(value, role.rawValue) else { continue }
      if let first = roles[role] {
        mistakes.add(value.place, "role \(role.rawValue) is written twice", firstAt(first.place))
        continue
      }
      roles[role] = Located(value: groups, place: value.place)
    }
    keys.finish()
  }

  /// A list of groups, to be checked once all users are known.
  func groups(_ value: YAMLValue, _ what: String) -> [String]? {
    guard let groups = texts(value, what) else { return nil }
    references.groups += groups
    return groups.map(\.value)
  }

  func firstAt(_ place: Place) -> String {
    "The first is in \(place.file), line \(place.line); keep one of them."
  }
}

extension MappingShape {
  static let user = MappingShape(
    "user",
    [
      Key("groups", .oneOrMore(.name), "Groups that rules, grants and credentials name."),
      Key("kind", .words(UserSettings.Kind.allCases.map(\.rawValue)), "Default: person."),
      Key("owner", .name, "The person who answers for a service."),
      Key(
        "auth", .words(UserSettings.Authentication.allCases.map(\.rawValue)),
        "How PostgreSQL clients prove who they are. Default: scram."),
      Key("keys", .oneOrMore(.text), "Public keys for SSH, each as the line of a .pub file."),
      Key("account", .text, "The account of the gateway's machine that is this person at gateway.listen.control."),
    ])

  static let roles = MappingShape(
    "roles",
    GatewayRole.allCases.map { Key($0.rawValue, .oneOrMore(.name), "Groups whose members are \($0.rawValue)s.") })
}

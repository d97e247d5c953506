import AccessModel
import Detection
import PolicyEngine

/// Reads the files of one configuration into one, collecting mistakes on the way.
///
/// Names that refer to other parts are kept with their places and checked at the end, when all files are read.
final class ConfigurationReader {
  let mistakes = Mistakes()
  let hostName: String

  var gateway: GatewaySettings?
  private(set) var gatewayPlace: Place?
  var users: [String: Located<UserSettings>] = [:]
  var roles: [GatewayRole: Located<[String]>] = [:]
  var connections: [String: Located<ConnectionSettings>] = [:]
  var grants: [AccessGrant] = []
  var rules: [Located<Rule>] = []
  var functions: [Located<FunctionDeclaration>] = []
  var approvals = ApprovalSettings()
  /// Where it says whom links serve.
  var linksPlace: Place?
  /// What the configuration adds to the catalogue of detectors.
  var detectors: [Located<CustomDetector>] = []
  /// What the rule that is being read detects.
  var detectorsOfRule: [Located<String>]?
  /// A detector that was written and could not be read, so that its name is not reported as missing as well.
  var hasUnreadDetectors = false
  /// Users by the public keys that are theirs.
  var keyOwners: [[UInt8]: String] = [:]
  private var sections = 0

  var references = References()
  /// Parts that were written but could not be read, so that names missing because of it are not reported as well.
  var hasUnreadUsers = false
  var hasUnreadConnections = false

  init(hostName: String) { self.hostName = hostName }

  func read(_ source: ConfigurationSource) {
    guard let root = YAMLSource(file: source.file, mistakes: mistakes).compose(source.text), !root.isNull else {
      return
    }
    guard var top = MappingReader(root, "the file", mistakes, .file) else { return }
    sections += 1
    if let value = top.take("gateway") { readGateway(value) }
    if let value = top.take("users") { readUsers(value) }
    if let value = top.take("roles") { readRoles(value) }
    if let value = top.take("connections") { readConnections(value) }
    if let value = top.take("access") { readAccess(value) }
    if let value = top.take("detectors") { readDetectors(value) }
    if let value = top.take("rules") { readRules(value) }
    if let value = top.take("approvals") { approvals = approvalSettings(value) ?? approvals }
    if let value = top.take("functions") { readFunctions(value) }
    top.finish()
  }

  private func readGateway(_ value: YAMLValue) {
    if let first = gatewayPlace {
      mistakes.add(value.place, "gateway is written twice", "The first is in \(first.file), line \(first.line).")
      return
    }
    gatewayPlace = value.place
    gateway = gatewaySettings(value)
  }

  /// What was read, once every file was; nil when there are mistakes.
  func finish(files: [String]) -> GatewayConfiguration? {
    if sections == 0, mistakes.isEmpty {
      mistakes.add(
        Place(file: files.first ?? "", line: 0, column: 0), "there is no configuration in here",
        "Start with gateway:, users:, connections: and access:.")
    } else if connections.isEmpty, !hasUnreadConnections, mistakes.isEmpty {
      mistakes.add(
        Place(file: files.first ?? "", line: 0, column: 0), "no connection is configured",
        "Add one under connections:, such as shop: { protocol: postgres, address: 127.0.0.1:5432, … }.")
    }
    if let (name, first) = connections.first(where: { $0.value.value.protocolName == "ssh" }),
      gateway?.listenSSH == nil, mistakes.isEmpty
    {
      mistakes.add(
        first.place, "nobody can reach \"\(name)\": the gateway does not listen for SSH",
        "Add it like gateway: { listen: { ssh: 127.0.0.1:2222 } }.")
    }
    checkReferences()
    resolveDetectors()
    checkConflictingMasks()
    checkFunctions()
    checkLinks()
    guard mistakes.isEmpty else { return nil }
    return GatewayConfiguration(
      gateway: gateway ?? .defaults(hostName: hostName), users: users.mapValues(\.value),
      roles: roles.mapValues(\.value),
      connections: connections.mapValues(\.value), policy: PolicyDocument(grants: grants, rules: rules.map(\.value)),
      policyHash: "", functions: functions.map(\.value), approvals: approvals, detectors: detectors.map(\.value),
      directory: "")
  }
}

extension MappingShape {
  static let file = MappingShape(
    "file",
    [
      Key("gateway", .mapping(.gateway), "The gateway's own process."),
      Key("users", .named(.mapping(.user)), "People and services by name."),
      Key("roles", .mapping(.roles), "What people may do on the gateway itself."),
      Key("connections", .named(.mapping(.connection)), "Backends by the name that people use."),
      Key("access", .list(.mapping(.grant)), "The only part that permits anything."),
      Key("rules", .list(.mapping(.rule)), "Restrictions on top of access; their order does not matter."),
      Key("detectors", .list(.mapping(.detector)), "What rules may detect besides what the gateway knows."),
      Key("approvals", .mapping(.approvals), "How approvers hear of requests."),
      Key("functions", .list(.mapping(.function)), "What the catalogue cannot tell of routines."),
    ], planned: ["regions"])
}

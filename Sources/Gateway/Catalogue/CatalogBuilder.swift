import AccessModel
import Postgres
import SQLAnalysis

/// A catalogue that is being read, row by row. Each row begins with the letter that `CatalogQuery` put there.
struct CatalogBuilder {
  /// A row that is not what was asked for.
  struct Malformed: Error {}

  private(set) var catalog = Catalog()
  private var contents = CatalogSnapshot.Contents()
  /// Of all queries of views.
  private var treeBytes = 0
  private static let treeLimit = 32 << 20

  init(readAt: Int64) { catalog.readAt = readAt }

  mutating func add(_ row: [String]) throws(Malformed) {
    guard let letter = row.first else { throw Malformed() }
    let values = row.dropFirst()
    switch (letter, values.count) {
    case ("Z", 1): catalog.stamp = row[1]
    case ("U", 1): contents.user = row[1]
    case ("S", 1): contents.usableSchemas.insert(row[1])
    case ("G", 2): contents.usableSchemasOfRoles[row[1], default: []].insert(row[2])
    case ("R", 3):
      let oid = try number(row[1])
      contents.relations.append(CatalogSnapshot.Relation(oid: oid, schema: row[2], name: row[3]))
      catalog.add(oid: oid, schema: row[2], relation: row[3])
    case ("A", 6):
      guard let attribute = Int16(row[2]), let modifier = Int32(row[5]) else { throw Malformed() }
      let oid = try number(row[1])
      catalog.relations[oid]?.columns[attribute] = row[3]
      contents.columns[oid, default: []].append(
        CatalogSnapshot.Column(
          attribute, row[3], type: try number(row[4]), modifier: modifier, isGenerated: row[6] != "0"))
    case ("T", 2): addTree(try number(row[1]), row[2])
    case ("K", 2):
      guard let attribute = Int16(row[2]) else { throw Malformed() }
      contents.uniqueColumns[try number(row[1]), default: []].insert(attribute)
    case ("X", 4):
      guard let attribute = Int16(row[2]), let referred = Int16(row[4]) else { throw Malformed() }
      contents.references[try number(row[1]), default: [:]][attribute, default: []].append(
        CatalogSnapshot.ColumnNumber(relation: try number(row[3]), attribute: referred))
    case ("D", 3):
      guard let attribute = Int16(row[2]), let base = Int16(row[3]) else { throw Malformed() }
      contents.generated[try number(row[1]), default: [:]][attribute, default: []].insert(base)
    case ("F", 8): try addRoutine(row)
    case ("L", 3): try addLink(row)
    case ("V", 3):
      contents.add(CatalogSnapshot.RoutineName(schema: row[2], name: row[3]), calledBy: try number(row[1]))
    case ("H", 2): contents.addHidden(CatalogSnapshot.RoutineName(schema: row[1], name: row[2]))
    case _: throw Malformed()
    }
  }

  /// The catalogue, with all rows in it. `bind` is given the columns, and says what they went by before.
  func finished(_ bind: (Catalog) -> [UInt32: [Int16: [StoredColumn]]] = { _ in [:] }) -> Catalog {
    var catalog = catalog
    var contents = contents
    contents.formerNames = bind(catalog)
    catalog.snapshot = CatalogSnapshot(contents)
    return catalog
  }

  /// Beyond the limit each column of a view counts as coming from all that the view leans on.
  private mutating func addTree(_ oid: UInt32, _ tree: String) {
    treeBytes += tree.utf8.count
    if treeBytes <= CatalogBuilder.treeLimit { contents.viewTrees[oid] = tree }
  }

  private mutating func addRoutine(_ row: [String]) throws(Malformed) {
    contents.routines.append(
      CatalogSnapshot.Routine(
        oid: try number(row[1]), schema: row[2], name: row[3],
        body: CatalogSnapshot.Contents.body(language: row[4], text: row[5], extension: row[6]),
        hasOwnSettings: row[7] != "0", takesOneArgument: row[8] != "0"))
  }

  private mutating func addLink(_ row: [String]) throws(Malformed) {
    let kind: CatalogSnapshot.Link.Kind
    switch row[1] {
    case "view": kind = .view
    case "rule": kind = .rule
    case "child": kind = .child
    case _: throw Malformed()
    }
    contents.links.append(CatalogSnapshot.Link(kind, from: try number(row[2]), to: try number(row[3])))
  }

  private func number(_ text: String) throws(Malformed) -> UInt32 {
    guard let number = UInt32(text) else { throw Malformed() }
    return number
  }
}

import AccessModel
import PolicyEngine
import Testing

@testable import Gateway

@Suite("Catalogue")
struct CatalogTests {
  private let policy: ScopedPolicy = {
    let patterns = ["public.customers.ssn", "*.*.email"].compactMap(NamePattern.init)
    let rule = Rule(
      name: "pii", when: Matcher(), then: .mask(ColumnMask(columns: patterns, mask: .redact)))
    return Policy(PolicyDocument(rules: [rule]), hash: "").scoped(
      to: Subject(user: "ana", groups: [], connection: "shop"))
  }()

  private let catalog: Catalog = {
    var catalog = Catalog()
    catalog.add(oid: 1, schema: "public", relation: "customers", attribute: 1, column: "ssn")
    catalog.add(oid: 2, schema: "public", relation: "orders", attribute: 1, column: "id")
    catalog.add(oid: 3, schema: "audit", relation: "orders", attribute: 1, column: "email")
    return catalog
  }()

  private func reads(_ schema: String?, _ name: String) -> Footprint {
    Footprint([ResourceAccess(.relation(schema: schema, name), .read)])
  }

  @Test("Relations without a masked column are taken out")
  func reduces() {
    #expect(catalog.maskable(reads("public", "orders"), under: policy) == .nothing)
    #expect(catalog.maskable(reads("public", "customers"), under: policy) == reads("public", "customers"))
  }

  @Test("A name without its schema counts as every relation of that name")
  func unresolved() {
    #expect(catalog.maskable(reads(nil, "orders"), under: policy) == reads(nil, "orders"))
  }

  @Test("What the catalogue does not know may hold anything")
  func unknown() {
    #expect(catalog.maskable(reads("public", "new"), under: policy) == reads("public", "new"))
    #expect(catalog.maskable(.everything, under: policy) == .everything)
    let routine = Footprint([ResourceAccess(.routine(schema: "public", "f"), .call)])
    #expect(catalog.maskable(routine, under: policy) == routine)
  }
}

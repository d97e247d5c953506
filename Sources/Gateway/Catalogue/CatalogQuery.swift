/// What the catalogue is asked, all names qualified (CVE-2025-12819). Every row begins with a letter that says what it
/// is; see `CatalogBuilder`. Nothing here takes a lock on a relation of the users', so that a migration does not hold it up.
enum CatalogQuery {
  /// One value that differs once any of what `contents` reads has changed: sums over the versions of all rows.
  static let stamp =
    "SELECT 'Z', pg_catalog.concat_ws(',', "
    + [
      stamp(of: "pg_class", "oid >= 16384"), stamp(of: "pg_attribute", "attrelid >= 16384", id: "attrelid"),
      stamp(of: "pg_proc", "oid >= 16384"), stamp(of: "pg_rewrite", "oid >= 16384"),
      stamp(of: "pg_operator", "oid >= 16384"), stamp(of: "pg_cast", "oid >= 16384"),
      stamp(of: "pg_namespace"), stamp(of: "pg_inherits", id: "inhrelid"),
      stamp(of: "pg_auth_members", id: "member"), stamp(of: "pg_extension"), stamp(of: "pg_constraint"),
    ].joined(separator: ", ") + ", current_user)"

  private static func stamp(of table: String, _ condition: String = "true", id: String = "oid") -> String {
    "(SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(\(id), ':', xmin, ':', ctid), 0)) "
      + "FROM pg_catalog.\(table) WHERE \(condition))"
  }

  static let contents = [
    // Relations and their columns.
    """
    SELECT 'R', c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND n.nspname <> 'pg_toast'
    """,
    """
    SELECT 'A', a.attrelid, a.attnum, a.attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, \
    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, CASE WHEN a.attgenerated = '' THEN 0 ELSE 1 END \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND n.nspname <> 'pg_toast'
    """,
    // The queries of views, in which each name is resolved: where their columns come from is read off them.
    """
    SELECT 'T', r.ev_class, r.ev_action::pg_catalog.text FROM pg_catalog.pg_rewrite r \
    WHERE r.ev_class >= 16384 AND r.ev_type = '1' AND pg_catalog.length(r.ev_action::pg_catalog.text) <= 262144
    """,
    // Columns whose values a write can tell apart: unique and exclusion indexes, also over expressions.
    """
    SELECT 'K', i.indrelid, k FROM pg_catalog.pg_index i \
    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) k \
    WHERE (i.indisunique OR i.indisexclusion) AND i.indrelid >= 16384 AND k > 0 \
    UNION SELECT 'K', i.indrelid, d.refobjsubid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_depend d \
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid \
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0 \
    WHERE (i.indisunique OR i.indisexclusion) AND i.indrelid >= 16384
    """,
    // Foreign keys: a write to the first tells whether the second has the value.
    """
    SELECT 'X', c.conrelid, k.a, c.confrelid, k.b FROM pg_catalog.pg_constraint c \
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) AS k(a, b) WHERE c.contype = 'f'
    """,
    // What generated columns are computed from, by their dependencies: those of the column, or of its expression.
    """
    SELECT 'D', a.attrelid, a.attnum, d.refobjsubid FROM pg_catalog.pg_attribute a \
    LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid \
    AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum \
    AND (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum \
    OR d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid) \
    WHERE a.attrelid >= 16384 AND a.attgenerated <> ''
    """,
    // Who asks, and which schemas that account may use.
    "SELECT 'U', current_user",
    "SELECT 'S', nspname FROM pg_catalog.pg_namespace WHERE pg_catalog.has_schema_privilege(oid, 'USAGE')",
    // The same of the roles that it may take on, where that is not too much.
    """
    SELECT 'G', r.rolname, n.nspname FROM pg_catalog.pg_roles r, pg_catalog.pg_namespace n \
    WHERE (SELECT pg_catalog.count(*) FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, 'MEMBER')) \
    * (SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace) <= 20000 \
    AND r.rolname <> current_user AND pg_catalog.pg_has_role(r.oid, 'MEMBER') \
    AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
    """,
    // Routines that are not PostgreSQL's own, with the bodies of those in SQL. A body that was parsed when it was made
    // (BEGIN ATOMIC) cannot be had without locks.
    """
    SELECT 'F', p.oid, n.nspname, p.proname, \
    CASE WHEN l.lanname = 'sql' AND p.prokind IN ('f', 'p') AND p.prosqlbody IS NULL \
    AND pg_catalog.octet_length(p.prosrc) <= 8192 THEN 'sql' \
    WHEN l.lanname IN ('c', 'internal') THEN 'native' ELSE '' END, \
    CASE WHEN l.lanname = 'sql' AND pg_catalog.octet_length(p.prosrc) <= 8192 THEN p.prosrc END, e.extname, \
    CASE WHEN p.proconfig IS NOT NULL OR p.prosecdef THEN 1 ELSE 0 END, \
    CASE WHEN p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1 THEN 1 ELSE 0 END \
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
    LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid \
    AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
    WHERE n.nspname <> 'information_schema' AND (n.nspname <> 'pg_catalog' OR p.oid >= 16384)
    """,
    // What views and rules touch: users' relations by their dependencies, PostgreSQL's own by the stored tree.
    """
    SELECT DISTINCT 'L', CASE r.ev_type WHEN '1' THEN 'view' ELSE 'rule' END, r.ev_class, d.refobjid \
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d \
    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid \
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
    WHERE r.ev_class >= 16384 AND d.refobjid <> r.ev_class
    """,
    """
    SELECT DISTINCT 'L', CASE r.ev_type WHEN '1' THEN 'view' ELSE 'rule' END, r.ev_class, c.oid \
    FROM pg_catalog.pg_rewrite r \
    CROSS JOIN LATERAL pg_catalog.regexp_matches(r.ev_action::pg_catalog.text, ':relid ([0-9]+)', 'g') m \
    JOIN pg_catalog.pg_class c ON c.oid = m[1]::pg_catalog.oid WHERE r.ev_class >= 16384 AND c.oid < 16384
    """,
    "SELECT 'L', 'child', inhparent, inhrelid FROM pg_catalog.pg_inherits",
    // What they call.
    """
    SELECT DISTINCT 'V', r.ev_class, n.nspname, p.proname FROM pg_catalog.pg_rewrite r \
    CROSS JOIN LATERAL pg_catalog.regexp_matches(r.ev_action::pg_catalog.text, \
    ':(?:funcid|aggfnoid|winfnoid|opfuncid) ([0-9]+)', 'g') m \
    JOIN pg_catalog.pg_proc p ON p.oid = m[1]::pg_catalog.oid \
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE r.ev_class >= 16384
    """,
    // What stands behind operators and casts of the users' own; compiled code of extensions computes.
    """
    SELECT DISTINCT 'H', n.nspname, p.proname FROM (SELECT oprcode::pg_catalog.oid AS code FROM pg_catalog.pg_operator \
    WHERE oid >= 16384 UNION SELECT castfunc FROM pg_catalog.pg_cast WHERE oid >= 16384) o \
    JOIN pg_catalog.pg_proc p ON p.oid = o.code JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE l.lanname <> 'c'
    """,
  ].joined(separator: "; ")
}

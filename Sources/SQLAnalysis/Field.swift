/// A field of a node of the parse tree that this target reads, or whose structure it must know to go on.
///
/// A field that is not listed reads as `unrecognized`: its scalar is skipped, its nodes are still visited, and a bare
/// structure in it counts as touching everything.
enum Field: String, CaseIterable {
  case version, stmts, stmt, stmtLen = "stmt_len", relation, relname, schemaname, catalogname, relpersistence, alias,
    aliasname, withClause, ctes, recursive, ctename, ctequery, searchClause = "search_clause",
    cycleClause = "cycle_clause", targetList, returningList, whereClause, fromClause, usingClause, larg, rarg, op,
    all, intoClause, into, rel, lockingClause, lockedRels, valuesLists, selectStmt, onConflictClause, infer,
    sourceRelation, joinCondition, mergeWhenClauses, commandType, values, action, query, options, defname, defnamespace,
    arg, args,
    name, val, fields, funcname, `func`, funccall, funcs, funcformat, lexpr, rexpr, kind, operName, useOp, subselect,
    subLinkType, testexpr, boolop, booltesttype, nulltesttype, sval, ival, fval, boolval, bsval, isnull, number,
    typeName, names, isFrom = "is_from", isProgram = "is_program", filename, isLocal = "is_local",
    isVacuumcmd = "is_vacuumcmd", rels, relations, objects, object, objname, objtype, removeType, behavior, targtype,
    objargs, sequence, view, typevar, table, constrrel, pktable, partspec, partbound, bound, base, over, collClause,
    ofTypename, returnType, argType, datatype, sourcetype, targettype, storedtype,
    transformTypeName = "type_name", fromsql, tosql, opername, owner, newowner, authrole, role, user, grantor, newrole,
    setstmt, extname, pubtable, identitySequence, joinUsingAlias = "join_using_alias", items, method, functions,
    subquery, parameters, indirection, condition, conditionname, isall, subtype, def, collname, lateral, subname,
    schemaElts, cmds,
    isGrant = "is_grant", expr, result, defresult, target, renameType, location, typmods, arrayBounds,
    limitCount, limitOffset, groupClause, havingClause, sortClause, distinctClause, windowClause, partitionClause,
    orderClause, colnames, isNatural, quals, aliascolnames, newname, newschema, inhRelations, objectType, tableElts,
    colname, aggOrder =
    "agg_order", aggFilter = "agg_filter", node,
    indexElems, source, attlist, cols, content, ordinality, params
  case portalname, elements, isSlice = "is_slice"
  /// An element of a list.
  case element = "[]"
  case unrecognized = "?"
}

extension Field {
  static let byName = NameTable<Field>()

  /// What a bare structure in this field is: libpg_query writes a field of one fixed type without the type's name.
  var structure: NodeKind {
    switch self {
    case .relation, .rel, .sequence, .view, .typevar, .table, .constrrel, .pktable, .identitySequence, .name: .rangeVar
    case .larg, .rarg: .selectStmt
    case .typeName, .ofTypename, .returnType, .argType, .datatype, .sourcetype, .targettype, .storedtype,
      .transformTypeName:
      .typeName
    case .alias, .joinUsingAlias: .alias
    case .withClause: .withClause
    case .into, .intoClause: .intoClause
    case .onConflictClause: .onConflictClause
    case .infer: .inferClause
    case .over: .windowDef
    case .funccall: .funcCall
    case .searchClause: .cteSearchClause
    case .cycleClause: .cteCycleClause
    case .collClause: .collateClause
    case .partspec: .partitionSpec
    case .partbound, .bound: .partitionBoundSpec
    case .pubtable: .publicationTable
    case .action: .grantStmt
    case .base: .createStmt
    case .setstmt: .variableSetStmt
    case .fromsql, .tosql, .func, .opername: .objectWithArgs
    case .grantor, .newowner, .newrole, .owner, .role, .user, .authrole: .roleSpec
    case .extname, .sval: .string
    case .ival: .integer
    case .fval: .float
    case .boolval: .boolean
    case .bsval: .bitString
    case .stmts, .stmt, .element, .unrecognized: .structure
    case .version, .stmtLen, .relname, .schemaname, .catalogname, .relpersistence, .aliasname, .ctes, .recursive,
      .ctename, .ctequery, .targetList, .returningList, .whereClause, .fromClause, .usingClause, .op, .all,
      .lockingClause, .lockedRels, .valuesLists, .selectStmt, .sourceRelation, .joinCondition, .mergeWhenClauses,
      .commandType,
      .values, .query, .options, .defname, .defnamespace, .arg, .args, .val, .fields, .funcname, .funcs, .funcformat,
      .lexpr, .rexpr, .kind, .operName, .useOp, .subselect, .subLinkType, .testexpr, .boolop, .booltesttype,
      .nulltesttype, .isnull, .number, .names, .isFrom, .isProgram, .filename, .isLocal, .isVacuumcmd, .rels,
      .relations, .objects, .object, .objname, .objtype, .removeType, .behavior, .targtype, .objargs, .items, .method,
      .functions, .subquery, .parameters, .indirection, .condition, .conditionname, .isall, .subtype, .def, .collname,
      .lateral,
      .subname, .schemaElts, .cmds, .isGrant, .expr, .result, .defresult, .target, .renameType, .location, .typmods,
      .arrayBounds, .limitCount, .limitOffset, .groupClause, .havingClause, .sortClause, .distinctClause,
      .windowClause, .partitionClause, .orderClause, .colnames, .isNatural, .quals, .aliascolnames, .newname,
      .newschema, .inhRelations, .objectType, .tableElts, .colname, .aggOrder,
      .aggFilter, .node, .indexElems, .source, .attlist, .cols, .content, .ordinality, .params,
      .portalname, .elements, .isSlice:
      .structure
    }
  }
}

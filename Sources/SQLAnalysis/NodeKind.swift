/// A kind of node of PostgreSQL's raw parse tree, as libpg_query spells it in JSON.
///
/// The table is closed: a kind that is not listed reads as `unrecognized`, and whatever holds it counts as touching
/// everything. Kinds that only the planner makes are left out on purpose.
enum NodeKind: String, CaseIterable {
  // What may stand alone and handles rows.
  case selectStmt = "SelectStmt", insertStmt = "InsertStmt", updateStmt = "UpdateStmt", deleteStmt = "DeleteStmt",
    mergeStmt = "MergeStmt"

  // What may stand alone and does not.
  case alterTableStmt = "AlterTableStmt", alterDomainStmt = "AlterDomainStmt", grantStmt = "GrantStmt",
    grantRoleStmt = "GrantRoleStmt", alterDefaultPrivilegesStmt = "AlterDefaultPrivilegesStmt",
    closePortalStmt = "ClosePortalStmt", clusterStmt = "ClusterStmt", copyStmt = "CopyStmt",
    createStmt = "CreateStmt", defineStmt = "DefineStmt", dropStmt = "DropStmt", truncateStmt = "TruncateStmt",
    commentStmt = "CommentStmt", fetchStmt = "FetchStmt", indexStmt = "IndexStmt",
    createFunctionStmt = "CreateFunctionStmt", alterFunctionStmt = "AlterFunctionStmt", doStmt = "DoStmt",
    renameStmt = "RenameStmt", ruleStmt = "RuleStmt", notifyStmt = "NotifyStmt", listenStmt = "ListenStmt",
    unlistenStmt = "UnlistenStmt", transactionStmt = "TransactionStmt", viewStmt = "ViewStmt", loadStmt = "LoadStmt",
    createDomainStmt = "CreateDomainStmt", createdbStmt = "CreatedbStmt", dropdbStmt = "DropdbStmt",
    vacuumStmt = "VacuumStmt", explainStmt = "ExplainStmt", createTableAsStmt = "CreateTableAsStmt",
    createSeqStmt = "CreateSeqStmt", alterSeqStmt = "AlterSeqStmt", variableSetStmt = "VariableSetStmt",
    variableShowStmt = "VariableShowStmt", discardStmt = "DiscardStmt", createTrigStmt = "CreateTrigStmt",
    createPLangStmt = "CreatePLangStmt", createRoleStmt = "CreateRoleStmt", alterRoleStmt = "AlterRoleStmt",
    dropRoleStmt = "DropRoleStmt", lockStmt = "LockStmt", constraintsSetStmt = "ConstraintsSetStmt",
    reindexStmt = "ReindexStmt", checkPointStmt = "CheckPointStmt", createSchemaStmt = "CreateSchemaStmt",
    alterDatabaseStmt = "AlterDatabaseStmt", alterDatabaseRefreshCollStmt = "AlterDatabaseRefreshCollStmt",
    alterDatabaseSetStmt = "AlterDatabaseSetStmt", alterRoleSetStmt = "AlterRoleSetStmt",
    createConversionStmt = "CreateConversionStmt", createCastStmt = "CreateCastStmt",
    createOpClassStmt = "CreateOpClassStmt", createOpFamilyStmt = "CreateOpFamilyStmt",
    alterOpFamilyStmt = "AlterOpFamilyStmt", prepareStmt = "PrepareStmt", executeStmt = "ExecuteStmt",
    deallocateStmt = "DeallocateStmt", declareCursorStmt = "DeclareCursorStmt",
    createTableSpaceStmt = "CreateTableSpaceStmt", dropTableSpaceStmt = "DropTableSpaceStmt",
    alterObjectDependsStmt = "AlterObjectDependsStmt", alterObjectSchemaStmt = "AlterObjectSchemaStmt",
    alterOwnerStmt = "AlterOwnerStmt", alterOperatorStmt = "AlterOperatorStmt", alterTypeStmt = "AlterTypeStmt",
    dropOwnedStmt = "DropOwnedStmt", reassignOwnedStmt = "ReassignOwnedStmt", compositeTypeStmt = "CompositeTypeStmt",
    createEnumStmt = "CreateEnumStmt", createRangeStmt = "CreateRangeStmt", alterEnumStmt = "AlterEnumStmt",
    alterTSDictionaryStmt = "AlterTSDictionaryStmt", alterTSConfigurationStmt = "AlterTSConfigurationStmt",
    createFdwStmt = "CreateFdwStmt", alterFdwStmt = "AlterFdwStmt",
    createForeignServerStmt = "CreateForeignServerStmt", alterForeignServerStmt = "AlterForeignServerStmt",
    createUserMappingStmt = "CreateUserMappingStmt", alterUserMappingStmt = "AlterUserMappingStmt",
    dropUserMappingStmt = "DropUserMappingStmt", alterTableSpaceOptionsStmt = "AlterTableSpaceOptionsStmt",
    alterTableMoveAllStmt = "AlterTableMoveAllStmt", secLabelStmt = "SecLabelStmt",
    createForeignTableStmt = "CreateForeignTableStmt", importForeignSchemaStmt = "ImportForeignSchemaStmt",
    createExtensionStmt = "CreateExtensionStmt", alterExtensionStmt = "AlterExtensionStmt",
    alterExtensionContentsStmt = "AlterExtensionContentsStmt", createEventTrigStmt = "CreateEventTrigStmt",
    alterEventTrigStmt = "AlterEventTrigStmt", refreshMatViewStmt = "RefreshMatViewStmt",
    alterSystemStmt = "AlterSystemStmt", createPolicyStmt = "CreatePolicyStmt", alterPolicyStmt = "AlterPolicyStmt",
    createTransformStmt = "CreateTransformStmt", createAmStmt = "CreateAmStmt",
    createPublicationStmt = "CreatePublicationStmt", alterPublicationStmt = "AlterPublicationStmt",
    createSubscriptionStmt = "CreateSubscriptionStmt", alterSubscriptionStmt = "AlterSubscriptionStmt",
    dropSubscriptionStmt = "DropSubscriptionStmt", createStatsStmt = "CreateStatsStmt",
    alterCollationStmt = "AlterCollationStmt", callStmt = "CallStmt", alterStatsStmt = "AlterStatsStmt"

  // Parts.
  case alias = "Alias", rangeVar = "RangeVar", groupingFunc = "GroupingFunc", namedArgExpr = "NamedArgExpr",
    boolExpr = "BoolExpr", subLink = "SubLink", caseExpr = "CaseExpr", caseWhen = "CaseWhen", rowExpr = "RowExpr",
    coalesceExpr = "CoalesceExpr", minMaxExpr = "MinMaxExpr", sqlValueFunction = "SQLValueFunction",
    xmlExpr = "XmlExpr", nullTest = "NullTest", booleanTest = "BooleanTest", setToDefault = "SetToDefault",
    currentOfExpr = "CurrentOfExpr", joinExpr = "JoinExpr", intoClause = "IntoClause", returnStmt = "ReturnStmt",
    alterTableCmd = "AlterTableCmd", replicaIdentityStmt = "ReplicaIdentityStmt", aExpr = "A_Expr",
    columnRef = "ColumnRef", paramRef = "ParamRef", funcCall = "FuncCall", aStar = "A_Star", aIndices = "A_Indices",
    aIndirection = "A_Indirection", aArrayExpr = "A_ArrayExpr", resTarget = "ResTarget",
    multiAssignRef = "MultiAssignRef", typeCast = "TypeCast", collateClause = "CollateClause", sortBy = "SortBy",
    windowDef = "WindowDef", rangeSubselect = "RangeSubselect", rangeFunction = "RangeFunction",
    rangeTableSample = "RangeTableSample", rangeTableFunc = "RangeTableFunc", rangeTableFuncCol = "RangeTableFuncCol",
    typeName = "TypeName", columnDef = "ColumnDef", indexElem = "IndexElem", statsElem = "StatsElem",
    constraint = "Constraint", defElem = "DefElem", groupingSet = "GroupingSet", objectWithArgs = "ObjectWithArgs",
    accessPriv = "AccessPriv", createOpClassItem = "CreateOpClassItem", tableLikeClause = "TableLikeClause",
    functionParameter = "FunctionParameter", lockingClause = "LockingClause", xmlSerialize = "XmlSerialize",
    withClause = "WithClause", inferClause = "InferClause", onConflictClause = "OnConflictClause",
    cteSearchClause = "CTESearchClause", cteCycleClause = "CTECycleClause", commonTableExpr = "CommonTableExpr",
    mergeWhenClause = "MergeWhenClause", roleSpec = "RoleSpec", triggerTransition = "TriggerTransition",
    partitionElem = "PartitionElem", partitionSpec = "PartitionSpec", partitionBoundSpec = "PartitionBoundSpec",
    partitionRangeDatum = "PartitionRangeDatum", partitionCmd = "PartitionCmd", vacuumRelation = "VacuumRelation",
    publicationObjSpec = "PublicationObjSpec", publicationTable = "PublicationTable", integer = "Integer",
    float = "Float", boolean = "Boolean", string = "String", bitString = "BitString", list = "List",
    aConst = "A_Const", rawStmt = "RawStmt"

  // Of our own: what is not a node.
  case array = "[]", text = "\"\"", number = "0", yes = "true", no = "false", null = "null"
  /// An object that holds a structure whose type its field gives; resolved by `Field.structure`.
  case structure = "{}"
  case unrecognized = "?"
}

extension NodeKind {
  static let byName = NameTable<NodeKind>()
}

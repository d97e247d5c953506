import AccessModel

extension NodeKind {
  /// How this kind is looked at: the closed table of all that is understood.
  var handling: Handling {
    switch self {
    case .selectStmt: .select
    case .insertStmt: .insert
    case .updateStmt: .update
    case .deleteStmt: .delete
    case .mergeStmt: .merge
    case .rangeVar: .relation
    case .funcCall: .function
    case .aExpr, .subLink, .sortBy: .operation
    case .columnRef: .column
    case .aIndirection: .indirection
    case .rangeTableSample: .sample
    case .rangeSubselect: .subselect

    case .groupingFunc, .namedArgExpr, .boolExpr, .caseExpr, .caseWhen, .rowExpr, .coalesceExpr, .minMaxExpr, .xmlExpr,
      .nullTest, .booleanTest, .joinExpr, .returnStmt, .alterTableCmd, .aIndices, .aArrayExpr, .resTarget,
      .multiAssignRef, .typeCast, .collateClause, .windowDef, .rangeFunction, .rangeTableFunc, .rangeTableFuncCol,
      .columnDef, .indexElem, .statsElem, .constraint, .defElem, .groupingSet, .tableLikeClause, .functionParameter,
      .xmlSerialize, .inferClause, .onConflictClause, .cteCycleClause, .mergeWhenClause, .partitionElem,
      .partitionSpec, .partitionBoundSpec, .partitionRangeDatum, .partitionCmd, .vacuumRelation, .publicationObjSpec,
      .publicationTable, .list, .array, .replicaIdentityStmt:
      .parts
    case .alias, .sqlValueFunction, .setToDefault, .currentOfExpr, .paramRef, .aStar, .typeName, .objectWithArgs,
      .accessPriv, .cteSearchClause, .roleSpec, .triggerTransition, .integer, .float, .boolean, .string, .bitString,
      .aConst, .text, .number, .yes, .no, .null:
      .leaf
    case .intoClause, .lockingClause, .withClause, .commonTableExpr, .createOpClassItem, .rawStmt, .structure,
      .unrecognized:
      .unknown

    // Statements with a method of their own.
    case .copyStmt: .copy
    case .explainStmt: .explain
    case .prepareStmt: .wrapper(.prepare)
    case .declareCursorStmt: .declare
    case .createTableAsStmt: .createAs
    case .viewStmt: .view
    case .transactionStmt: .transaction
    case .variableSetStmt: .set
    case .discardStmt: .discard
    case .vacuumStmt: .vacuum
    case .dropStmt: .drop
    case .commentStmt: .comment
    case .grantStmt: .grant
    case .truncateStmt: .truncate
    case .callStmt: .call
    case .renameStmt: .rename

    // Commands of a session.
    case .executeStmt: StatementRule.unknown(.execute)
    case .doStmt: StatementRule.unknown(.do)
    case .loadStmt: StatementRule.unknown(.other)
    case .closePortalStmt: StatementRule.only(.close, .read)
    case .fetchStmt: StatementRule.only(.fetch, .read)
    case .notifyStmt: StatementRule.only(.notify, .write)
    case .listenStmt, .unlistenStmt: StatementRule.only(.listen, [])
    case .variableShowStmt: StatementRule.only(.show, [])
    case .constraintsSetStmt: StatementRule.only(.set, [])
    case .deallocateStmt: StatementRule.only(.deallocate, [])
    case .lockStmt: StatementRule.only(.lock, .write)
    case .refreshMatViewStmt:
      .plain(StatementRule(kind: .other, effects: [.write, .define], access: [.write, .define]))

    // The schema. What holds code for later, which nobody has read, touches everything.
    case .createStmt, .indexStmt, .createDomainStmt, .createSeqStmt, .createSchemaStmt, .compositeTypeStmt,
      .createEnumStmt, .createPolicyStmt, .createStatsStmt, .ruleStmt:
      StatementRule.define(.create)
    case .alterTableStmt, .alterDomainStmt, .alterSeqStmt, .alterObjectSchemaStmt, .alterTypeStmt, .alterEnumStmt,
      .alterPolicyStmt, .alterStatsStmt, .alterCollationStmt, .alterObjectDependsStmt:
      StatementRule.define(.alter)
    // A foreign table may show any other, also one of the same database.
    case .createFunctionStmt, .createTrigStmt, .createForeignTableStmt, .defineStmt, .createConversionStmt,
      .createCastStmt,
      .createOpClassStmt, .createOpFamilyStmt, .createRangeStmt:
      StatementRule.define(.create, everything: true)
    case .alterFunctionStmt, .alterOpFamilyStmt, .alterOperatorStmt, .alterTSDictionaryStmt,
      .alterTSConfigurationStmt:
      StatementRule.define(.alter, everything: true)
    case .clusterStmt, .reindexStmt: StatementRule.define(.other)

    // The backend itself.
    case .createRoleStmt, .createdbStmt, .createTableSpaceStmt, .createFdwStmt, .createForeignServerStmt,
      .createUserMappingStmt:
      StatementRule.administer(.create)
    case .alterRoleStmt, .alterRoleSetStmt, .alterDatabaseStmt, .alterDatabaseRefreshCollStmt, .alterDatabaseSetStmt,
      .alterFdwStmt, .alterForeignServerStmt, .alterUserMappingStmt, .alterTableSpaceOptionsStmt, .alterSystemStmt:
      StatementRule.administer(.alter)
    case .dropRoleStmt, .dropdbStmt, .dropTableSpaceStmt, .dropUserMappingStmt: StatementRule.administer(.drop)
    case .grantRoleStmt: StatementRule.administer(.grant)
    case .alterDefaultPrivilegesStmt: StatementRule.administer(.grant, everything: true)
    case .checkPointStmt, .secLabelStmt: StatementRule.administer(.other)
    case .createPLangStmt, .createExtensionStmt, .createEventTrigStmt, .createAmStmt, .createTransformStmt,
      .createPublicationStmt:
      StatementRule.administer(.create, .define, everything: true)
    case .alterExtensionStmt, .alterExtensionContentsStmt, .alterEventTrigStmt, .alterPublicationStmt,
      .alterTableMoveAllStmt, .reassignOwnedStmt:
      StatementRule.administer(.alter, .define, everything: true)
    case .alterOwnerStmt: StatementRule.administer(.alter, .define)
    case .dropOwnedStmt: StatementRule.administer(.drop, .define, everything: true)
    case .createSubscriptionStmt: StatementRule.administer(.create, [.egress, .write], everything: true)
    case .alterSubscriptionStmt: StatementRule.administer(.alter, [.egress, .write], everything: true)
    case .dropSubscriptionStmt: StatementRule.administer(.drop, [.egress, .write], everything: true)
    case .importForeignSchemaStmt: StatementRule.administer(.create, [.egress, .define], everything: true)
    }
  }
}

#!/usr/bin/env python3
"""Writes Sources/SQLAnalysis/BuiltinFunctionNames.swift from the pg_proc of a fresh PostgreSQL 15.

usage: PGHOST=... PGPORT=... PGUSER=... scripts/generate-builtin-functions.py > Sources/SQLAnalysis/BuiltinFunctionNames.swift

Harmless by rule: immutable and stable functions, and the volatile ones of HARMLESS_VOLATILE. A volatile function that no
list here names is left out, so that the analyser takes it for unknown. A name with several overloads is judged by its
worst one. Functions that SQL cannot call (trigger, internal and cstring arguments) are left out too.
"""
import re
import subprocess
import sys
import textwrap

HARMLESS_VOLATILE = """
clock_timestamp timeofday random setseed gen_random_uuid currval lastval pg_sequence_last_value current_query currtid2
pg_sleep pg_sleep_for pg_sleep_until pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all
pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock
pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_blocking_pids
pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked pg_lock_status pg_prepared_xact pg_is_in_recovery
pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_last_wal_receive_lsn pg_last_wal_replay_lsn
pg_last_xact_replay_timestamp pg_last_committed_xact pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
pg_xact_status txid_status txid_current txid_current_if_assigned txid_current_snapshot pg_current_xact_id
pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_export_snapshot pg_jit_available
pg_notification_queue_usage pg_partition_tree pg_partition_ancestors pg_database_size pg_tablespace_size
pg_relation_size pg_table_size pg_total_relation_size pg_indexes_size pg_collation_actual_version
pg_database_collation_actual_version pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
pg_stat_clear_snapshot pg_stat_force_next_flush pg_stat_have_stats pg_stat_get_recovery_prefetch
pg_show_replication_origin_status pg_get_multixact_members pg_get_backend_memory_contexts pg_get_shmem_allocations
pg_get_wal_resource_managers bernoulli system amvalidate set_config lo_get lo_open lo_close lo_lseek lo_lseek64 lo_tell
lo_tell64 loread
""".split()
HARMLESS_VOLATILE_PATTERN = r"pg_stat_get_xact_.*"

WRITES = """
nextval setval pg_notify lo_creat lo_create lo_from_bytea lo_put lo_truncate lo_truncate64 lo_unlink lowrite
""".split()

ADMINISTERS = r"""pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile(_old)?|pg_promote
|pg_backup_.*|pg_switch_wal|pg_create_restore_point|pg_create_(logical|physical)_replication_slot
|pg_copy_(logical|physical)_replication_slot|pg_drop_replication_slot|pg_replication_slot_advance
|pg_replication_origin_.*|pg_wal_replay_(pause|resume)|pg_stat_reset.*|pg_log_backend_memory_contexts
|pg_import_system_collations|brin_(de)?summarize_.*|gin_clean_pending_list""".replace("\n", "")

# They run SQL handed to them as text, or read and write files, or decode other people's changes.
DANGEROUS = r"""query_to_xml.*|table_to_xml.*|schema_to_xml.*|database_to_xml.*|cursor_to_xml.*|ts_stat|ts_rewrite
|pg_read_.*file.*|pg_ls_.*|pg_stat_file|pg_current_logfile|pg_show_all_file_settings|pg_hba_file_rules
|pg_ident_file_mappings|lo_import|lo_export|pg_logical_.*|binary_upgrade_.*|pg_nextoid
|pg_stop_making_pinned_objects|pg_extension_config_dump|plpgsql_.*|dblink.*|pg_event_trigger_.*""".replace("\n", "")

QUERY = """
select proname, bool_or(provolatile = 'v'), bool_or(proretset),
  bool_and(prorettype = 'record'::regtype
    or prorettype in (select oid from pg_type where typtype = 'c' or typname in ('_pg_statistic')))
from pg_proc p join pg_namespace n on n.oid = pronamespace
where nspname = 'pg_catalog'
  and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'cstring'::regtype)
  and not exists (select from unnest(proargtypes) a where a in ('internal'::regtype, 'cstring'::regtype))
group by 1
union all
-- A type's name called like a function is a cast: date('today').
select typname, false, false, false from pg_type t join pg_namespace n on n.oid = typnamespace
where nspname = 'pg_catalog' and typtype in ('b', 'r', 'm') and typname !~ '^_'
  and not exists (select from pg_proc where proname = typname)
"""


def wrapped(names):
  return textwrap.fill(" ".join(sorted(names)), width=116, break_long_words=False, break_on_hyphens=False,
                       initial_indent="    ", subsequent_indent="    ")


def main():
  out = subprocess.run(["psql", "-X", "-At", "-F", " ", "-c", QUERY], check=True, capture_output=True, text=True).stdout
  harmless, writes, administers, dangerous, composite, rows = set(), set(), set(), set(), set(), set()
  for line in out.splitlines():
    name, volatile, many, record = line.split(" ")
    if re.fullmatch(DANGEROUS, name):
      dangerous.add(name)
    elif re.fullmatch(ADMINISTERS, name):
      administers.add(name)
    elif name in WRITES:
      writes.add(name)
    elif volatile == "f" or name in HARMLESS_VOLATILE or re.fullmatch(HARMLESS_VOLATILE_PATTERN, name):
      harmless.add(name)
      if record == "t":
        composite.add(name)
      if many == "t":
        rows.add(name)
    else:
      print(f"left out, hence unknown: {name}", file=sys.stderr)
  print("// Generated by scripts/generate-builtin-functions.py from PostgreSQL 15. Do not edit.\n")
  print("enum BuiltinFunctionNames {")
  for title, names in [("writes", writes), ("administers", administers), ("dangerous", dangerous),
                       ("composite", composite), ("rows", rows), ("harmless", harmless)]:
    print(f'  static let {title} = """\n{wrapped(names)}\n    """')
  print("}")


main()

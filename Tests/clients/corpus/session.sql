-- What belongs to a session: settings, prepared statements, temporary things, notifications, advisory locks.

-- @ schema [reset]
SET client_min_messages = warning; DROP SCHEMA IF EXISTS corpus_session CASCADE; CREATE SCHEMA corpus_session; CREATE TABLE corpus_session.t (id int); INSERT INTO corpus_session.t VALUES (1), (2)
-- @ path
SET search_path TO corpus_session, public
-- @ path shown
SHOW search_path
-- @ set with equals
SET work_mem = '5MB'
-- @ shown
SHOW work_mem
-- @ set to default
SET work_mem TO DEFAULT
-- @ set a list
SET DateStyle TO 'SQL', DMY
-- @ reported
SHOW DateStyle
-- @ reset it
RESET DateStyle
-- @ unknown setting
SET no_such_setting = 1
-- @ own setting
SET corpus.own = 'it''s mine'
-- @ own setting shown
SHOW corpus.own
-- @ own setting read
SELECT current_setting('corpus.own'), current_setting('corpus.other', true)
-- @ own setting unknown
SHOW corpus.other
-- @ bad value
SET work_mem = 'much'
-- @ out of range
SET work_mem = '1kB'
-- @ cannot be changed now
SET max_connections = 5
-- @ for the superuser
SET log_statement = 'all'
-- @ set names
SET NAMES 'UTF8'
-- @ time zone of its own syntax
SET TIME ZONE 'Asia/Tokyo'
-- @ time zone local
SET TIME ZONE LOCAL
-- @ interval style reported
SET IntervalStyle = 'postgres_verbose'
-- @ interval style back
RESET IntervalStyle
-- @ set_config is reported, too
SELECT set_config('TimeZone', 'Europe/Paris', false)
-- @ and locally not after the end [simple]
BEGIN; SELECT set_config('TimeZone', 'Asia/Kolkata', true); SHOW TimeZone; COMMIT; SHOW TimeZone
-- @ role none
SET ROLE NONE
-- @ reset role
RESET ROLE
-- @ session authorization default
SET SESSION AUTHORIZATION DEFAULT
-- @ set local in a transaction [simple]
BEGIN; SET LOCAL TimeZone = 'UTC'; SHOW TimeZone; ROLLBACK
-- @ set xml option
SET XML OPTION DOCUMENT
-- @ set seed
SET SEED TO 0.3
-- @ show some
SELECT name, setting, unit FROM pg_settings WHERE name IN ('work_mem', 'enable_seqscan', 'search_path') ORDER BY name
-- @ reset all
RESET ALL
-- @ path after that
SHOW search_path
-- @ path again
SET search_path = corpus_session
-- @ prepare
PREPARE p AS SELECT id FROM t ORDER BY id
-- @ execute
EXECUTE p
-- @ prepare with types
PREPARE q (int, text) AS SELECT $1 + 1, $2
-- @ execute with values
EXECUTE q (1, 'a')
-- @ execute with expressions
EXECUTE q (2 * 3, upper('b'))
-- @ execute with too few
EXECUTE q (1)
-- @ prepare twice
PREPARE p AS SELECT 2
-- @ prepare a write
PREPARE w AS INSERT INTO t VALUES ($1) RETURNING id
-- @ execute the write
EXECUTE w (3)
-- @ explain execute
EXPLAIN (COSTS OFF) EXECUTE p
-- @ create table as execute [simple]
CREATE TEMP TABLE made AS EXECUTE q (5, 'five'); TABLE made
-- @ a plan that is invalid now [simple]
ALTER TABLE t ADD COLUMN extra int; PREPARE s AS SELECT * FROM t; ALTER TABLE t DROP COLUMN extra; EXECUTE s
-- @ what is prepared
SELECT name, statement, parameter_types::text, from_sql FROM pg_prepared_statements WHERE from_sql ORDER BY name
-- @ deallocate
DEALLOCATE PREPARE q
-- @ deallocated
EXECUTE q (1, 'a')
-- @ deallocate all
DEALLOCATE ALL
-- @ temporary table
CREATE TEMP TABLE scratch (a int, b text DEFAULT 'x')
-- @ temporary rows
INSERT INTO scratch (a) VALUES (1), (2) RETURNING *
-- @ temporary before others
CREATE TEMP TABLE t (other text)
-- @ the temporary one is meant
SELECT * FROM t
-- @ the other by its schema
SELECT count(*) FROM corpus_session.t
-- @ altered
ALTER TABLE scratch ADD COLUMN c int DEFAULT 7
-- @ its rows
SELECT * FROM scratch ORDER BY a
-- @ on commit drop [simple]
BEGIN; CREATE TEMP TABLE brief (a int) ON COMMIT DROP; INSERT INTO brief VALUES (1); SELECT * FROM brief; COMMIT; SELECT * FROM brief
-- @ on commit delete [simple]
CREATE TEMP TABLE emptied (a int) ON COMMIT DELETE ROWS; BEGIN; INSERT INTO emptied VALUES (1); SELECT count(*) FROM emptied; COMMIT; SELECT count(*) FROM emptied
-- @ temporary sequence, index and function [simple]
CREATE TEMP SEQUENCE ts; SELECT nextval('ts'); CREATE INDEX ON scratch (a); CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 5'; SELECT pg_temp.f()
-- @ discard temp
DISCARD TEMP
-- @ temporary ones are gone
SELECT * FROM scratch
-- @ listen
LISTEN corpus
-- @ notify
NOTIFY corpus
-- @ notify with payload
NOTIFY corpus, 'payload with ünï 🦊'
-- @ by the function
SELECT pg_notify('corpus', repeat('p', 7999))
-- @ too long a payload
SELECT pg_notify('corpus', repeat('p', 8000))
-- @ twice the same in a transaction [simple]
BEGIN; NOTIFY corpus, 'same'; NOTIFY corpus, 'same'; NOTIFY corpus, 'other'; COMMIT
-- @ rolled back [simple]
BEGIN; NOTIFY corpus, 'never'; ROLLBACK
-- @ quoted channel [simple]
LISTEN "Odd Channel"; NOTIFY "Odd Channel", 'x'
-- @ channels
SELECT * FROM pg_listening_channels() ORDER BY 1
-- @ unlisten
UNLISTEN corpus
-- @ unheard
NOTIFY corpus, 'unheard'
-- @ unlisten all
UNLISTEN *
-- @ advisory locks
SELECT pg_advisory_lock(424242), pg_try_advisory_lock(424242), pg_advisory_lock_shared(1, 2)
-- @ advisory locks held
SELECT classid, objid, mode, granted FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1, 2, 3
-- @ advisory unlock
SELECT pg_advisory_unlock(424242), pg_advisory_unlock(424242), pg_advisory_unlock_shared(1, 2)
-- @ unlock of nothing
SELECT pg_advisory_unlock(99)
-- @ unlock all
SELECT pg_advisory_unlock_all()
-- @ discard plans
DISCARD PLANS
-- @ discard sequences
DISCARD SEQUENCES
-- @ before discard all [simple]
SET work_mem = '7MB'; PREPARE gone AS SELECT 1; LISTEN gone; CREATE TEMP TABLE gone (a int)
-- @ discard all
DISCARD ALL
-- @ all is discarded [simple]
SHOW work_mem; SELECT count(*) FROM pg_prepared_statements; SELECT count(*) FROM pg_listening_channels(); SELECT to_regclass('gone')
-- @ discard all in a transaction [simple]
BEGIN; DISCARD ALL
-- @ over
ROLLBACK
-- @ checkpoint is not for everybody
CHECKPOINT
-- @ load a library
LOAD 'plpgsql'
-- @ waiting for a short while
SELECT pg_sleep(0.01), pg_sleep_for('1 ms') IS NULL
-- @ cancel and terminate of nobody
SELECT pg_cancel_backend(0), pg_terminate_backend(0)

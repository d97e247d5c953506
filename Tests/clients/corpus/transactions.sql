-- Transactions statement by statement: every state, savepoints, isolation, what is allowed in which.

-- @ table [setup]
DROP SCHEMA IF EXISTS corpus_tx CASCADE; CREATE SCHEMA corpus_tx; CREATE TABLE corpus_tx.t (id integer PRIMARY KEY, v text);
CREATE TABLE corpus_tx.later (id integer REFERENCES corpus_tx.t DEFERRABLE INITIALLY DEFERRED)
-- @ rows [reset]
TRUNCATE corpus_tx.t, corpus_tx.later; INSERT INTO corpus_tx.t VALUES (1, 'one')
-- @ path
SET search_path = corpus_tx
-- @ begin
BEGIN
-- @ write
INSERT INTO t VALUES (2, 'two')
-- @ commit
COMMIT
-- @ start transaction
START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE, NOT DEFERRABLE
-- @ level
SHOW transaction_isolation
-- @ rollback
ROLLBACK
-- @ begin read only
BEGIN READ ONLY
-- @ write in read only
INSERT INTO t VALUES (3, 'three')
-- @ in the aborted one
SELECT 1
-- @ syntax error in the aborted one
SELEC 1
-- @ commit of the aborted one
COMMIT
-- @ begin again
BEGIN WORK
-- @ begin in a transaction
BEGIN
-- @ first savepoint
SAVEPOINT a
-- @ insert under it
INSERT INTO t VALUES (4, 'four')
-- @ second savepoint
SAVEPOINT b
-- @ fails
INSERT INTO t VALUES (4, 'twice')
-- @ cannot go on
SELECT count(*) FROM t
-- @ cannot set a savepoint
SAVEPOINT c
-- @ cannot prepare
PREPARE nope AS SELECT 1
-- @ back to b
ROLLBACK TO SAVEPOINT b
-- @ goes on
SELECT count(*) FROM t
-- @ release b
RELEASE b
-- @ b is gone
ROLLBACK TO b
-- @ back to a
ROLLBACK TO a
-- @ a is still there
RELEASE SAVEPOINT a
-- @ same name twice
SAVEPOINT s
-- @ inner
SAVEPOINT s
-- @ inner released
RELEASE s
-- @ outer released
RELEASE s
-- @ none left
RELEASE s
-- @ end as rollback
END
-- @ commit and chain [simple]
BEGIN ISOLATION LEVEL REPEATABLE READ; COMMIT AND CHAIN
-- @ chained
SHOW transaction_isolation
-- @ rollback and chain
ROLLBACK AND CHAIN
-- @ abort
ABORT
-- @ commit without
COMMIT
-- @ rollback without
ROLLBACK
-- @ savepoint without
SAVEPOINT x
-- @ set transaction without
SET TRANSACTION READ ONLY
-- @ set transaction [simple]
BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SHOW transaction_isolation; SELECT 1; SET TRANSACTION ISOLATION LEVEL READ COMMITTED
-- @ after that
ROLLBACK
-- @ session characteristics
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
-- @ read only by default
CREATE TABLE no (a int)
-- @ session characteristics back
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
-- @ local settings [simple]
BEGIN; SET LOCAL work_mem = '9MB'; SHOW work_mem; ROLLBACK; SHOW work_mem
-- @ settings roll back [simple]
BEGIN; SET work_mem = '8MB'; ROLLBACK; SHOW work_mem
-- @ deferred begin
BEGIN
-- @ deferred insert
INSERT INTO later VALUES (99)
-- @ deferred commit fails
COMMIT
-- @ immediate fails at once [simple]
BEGIN; SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO later VALUES (99); COMMIT
-- @ state after
ROLLBACK
-- @ implicit transaction of a string [simple]
INSERT INTO t VALUES (10, 'a'); INSERT INTO t VALUES (10, 'b'); INSERT INTO t VALUES (11, 'c')
-- @ nothing of it
SELECT count(*) FROM t WHERE id >= 10
-- @ begin inside a string [simple]
INSERT INTO t VALUES (12, 'in'); BEGIN; INSERT INTO t VALUES (13, 'in too')
-- @ still open
SELECT count(*) FROM t WHERE id IN (12, 13)
-- @ all rolled back
ROLLBACK
-- @ commit inside a string [simple]
INSERT INTO t VALUES (14, 'kept'); COMMIT; INSERT INTO t VALUES (15, 'lost'); SELECT 1 / 0
-- @ what was kept
SELECT id FROM t WHERE id IN (14, 15)
-- @ rollback inside a string [simple]
BEGIN; INSERT INTO t VALUES (16, 'x'); ROLLBACK; INSERT INTO t VALUES (17, 'y'); SELECT count(*) FROM t
-- @ savepoint in an implicit transaction [simple]
SELECT 1; SAVEPOINT nope
-- @ vacuum in a transaction [simple]
BEGIN; VACUUM t
-- @ out of it
ROLLBACK
-- @ vacuum in a string [simple]
SELECT 1; VACUUM t
-- @ create database in a function's place
DO $$ BEGIN COMMIT; END $$
-- @ transaction control in DO
DO $$ BEGIN INSERT INTO t VALUES (20, 'do'); COMMIT; INSERT INTO t VALUES (21, 'undone'); ROLLBACK; END $$
-- @ what DO left
SELECT id FROM t WHERE id IN (20, 21)
-- @ the same in a transaction [simple]
BEGIN; DO $$ BEGIN COMMIT; END $$
-- @ over
ROLLBACK
-- @ snapshot
SELECT txid_current_if_assigned() IS NULL, pg_current_xact_id_if_assigned() IS NULL
-- @ exported snapshot is refused
SET TRANSACTION SNAPSHOT '00000000-00000000-1'
-- @ prepared transactions are off [simple]
BEGIN; PREPARE TRANSACTION 'p'
-- @ no such prepared transaction
COMMIT PREPARED 'nothing'
-- @ advisory lock in a transaction [simple]
BEGIN; SELECT pg_advisory_xact_lock(5), pg_try_advisory_xact_lock(5); COMMIT
-- @ lock modes [simple]
BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; LOCK t IN EXCLUSIVE MODE NOWAIT; SELECT mode FROM pg_locks WHERE relation = 't'::regclass ORDER BY mode; COMMIT

-- Notices of all levels, and what is said when.

-- @ schema [reset]
SET client_min_messages = error; DROP SCHEMA IF EXISTS corpus_notice CASCADE; CREATE SCHEMA corpus_notice
-- @ path
SET search_path = corpus_notice
-- @ all levels
DO $$ BEGIN RAISE DEBUG 'debug'; RAISE LOG 'log'; RAISE INFO 'info'; RAISE NOTICE 'notice'; RAISE WARNING 'warning'; END $$
-- @ with fields
DO $$ BEGIN RAISE NOTICE 'm' USING DETAIL = 'd', HINT = 'h', ERRCODE = '01SPX', TABLE = 't', COLUMN = 'c'; END $$
-- @ debug shown
SET client_min_messages = debug1
-- @ debug levels
DO $$ BEGIN RAISE DEBUG 'debug'; RAISE LOG 'log'; END $$
-- @ implicit index is told
CREATE TABLE told (id int PRIMARY KEY)
-- @ only errors shown
SET client_min_messages = error
-- @ silent
DO $$ BEGIN RAISE WARNING 'unheard'; RAISE INFO 'heard all the same'; END $$
-- @ as usual
RESET client_min_messages
-- @ notices between rows
SELECT n, pg_notify('nobody', n::text)::text, corpus_notice_raise FROM generate_series(1, 2) n, LATERAL (SELECT 1 AS corpus_notice_raise) x
-- @ a function that tells
CREATE FUNCTION tell(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'row %', n; RETURN n; END $$
-- @ a notice for each row
SELECT tell(n) FROM generate_series(1, 5) n
-- @ and an error behind
SELECT tell(n), 6 / (3 - n) FROM generate_series(1, 5) n
-- @ exists, skipping
CREATE TABLE IF NOT EXISTS told (a int)
-- @ not there, skipping
DROP VIEW IF EXISTS untold
-- @ identifier cut
SELECT 1 AS @{"x" * 70}@
-- @ deprecated and doubtful
SELECT 'a\'
-- @ a hundred notices
DO $$ BEGIN FOR i IN 1..100 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$
-- @ a notice of 100 kB
DO $$ BEGIN RAISE NOTICE '%', repeat('ü', 50000); END $$
-- @ warning of no transaction
ROLLBACK
-- @ vacuum verbose is silent here
SET client_min_messages = warning; SELECT 1
-- @ drop cascades to four [simple]
RESET client_min_messages; CREATE VIEW v1 AS TABLE told; CREATE VIEW v2 AS TABLE v1; DROP TABLE told CASCADE

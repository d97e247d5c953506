-- Errors of all classes, alone and in transactions; every field of each.

-- @ tables [setup]
DROP SCHEMA IF EXISTS corpus_err CASCADE; CREATE SCHEMA corpus_err;
CREATE DOMAIN corpus_err.small AS int CHECK (VALUE < 10); CREATE TABLE corpus_err.p (id int PRIMARY KEY, s corpus_err.small, v varchar(3) NOT NULL, UNIQUE (v, s));
CREATE TABLE corpus_err.c (p int REFERENCES corpus_err.p, CONSTRAINT odd CHECK (p % 2 = 1)); INSERT INTO corpus_err.p VALUES (1, 1, 'a'); INSERT INTO corpus_err.c VALUES (1);
CREATE FUNCTION corpus_err.deep(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF n = 0 THEN RETURN 1 / n; END IF; RETURN corpus_err.deep(n - 1); END $$

-- @ 02000 no data is no error
FETCH 1 FROM nothing
-- @ 0A000 not supported
SELECT count(DISTINCT 1) OVER ()
-- @ 21000 more than one row
SELECT (SELECT n FROM generate_series(1, 2) n)
-- @ 22001 too long
INSERT INTO corpus_err.p VALUES (2, 2, 'abcd')
-- @ 22003 out of range
SELECT 32768::smallint
-- @ 22003 numeric overflow
SELECT 1e5::numeric(4, 1)
-- @ 22007 bad date
SELECT 'tomorrowish'::date
-- @ 22008 date out of range
SELECT '2026-02-30'::date
-- @ 22012 division by zero
SELECT 1 % 0
-- @ 22023 invalid parameter
SELECT set_bit('\x00'::bytea, 99, 1)
-- @ 2201B bad regular expression
SELECT 'a' ~ '('
-- @ 2201E logarithm
SELECT ln(0)
-- @ 2201W negative limit
SELECT 1 LIMIT -1
-- @ 22021 bad character
SELECT convert_from('\xff', 'UTF8')
-- @ 22025 bad escape
SELECT 'a' LIKE 'a\'
-- @ 22026 bit length
SELECT B'101'::bit(3) & B'1'
-- @ 22030 duplicate key in json
SELECT json_object_agg(k, 1) FROM (VALUES (NULL::text)) v(k)
-- @ 22032 bad json
SELECT '{"a": tru}'::json
-- @ 22P02 bad text of an array
SELECT '{1,2'::int[]
-- @ 22P02 bad uuid
SELECT 'zz'::uuid
-- @ 22P02 bad enum and range
SELECT '[5,1]'::int4range
-- @ 2200M bad xml
SELECT '<a>'::xml
-- @ 23502 not null
INSERT INTO corpus_err.p VALUES (3, 3, NULL)
-- @ 23503 foreign key, insert
INSERT INTO corpus_err.c VALUES (77)
-- @ 23503 foreign key, delete
DELETE FROM corpus_err.p
-- @ 23505 unique
INSERT INTO corpus_err.p VALUES (4, 1, 'a')
-- @ 23514 check
INSERT INTO corpus_err.c VALUES (2)
-- @ 23514 domain
INSERT INTO corpus_err.p VALUES (5, 50, 'b')
-- @ 25001 active transaction [simple]
BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; CREATE TABLESPACE x LOCATION '/tmp'
-- @ 25P02 in failed transaction
SELECT 'failed'
-- @ over
ROLLBACK
-- @ 26000 no prepared statement
EXECUTE nothing
-- @ 34000 no cursor
CLOSE nothing
-- @ 3D000 no database [simple]
DROP DATABASE no_such_database
-- @ 3F000 no schema
CREATE TABLE nowhere.t (a int)
-- @ 42501 not permitted
SELECT * FROM pg_authid
-- @ 42501 file
SELECT pg_read_file('/etc/passwd')
-- @ 42501 copy to a file
COPY (SELECT 1) TO '/tmp/corpus-nowhere'
-- @ 42501 program
COPY corpus_err.c FROM PROGRAM 'true'
-- @ 42501 reload
SELECT pg_reload_conf()
-- @ 42501 alter system
ALTER SYSTEM SET work_mem = '1MB'
-- @ 42501 set role
SET ROLE postgres
-- @ 42501 session authorization
SET SESSION AUTHORIZATION postgres
-- @ 42601 syntax
SELECT FROM WHERE
-- @ 42601 unterminated string
SELECT 'abc
-- @ 42601 unterminated dollar quote
SELECT $a$ no end
-- @ 42601 unterminated comment
SELECT 1 /* no end
-- @ 42601 unterminated identifier
SELECT "abc
-- @ 42601 at the end of many lines
SELECT 1,
       2,

       3 FROM
-- @ 42601 unicode before the position
SELECT 'ünï 🦊', FRMO x
-- @ 42601 a keyword as a name
CREATE TABLE table (a int)
-- @ 42602 bad name
SELECT 'a.b.c.d'::regclass
-- @ 42622 name too long is a notice
CREATE TEMP TABLE @{"long_" * 14}@ (a int)
-- @ 42701 column twice
CREATE TEMP TABLE twice (a int, a int)
-- @ 42702 ambiguous
SELECT id FROM corpus_err.p a, corpus_err.p b
-- @ 42703 no column, with a hint
SELECT p.idd FROM corpus_err.p
-- @ 42704 no object
DROP INDEX corpus_err.nothing
-- @ 42710 duplicate object
CREATE DOMAIN corpus_err.small AS int
-- @ 42712 alias twice
SELECT 1 FROM corpus_err.p, corpus_err.p
-- @ 42723 function exists
CREATE FUNCTION corpus_err.deep(n int) RETURNS int LANGUAGE sql AS 'SELECT 1'
-- @ 42725 ambiguous function
SELECT '1' + '1'
-- @ 42803 grouping
SELECT id, count(*) FROM corpus_err.p
-- @ 42804 datatype mismatch
SELECT CASE WHEN true THEN 1 ELSE 'a'::text END
-- @ 42809 wrong object
DROP VIEW corpus_err.p
-- @ 42830 foreign key without a key
CREATE TABLE corpus_err.f (a int REFERENCES corpus_err.p (v))
-- @ 42846 cannot cast
SELECT 1::date
-- @ 42883 no function, with a hint
SELECT nope(1, 'a')
-- @ 42883 no operator
SELECT 'a'::text + 1::bigint
-- @ 42P01 no table
SELECT * FROM corpus_err.nothing
-- @ 42P01 missing FROM entry
SELECT q.id FROM corpus_err.p
-- @ 42P02 no parameter [simple]
SELECT $1
-- @ 42P07 table exists
CREATE TABLE corpus_err.p (a int)
-- @ 42P10 bad column reference
SELECT 1 ORDER BY 2
-- @ 42P13 bad function
CREATE FUNCTION corpus_err.bad() RETURNS int LANGUAGE sql AS 'SELECT ''a'''
-- @ 42P16 bad table
ALTER TABLE corpus_err.p ADD PRIMARY KEY (v)
-- @ 42P18 indeterminate type
SELECT pg_typeof(ARRAY[])
-- @ 42P19 recursion
WITH RECURSIVE r AS (SELECT 1 UNION SELECT count(*) FROM r) SELECT * FROM r
-- @ 42P20 window
SELECT 1 WHERE row_number() OVER () = 1
-- @ 55000 a view that takes no rows
INSERT INTO pg_catalog.pg_user DEFAULT VALUES
-- @ 54001 stack depth
SELECT corpus_err.deep(100000)
-- @ 54011 too many columns
CREATE TEMP TABLE much (@{", ".join(f"c{n} int" for n in range(1601))}@)
-- @ 54023 too many arguments
SELECT concat(@{", ".join("1" for n in range(101))}@)
-- @ 55000 not in the right state
SELECT currval('corpus_err.nothing')
-- @ 55P03 lock not available is not there
LOCK TABLE corpus_err.nothing NOWAIT
-- @ 57014 timeout [simple]
BEGIN; SET LOCAL statement_timeout = 30; SELECT count(*) FROM generate_series(1, 1000000000)
-- @ after the timeout
ROLLBACK
-- @ 58P01 library
LOAD 'no_such_library'
-- @ P0001 raised
DO $$ BEGIN RAISE EXCEPTION 'raised % and %', 1, 'two'; END $$
-- @ every field
DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'm', DETAIL = 'd', HINT = 'h', ERRCODE = 'SP042', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 't', TABLE = 'b', SCHEMA = 's'; END $$
-- @ multi-line message
DO $$ BEGIN RAISE EXCEPTION E'line one\nline two\n\n%', 'ünï 🦊'; END $$
-- @ a long message
DO $$ BEGIN RAISE EXCEPTION '%', repeat('long ', 20000); END $$
-- @ P0002 no data found
DO $$ DECLARE n int; BEGIN SELECT 1 INTO STRICT n WHERE false; END $$
-- @ P0003 too many rows
DO $$ DECLARE n int; BEGIN SELECT g INTO STRICT n FROM generate_series(1, 2) g; END $$
-- @ P0004 assertion
DO $$ BEGIN ASSERT 1 > 2, 'one is not two'; END $$
-- @ context of five calls
SELECT corpus_err.deep(4)
-- @ internal query
DO $$ BEGIN EXECUTE 'SELECT nonsense FROM nowhere'; END $$
-- @ caught
DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught % %', SQLSTATE, SQLERRM; END $$
-- @ diagnostics
DO $$ DECLARE d text; c text; BEGIN PERFORM corpus_err.deep(1); EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = MESSAGE_TEXT, c = PG_EXCEPTION_CONTEXT; RAISE NOTICE '% | %', d, c; END $$
-- @ rows, then an error
SELECT n, 100 / (50 - n) FROM generate_series(1, 60) n
-- @ many rows, then an error
SELECT n, repeat('z', 500), 100 / (4000 - n) FROM generate_series(1, 5000) n
-- @ error in the second statement [simple]
SELECT 1; SELECT * FROM nothing_at_all; SELECT 3
-- @ syntax error in the third spoils all [simple]
SELECT 1; SELECT 2; SELEC 3
-- @ nothing but garbage
Ünï → ∅ ;;; 🦊

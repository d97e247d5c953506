-- What a first day brings; compare.py's cases use its tables, too.

-- @ tables [setup]
DROP SCHEMA IF EXISTS compare CASCADE;
CREATE SCHEMA compare;
CREATE TYPE compare.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE compare.pair AS (a integer, b text);
CREATE DOMAIN compare.percent AS integer CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE compare.person (id integer PRIMARY KEY, name text NOT NULL, mood compare.mood, score numeric(6, 2) CHECK (score >= 0));
CREATE TABLE compare.visit (id serial PRIMARY KEY, person integer REFERENCES compare.person, at timestamptz, note varchar(10));
CREATE TABLE compare.bulk (id integer, label text, payload bytea);
CREATE VIEW compare.happy AS SELECT id, name FROM compare.person WHERE mood = 'happy';
CREATE FUNCTION compare.twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION compare.complain(what text) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'complaint: %', what USING ERRCODE = 'SP001', DETAIL = 'more of it', HINT = 'do less'; END $$;
CREATE PROCEDURE compare.note(INOUT n integer) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; RAISE NOTICE 'noted %', n; END $$

-- @ rows [reset]
TRUNCATE compare.person, compare.visit, compare.bulk RESTART IDENTITY;
INSERT INTO compare.person VALUES (1, 'Ana', 'happy', 10.50), (2, 'Björn', 'ok', NULL), (3, 'Zoë 🦊', NULL, 0);
INSERT INTO compare.visit (person, at, note) VALUES (1, '2026-01-02 03:04:05.678+00', 'first'), (3, NULL, NULL);
SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = 424242

-- @ integers
SELECT 1::smallint, -2147483648::integer, 9223372036854775807::bigint, 0::oid
-- @ numerics
SELECT 1.50::numeric, 'NaN'::numeric, 'Infinity'::numeric, -0.000000000000000000001::numeric, 123456789012345678901234567890::numeric
-- @ floats
SELECT 1.1::real, 1e308::double precision, 'NaN'::float8, '-Infinity'::float4, -0.0::float8
-- @ booleans and nulls
SELECT true, false, NULL::boolean, NULL, NULL::text, ''::text
-- @ texts
SELECT 'plain'::text, 'ab'::char(5), 'abc'::varchar(3), 'x'::"char", 'Ünïcödé 🦊 日本'::text, 'n'::name
-- @ bytea
SELECT '\x00ff10'::bytea, ''::bytea, decode(repeat('ab', 300), 'hex')
-- @ dates and times
SELECT '2026-02-28'::date, 'infinity'::date, '0044-03-15 BC'::date, '23:59:60'::time, '12:00+05:30'::timetz, '2026-01-01 00:00:00.000001'::timestamp
-- @ timestamptz and interval
SELECT '2026-03-29 01:30:00+01'::timestamptz, '1 year 2 mons 3 days 04:05:06.789'::interval, '-1 day'::interval
-- @ uuid and network
SELECT '00112233-4455-6677-8899-aabbccddeeff'::uuid, '10.0.0.1/8'::inet, '10.0.0.0/8'::cidr, '08:00:2b:01:02:03'::macaddr, 'fe80::1'::inet
-- @ json
SELECT '{"a": [1, null, "x"]}'::json, '{"b":1,"a":{"c":true}}'::jsonb, '{"a":{"b":7}}'::jsonb #>> '{a,b}', '$.a[*]'::jsonpath
-- @ arrays
SELECT ARRAY[1, NULL, 3], '{}'::text[], ARRAY['a,b', 'c"d', NULL, ''], ARRAY[[1, 2], [3, 4]], '[0:1]={5,6}'::int[]
-- @ ranges
SELECT int4range(1, 10), 'empty'::int4range, tstzrange('2026-01-01 00:00+00', NULL), '{[1,3),[5,8)}'::int4multirange
-- @ bits, money, geometry
SELECT B'1010'::bit(4), B'1'::varbit, 12.34::money, point(1, 2), box(point(0, 0), point(1, 1)), '((0,0),(1,1),(2,0))'::polygon
-- @ text search and xml
SELECT to_tsvector('simple', 'the quick fox'), 'quick & fox'::tsquery, '<a>b</a>'::xml
-- @ enum, domain, composite
SELECT 'happy'::compare.mood, 42::compare.percent, ROW(1, 'x')::compare.pair, ROW(1, NULL, 'y')
-- @ names of objects
SELECT 'pg_class'::regclass, 'int4'::regtype, 'now'::regproc, 'compare.person'::regclass
-- @ void
SELECT pg_sleep(0)
-- @ no columns
SELECT
-- @ no rows
SELECT id, name FROM compare.person WHERE false
-- @ one table
SELECT id, name, mood, score FROM compare.person ORDER BY id
-- @ whole row
SELECT p, p.* FROM compare.person AS p ORDER BY id
-- @ join, aliases, expressions
SELECT p.name AS who, v.at, count(*) OVER () AS n, upper(p.name), p.score * 2 FROM compare.person p LEFT JOIN compare.visit v ON v.person = p.id ORDER BY p.id
-- @ view
SELECT * FROM compare.happy
-- @ same column names
SELECT 1 AS x, 2 AS x, 3 AS "?column?", 4 AS "a ""quoted"" name"
-- @ long name
SELECT 1 AS a_name_that_is_longer_than_the_sixty_three_bytes_that_postgresql_keeps_of_it
-- @ many columns
SELECT a.*, b.*, c.*, d.* FROM compare.person a, compare.person b, compare.person c, compare.person d WHERE a.id = 1 AND b.id = 2 AND c.id = 3 AND d.id = 1
-- @ 5000 rows
SELECT n, n * n AS square, repeat('r', n % 50) FROM generate_series(1, 5000) AS n
-- @ 5 MiB value
SELECT repeat('0123456789abcdef', 327680)
-- @ grouping
SELECT mood, count(*), sum(score), array_agg(name ORDER BY id) FROM compare.person GROUP BY ROLLUP (mood) ORDER BY mood
-- @ recursive
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t
-- @ values
VALUES (1, 'one'), (2, 'two'), (3, NULL)
-- @ table
TABLE compare.visit
-- @ set operations
SELECT id FROM compare.person EXCEPT SELECT person FROM compare.visit ORDER BY 1
-- @ insert
INSERT INTO compare.visit (person, note) VALUES (2, 'again')
-- @ insert returning
INSERT INTO compare.visit (person, note) VALUES (2, 'a'), (NULL, 'b') RETURNING id, person, note, at IS NULL AS no_time
-- @ upsert
INSERT INTO compare.person VALUES (1, 'Ana', 'ok', 1) ON CONFLICT (id) DO UPDATE SET score = compare.person.score + 1 RETURNING *
-- @ update
UPDATE compare.person SET mood = 'sad' WHERE id IN (2, 3)
-- @ update returning nothing
UPDATE compare.person SET mood = 'sad' WHERE id = 99 RETURNING id
-- @ delete returning
DELETE FROM compare.visit WHERE note = 'b' RETURNING note, person
-- @ merge
MERGE INTO compare.person p USING (VALUES (3, 'Zoë'), (9, 'Neu')) AS s (id, name) ON p.id = s.id WHEN MATCHED THEN UPDATE SET score = 7 WHEN NOT MATCHED THEN DO NOTHING
-- @ writing CTE
WITH gone AS (DELETE FROM compare.visit WHERE person = 2 RETURNING *) SELECT count(*) FROM gone
-- @ function call
SELECT compare.twice(21), compare.twice(NULL)
-- @ procedure call
CALL compare.note(41)
-- @ do with notices
DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two' USING DETAIL = 'd', HINT = 'h'; RAISE INFO 'three'; END $$
-- @ temporary table [simple]
CREATE TEMP TABLE scratch (id integer, t text); INSERT INTO scratch VALUES (1, 'x'); SELECT * FROM scratch; DROP TABLE scratch
-- @ create table as [simple]
BEGIN; CREATE TABLE compare.copied AS SELECT id, name FROM compare.person; SELECT count(*) FROM compare.copied; ROLLBACK
-- @ drop what is not there
DROP TABLE IF EXISTS compare.nothing_here
-- @ comment on
COMMENT ON TABLE compare.bulk IS 'for COPY'
-- @ grant
GRANT SELECT ON compare.person TO CURRENT_USER
-- @ lock outside a transaction
LOCK TABLE compare.person
-- @ analyze
ANALYZE compare.person
-- @ vacuum
VACUUM compare.bulk
-- @ show
SHOW server_version
-- @ set
SET extra_float_digits = 1
-- @ set that is reported
SET TimeZone = 'Europe/Berlin'
-- @ after the set
SELECT '2026-07-01 12:00+00'::timestamptz, current_setting('TimeZone')
-- @ set back
RESET TimeZone
-- @ set_config
SELECT set_config('compare.word', 'here', false), current_setting('compare.word', true), current_setting('compare.nothing', true)
-- @ who and where
SELECT current_user, session_user, current_database(), current_schemas(false)
-- @ explain
EXPLAIN (COSTS OFF) SELECT * FROM compare.person WHERE id = 1
-- @ explain json
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT name FROM compare.person
-- @ empty query
-- @ only a semicolon
;
-- @ only a comment
/* nothing /* nested */ here */ -- and to the end
-- @ empties between statements [simple]
;;SELECT 1;;SELECT 2;
-- @ several results [simple]
SELECT 1 AS a; SELECT 'two' AS b, 2 AS c; UPDATE compare.person SET name = name WHERE id = 1; SHOW DateStyle
-- @ dollar quotes and escapes
SELECT $q$it's; -- not a comment$q$, E'tab\there \' \x41', U&'d\0061t\+000061', 'two' /* c; */ ' words'
-- @ unicode identifier
SELECT 1 AS "größe", 2 AS "Имя"
-- @ prepared by SQL [simple]
PREPARE by_sql (integer, text) AS SELECT $1 + 1, $2 || '!'; EXECUTE by_sql (41, 'hey'); DEALLOCATE by_sql
-- @ cursor by SQL [simple]
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT n FROM generate_series(1, 10) n; FETCH 3 FROM c; MOVE 2 IN c; FETCH BACKWARD 1 FROM c; FETCH ALL FROM c; CLOSE c; COMMIT
-- @ binary cursor by SQL [simple]
BEGIN; DECLARE bc BINARY CURSOR FOR SELECT id, name, score FROM compare.person ORDER BY id; FETCH ALL FROM bc; COMMIT
-- @ transaction that commits [simple]
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM compare.person; COMMIT
-- @ savepoints [simple]
BEGIN; SAVEPOINT a; INSERT INTO compare.bulk VALUES (1, 'a', NULL); SAVEPOINT b; INSERT INTO compare.bulk VALUES (2, 'b', NULL); ROLLBACK TO a; SELECT count(*) FROM compare.bulk; RELEASE a; ROLLBACK
-- @ two-line statement with position
SELECT name
  FROM compare.person WHERE nme = 'x'
-- @ syntax error
SELEC 1
-- @ syntax error at the end
SELECT (1
-- @ unknown table
SELECT * FROM compare.nobody
-- @ unknown function
SELECT compare.thrice(1)
-- @ ambiguous column
SELECT id FROM compare.person, compare.visit
-- @ division by zero
SELECT 1 / 0
-- @ error after rows
SELECT 10 / (5 - n) FROM generate_series(1, 9) AS n
-- @ bad cast
SELECT 'abc'::integer
-- @ out of range
SELECT 2147483647 + 1
-- @ unique violation
INSERT INTO compare.person VALUES (1, 'twin')
-- @ foreign key violation
INSERT INTO compare.visit (person) VALUES (77)
-- @ check violation
INSERT INTO compare.person VALUES (50, 'minus', NULL, -1)
-- @ domain violation
SELECT 101::compare.percent
-- @ not null violation
INSERT INTO compare.person (id) VALUES (51)
-- @ too long
INSERT INTO compare.visit (note) VALUES ('much too long for it')
-- @ raised error
SELECT compare.complain('noise')
-- @ denied by the backend
SELECT rolpassword FROM pg_authid
-- @ error in the middle of a string [simple]
INSERT INTO compare.bulk VALUES (7, 'lost', NULL); SELECT 1 / 0; SELECT 'never'
-- @ the string was rolled back
SELECT count(*) FROM compare.bulk WHERE id = 7
-- @ aborted transaction [simple]
BEGIN; SELECT 1 / 0
-- @ write in a read-only transaction [simple]
BEGIN READ ONLY; DELETE FROM compare.visit
-- @ statement timeout [simple]
BEGIN; SET LOCAL statement_timeout = 50; SELECT pg_sleep(20)
-- @ warning without a transaction
COMMIT
-- @ set local without a transaction
SET LOCAL work_mem = '1MB'
-- @ extended refuses two statements
SELECT 1; SELECT 2
-- @ large object [simple]
BEGIN; SELECT lo_from_bytea(424242, '\x48656c6c6f'); SELECT lo_get(424242), lo_get(424242, 1, 3); SELECT lo_unlink(424242); COMMIT

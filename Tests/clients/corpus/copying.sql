-- COPY in both directions and all formats.

-- @ table [setup]
DROP SCHEMA IF EXISTS corpus_copy CASCADE; CREATE SCHEMA corpus_copy;
CREATE TABLE corpus_copy.t (id integer, name text, n numeric, b bytea, d date); CREATE TABLE corpus_copy.src (id integer, name text, n numeric, b bytea, d date);
INSERT INTO corpus_copy.src VALUES (1, 'plain', 1.5, '\x00ff', '2026-01-01'), (2, E'tab\there\nnewline\\', NULL, '\x', 'infinity'), (3, 'quote " and , and ünï 🦊', -0.001, NULL, NULL), (4, '', 0, '\x5c', '0001-01-01 BC'), (5, '\N', 5, NULL, NULL);
CREATE TABLE corpus_copy.gen (id int GENERATED ALWAYS AS IDENTITY, a int NOT NULL DEFAULT 4 CHECK (a < 100), b int GENERATED ALWAYS AS (a * 2) STORED); CREATE VIEW corpus_copy.v AS TABLE corpus_copy.src
-- @ empty [reset]
TRUNCATE corpus_copy.t, corpus_copy.gen RESTART IDENTITY
-- @ path
SET search_path = corpus_copy
-- @ text out
COPY src TO STDOUT
-- @ text out with options
COPY src TO STDOUT WITH (DELIMITER '|', NULL '<null>', ENCODING 'UTF8')
-- @ text out with header
COPY src (name, id) TO STDOUT (HEADER true)
-- @ csv out
COPY src TO STDOUT CSV
-- @ csv out with options
COPY src TO STDOUT (FORMAT csv, HEADER, DELIMITER ';', QUOTE '''', ESCAPE '\', FORCE_QUOTE (id, n), NULL 'nil')
-- @ csv out, all quoted
COPY src TO STDOUT (FORMAT csv, FORCE_QUOTE *)
-- @ binary out
COPY src TO STDOUT (FORMAT binary)
-- @ binary out of the old spelling
COPY src (id) TO STDOUT WITH BINARY
-- @ out of a query
COPY (SELECT id, upper(name) FROM src WHERE id < 3 ORDER BY id DESC) TO STDOUT
-- @ out of a writing query
COPY (INSERT INTO t VALUES (90, 'w') RETURNING id, name) TO STDOUT
-- @ out of values
COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT
-- @ out of nothing
COPY t TO STDOUT (FORMAT csv)
-- @ out, no rows
COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)
-- @ no columns
COPY (SELECT FROM src) TO STDOUT
-- @ out in LATIN1
COPY (SELECT 'ü') TO STDOUT (ENCODING 'LATIN1')
-- @ out in LATIN1, impossible
COPY (SELECT '🦊') TO STDOUT (ENCODING 'LATIN1')
-- @ a view cannot be copied
COPY v TO STDOUT
-- @ 10,000 rows out
COPY (SELECT n, repeat('c', n % 100), n * 1.1 FROM generate_series(1, 10000) n) TO STDOUT
-- @ 10,000 rows out, binary
COPY (SELECT n, n::float8 FROM generate_series(1, 10000) n) TO STDOUT (FORMAT binary)
-- @ out that fails in the middle
COPY (SELECT n, 1 / (2000 - n) FROM generate_series(1, 4000) n) TO STDOUT
-- @ text in
COPY t FROM STDIN
-- <<
10	ten	1.0	\\x0a	2026-10-10
11	\N	\N	\N	\N
12	tab\there	2	\\x	infinity
-- @ text in with the end mark
COPY t (id, name) FROM STDIN
-- <<
13	thirteen
\.
-- @ text in with options
COPY t (id, name) FROM STDIN (DELIMITER ',', NULL 'nil')
-- <<
14,nil
15,back\,slash
-- @ text in without a last newline [simple]
COPY t (id) FROM STDIN (FORMAT text)
-- << hex
3136
-- @ text in with CRLF
COPY t (id, name) FROM STDIN
-- << hex
31370961 0d0a 31380962 0d0a
-- @ csv in
COPY t FROM STDIN (FORMAT csv, HEADER)
-- <<
id,name,n,b,d
20,"twenty, ""quoted""",2.5,\x01,2020-02-02
21,,,,
22,"two
lines",1,\x02,
-- @ csv in, header must match
COPY t (id, name) FROM STDIN (FORMAT csv, HEADER match)
-- <<
id,nome
23,x
-- @ csv in with options
COPY t (id, name) FROM STDIN (FORMAT csv, QUOTE '''', ESCAPE '\', FORCE_NOT_NULL (name), FORCE_NULL (id))
-- <<
24,'it\'s'
25,
-- @ binary in
COPY t (id, name) FROM STDIN (FORMAT binary)
-- << hex
5047434f50590aff0d0a00 00000000 00000000
0002 00000004 0000001e 00000006 746869727479
0002 00000004 0000001f ffffffff
ffff
-- @ in with a condition
COPY t (id, name) FROM STDIN WHERE id > 40
-- <<
40	no
41	yes
-- @ in with defaults
COPY gen (a) FROM STDIN
-- <<
1
2
-- @ what came of it
SELECT * FROM gen ORDER BY id
-- @ what is there
SELECT * FROM t ORDER BY id, name
-- @ in frozen [simple]
BEGIN; TRUNCATE t; COPY t (id) FROM STDIN (FREEZE)
-- <<
50
-- @ frozen committed
COMMIT
-- @ bad value
COPY t FROM STDIN
-- <<
60	a	1	\N	\N
sixty	b	2	\N	\N
-- @ missing columns
COPY t FROM STDIN
-- <<
61	only
-- @ extra columns
COPY t (id) FROM STDIN
-- <<
62	more
-- @ csv never closed
COPY t (id, name) FROM STDIN (FORMAT csv)
-- <<
63,"open
-- @ bad encoding
COPY t (name) FROM STDIN
-- << hex
ff fe 0a
-- @ constraint
COPY gen (a) FROM STDIN
-- <<
5
500
-- @ nothing given
COPY t FROM STDIN
-- @ empty csv
COPY t FROM STDIN CSV
-- <<
-- @ unknown column
COPY t (nope) FROM STDIN
-- @ unknown option
COPY t FROM STDIN (SPEED 'high')
-- @ conflicting options
COPY t TO STDOUT (FORMAT binary, DELIMITER ',')
-- @ in a failed transaction [simple]
BEGIN; SELECT 1 / 0; COPY t FROM STDIN
-- @ over
ROLLBACK
-- @ in between [simple]
SELECT 'before'; COPY t (id) FROM STDIN; SELECT count(*) FROM t
-- <<
70
71
-- @ out in between [simple]
SELECT 1; COPY src (id) TO STDOUT; COPY src (name) TO STDOUT (FORMAT csv); SELECT 2

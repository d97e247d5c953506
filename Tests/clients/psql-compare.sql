-- What psql-compare.sh runs with psql, directly and through the gateway. "-- @ NAME" opens a statement.
-- @ schema
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS psql_compare CASCADE;
RESET client_min_messages;
CREATE SCHEMA psql_compare;
SET search_path = psql_compare;
-- @ create table
CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE, price numeric(8, 2) DEFAULT 1.00 CHECK (price > 0), tags text[], made date);
-- @ comment
COMMENT ON TABLE item IS 'things for sale';
-- @ insert
INSERT INTO item (name, price, tags, made) VALUES ('cup', 3.50, '{blue,"two words"}', '2026-01-31'), ('pot', 12, NULL, NULL);
-- @ insert returning
INSERT INTO item (name) VALUES ('Löffel 🥄') RETURNING id, name, price;
-- @ select
SELECT * FROM item ORDER BY id;
-- @ view and index
CREATE VIEW dear AS SELECT name, price FROM item WHERE price > 5;
CREATE INDEX item_made ON item (made DESC) WHERE made IS NOT NULL;
-- @ describe a table
\d item
-- @ describe verbosely
\d+ item
-- @ describe a view
\d+ dear
-- @ list tables
\dt psql_compare.*
-- @ list everything
\d psql_compare.*
-- @ list schemas
\dn psql_compare
-- @ list types, functions, roles, settings
\dT psql_compare.*
\df psql_compare.*
\du no_such_role
\dconfig work_mem
-- @ privileges
GRANT SELECT ON item TO PUBLIC;
\dp psql_compare.item
-- @ show a view and a function
\sv psql_compare.dear
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n * 2';
\sf psql_compare.twice
-- @ function call
SELECT twice(21);
-- @ nulls shown
\pset null '(null)'
SELECT id, tags, made FROM item ORDER BY id;
-- @ expanded
\x on
SELECT * FROM item WHERE id = 1;
\x off
-- @ unaligned, csv, html, json-ish
\pset format unaligned
SELECT id, name FROM item ORDER BY id;
\pset format csv
SELECT id, name, tags FROM item ORDER BY id;
\pset format html
SELECT id, name FROM item WHERE id = 3;
\pset format aligned
-- @ tuples only
\t on
SELECT count(*) FROM item;
\t off
-- @ crosstab
SELECT name, price > 3, count(*) FROM item GROUP BY 1, 2 ORDER BY 1 \crosstabview
-- @ gset
SELECT id AS chosen, name AS its_name FROM item WHERE name = 'pot' \gset
\echo :chosen :its_name
-- @ variables in SQL
SELECT name FROM item WHERE id = :chosen AND name = :'its_name';
-- @ gexec
SELECT format('SELECT %s AS n', n) FROM generate_series(1, 3) n \gexec
-- @ gdesc
SELECT id, name, price, tags, made, now() FROM item \gdesc
-- @ gx
SELECT 1 AS a, 'two' AS b \gx
-- @ if
SELECT :chosen = 2 AS is_two \gset
\if :is_two
SELECT 'chosen';
\else
SELECT 'not chosen';
\endif
-- @ several statements on a line
SELECT 1; SELECT 2; SELECT 'three';
-- @ one string of several statements
SELECT 1 \; SELECT 2 AS two \; UPDATE item SET price = price WHERE id = 1 ;
-- @ an error in the middle of such a string
INSERT INTO item (name) VALUES ('lost') \; SELECT 1 / 0 \; SELECT 'never' ;
-- @ it was rolled back
SELECT count(*) FROM item WHERE name = 'lost';
-- @ empty statement
;
-- @ comments
/* one */ SELECT /* two */ 1 -- three
;
-- @ quotes
SELECT 'it''s', $$dollar; quoted$$, E'tab\t.', U&'d\0061ta', "name" FROM item WHERE id = 1;
-- @ syntax error
SELEC 1;
-- @ error with a position in a long statement
SELECT id,
       name,
       prize
FROM item
WHERE id = 1;
-- @ unknown table
SELECT * FROM nothing_here;
-- @ unknown function, with a hint
SELECT twice('a', 'b');
-- @ division by zero
SELECT 1 / 0;
-- @ unique violation
INSERT INTO item (name) VALUES ('cup');
-- @ check violation
INSERT INTO item (name, price) VALUES ('gift', 0);
-- @ not null violation
INSERT INTO item (name) VALUES (NULL);
-- @ cast error
SELECT 'x'::integer;
-- @ verbose error
\set VERBOSITY verbose
SELECT * FROM nothing_here;
\set VERBOSITY sqlstate
SELECT * FROM nothing_here;
\set VERBOSITY default
-- @ errverbose
SELECT 1 / 0;
\errverbose
-- @ the last error in variables
\echo :ERROR :SQLSTATE :ROW_COUNT :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
-- @ notices and warnings
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning' USING DETAIL = 'in detail', HINT = 'take care'; END $$;
-- @ raised error
DO $$ BEGIN RAISE EXCEPTION 'stop %', 1 USING ERRCODE = 'SP001', DETAIL = 'd', HINT = 'h'; END $$;
-- @ transaction
BEGIN;
UPDATE item SET price = 99 WHERE id = 1;
SELECT price FROM item WHERE id = 1;
ROLLBACK;
SELECT price FROM item WHERE id = 1;
-- @ aborted transaction
BEGIN;
SELECT 1 / 0;
SELECT 1;
COMMIT;
-- @ savepoints
BEGIN;
SAVEPOINT a;
DELETE FROM item;
ROLLBACK TO a;
SELECT count(*) FROM item;
COMMIT;
-- @ rollback to the statement before
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO item (name) VALUES ('kept');
INSERT INTO item (name) VALUES ('cup');
SELECT count(*) FROM item WHERE name = 'kept';
COMMIT;
\set ON_ERROR_ROLLBACK off
-- @ without autocommit
\set AUTOCOMMIT off
DELETE FROM item WHERE name = 'kept';
ROLLBACK;
\set AUTOCOMMIT on
-- @ warnings about transactions
COMMIT;
BEGIN;
BEGIN;
COMMIT;
-- @ copy out
COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT;
-- @ copy out, csv
COPY item (name, price) TO STDOUT (FORMAT csv, HEADER);
-- @ copy in
COPY item (name, price) FROM STDIN;
jar	4.25
lid	0.75
\.
-- @ copy in with an error
COPY item (name, price) FROM STDIN;
box	5
bag	nothing
\.
-- @ copy by psql
\copy (SELECT name, tags FROM item ORDER BY id) TO STDOUT
\copy item (name) FROM PROGRAM 'echo spoon; echo fork'
SELECT name FROM item WHERE id > 5 ORDER BY name;
-- @ cursor
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT n FROM generate_series(1, 10) n;
FETCH 3 FROM c;
MOVE 2 IN c;
FETCH RELATIVE -1 FROM c;
CLOSE c;
COMMIT;
-- @ rows in portions
\set FETCH_COUNT 10
SELECT n, repeat('x', n) FROM generate_series(1, 35) n;
\set FETCH_COUNT 0
-- @ prepared by SQL
PREPARE by_price (numeric) AS SELECT name FROM item WHERE price > $1 ORDER BY 1;
EXECUTE by_price (4);
DEALLOCATE by_price;
EXECUTE by_price (4);
-- @ explain
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = 1;
-- @ explain analyze
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM item;
-- @ set and show
SET statement_timeout = '5s';
SHOW statement_timeout;
RESET statement_timeout;
-- @ time zone
SET TimeZone = 'Asia/Kolkata';
SELECT '2026-01-01 00:00+00'::timestamptz;
RESET TimeZone;
-- @ client encoding
\encoding LATIN1
\encoding
\encoding UTF8
-- @ listen and notify
LISTEN shop;
UNLISTEN shop;
NOTIFY shop, 'nobody hears it';
-- @ upsert and merge
INSERT INTO item (name, price) VALUES ('cup', 4) ON CONFLICT (name) DO UPDATE SET price = excluded.price RETURNING name, price;
MERGE INTO item USING (VALUES ('pot', 13)) AS s (n, p) ON name = n WHEN MATCHED THEN UPDATE SET price = p;
-- @ truncate and drop
BEGIN;
TRUNCATE item;
DROP VIEW dear;
ROLLBACK;
SELECT count(*) FROM dear;
-- @ many rows
SELECT n, md5(n::text) FROM generate_series(1, 2000) n;
-- @ wide value
SELECT length(repeat('wide', 300000)), repeat('wide', 50000);
-- @ timeout
SET statement_timeout = 100;
SELECT pg_sleep(10);
RESET statement_timeout;
-- @ the end
SET client_min_messages = warning;
DROP SCHEMA psql_compare CASCADE;

-- INSERT, UPDATE, DELETE, MERGE, TRUNCATE.

-- @ tables [setup]
DROP SCHEMA IF EXISTS corpus_dml CASCADE; CREATE SCHEMA corpus_dml;
CREATE TABLE corpus_dml.stock (id integer PRIMARY KEY, name text UNIQUE, n integer DEFAULT 5, tags text[], doc jsonb);
CREATE TABLE corpus_dml.log (id serial, what text); CREATE TABLE corpus_dml.other (id integer, n integer)
-- @ rows [reset]
TRUNCATE corpus_dml.stock, corpus_dml.log, corpus_dml.other RESTART IDENTITY;
INSERT INTO corpus_dml.stock VALUES (1, 'cup', 10, '{a}', '{"k": 1}'), (2, 'pot', 20, NULL, NULL), (3, 'lid', 30, '{b,c}', '[]'); INSERT INTO corpus_dml.other VALUES (1, 100), (2, 200), (9, 900)
-- @ path
SET search_path = corpus_dml
-- @ insert several
INSERT INTO stock VALUES (4, 'jar', 40, '{}', 'null'), (5, 'box', DEFAULT, DEFAULT, DEFAULT)
-- @ insert defaults
INSERT INTO log DEFAULT VALUES RETURNING *
-- @ insert from select
INSERT INTO log (what) SELECT name FROM stock ORDER BY id RETURNING id, upper(what) AS shout
-- @ insert with cte
WITH s AS (SELECT 'from cte' AS w) INSERT INTO log (what) SELECT w FROM s
-- @ insert aliased
INSERT INTO stock AS s (id, name) VALUES (6, 'mug') RETURNING s.*, s.id + 1 AS next
-- @ on conflict do nothing
INSERT INTO stock (id, name) VALUES (1, 'cup'), (7, 'bag') ON CONFLICT DO NOTHING
-- @ on conflict do update
INSERT INTO stock (id, name, n) VALUES (8, 'cup', 3) ON CONFLICT (name) DO UPDATE SET n = stock.n + excluded.n WHERE stock.n < 100 RETURNING id, n
-- @ on conflict on constraint
INSERT INTO stock (id) VALUES (2) ON CONFLICT ON CONSTRAINT stock_pkey DO UPDATE SET n = 0
-- @ twice the same row
INSERT INTO stock (id, n) VALUES (2, 1), (2, 2) ON CONFLICT (id) DO UPDATE SET n = excluded.n
-- @ update
UPDATE stock SET n = n + 1
-- @ update several columns
UPDATE stock SET (n, tags) = (1, '{z}'), doc = doc || '{"q": 2}' WHERE id = 1 RETURNING *
-- @ update from
UPDATE stock s SET n = o.n FROM other o WHERE o.id = s.id RETURNING s.id, s.n, o.n AS theirs
-- @ update by subquery
UPDATE stock SET (n, name) = (SELECT n, 'renamed' FROM other WHERE id = 9) WHERE id = 4
-- @ update array elements
UPDATE stock SET tags[2] = 'second', tags[3:4] = '{x,y}' WHERE id = 3 RETURNING tags
-- @ update json by subscript
UPDATE stock SET doc['k'] = '5' WHERE id = 1 RETURNING doc
-- @ update to defaults
UPDATE stock SET n = DEFAULT WHERE id = 4 RETURNING n
-- @ update nothing
UPDATE stock SET n = 1 WHERE id = -1
-- @ update a key into a conflict
UPDATE stock SET id = 2 WHERE id = 3
-- @ delete
DELETE FROM stock WHERE id = 7
-- @ delete using
DELETE FROM stock s USING other o WHERE o.id = s.id AND o.n > 150 RETURNING s.id, o.n
-- @ delete by cte
WITH old AS (SELECT id FROM log ORDER BY id LIMIT 2) DELETE FROM log WHERE id IN (SELECT id FROM old) RETURNING id
-- @ moved by a cte
WITH gone AS (DELETE FROM other WHERE id = 9 RETURNING *) INSERT INTO stock (id, n) SELECT id, n FROM gone RETURNING id, n
-- @ three writes in one
WITH a AS (INSERT INTO log (what) VALUES ('a') RETURNING id), b AS (UPDATE stock SET n = 77 WHERE id = 1 RETURNING id), c AS (DELETE FROM other RETURNING id) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM c)
-- @ merge
MERGE INTO stock s USING (VALUES (1, 0), (50, 5)) AS v (id, n) ON s.id = v.id WHEN MATCHED AND v.n = 0 THEN DELETE WHEN NOT MATCHED THEN INSERT (id, n) VALUES (v.id, v.n)
-- @ merge that updates
MERGE INTO stock s USING stock t ON s.id = t.id AND t.id = 50 WHEN MATCHED THEN UPDATE SET n = s.n * 2
-- @ merge that does nothing
MERGE INTO stock s USING other o ON s.id = o.id WHEN MATCHED THEN DO NOTHING
-- @ current state
SELECT * FROM stock ORDER BY id
-- @ current log
SELECT * FROM log ORDER BY id
-- @ too many values
INSERT INTO log VALUES (1, 'a', 'b')
-- @ too few expressions
INSERT INTO log (id, what) VALUES (1)
-- @ column twice
UPDATE stock SET n = 1, n = 2
-- @ no such column
UPDATE stock SET nope = 1
-- @ wrong type
INSERT INTO stock (id) VALUES ('not a number')
-- @ aggregates in where
DELETE FROM stock WHERE count(*) > 1
-- @ truncate
TRUNCATE TABLE ONLY other
-- @ truncate and restart
TRUNCATE log RESTART IDENTITY
-- @ the serial restarts
INSERT INTO log (what) VALUES ('again') RETURNING id
-- @ ten thousand rows
INSERT INTO other SELECT n, n % 7 FROM generate_series(1, 10000) n
-- @ and their update
UPDATE other SET n = n + 1 WHERE id % 2 = 0
-- @ and back again
DELETE FROM other RETURNING id % 10 AS d

-- SELECT in its shapes.

-- @ tables [setup]
DROP SCHEMA IF EXISTS corpus_queries CASCADE; CREATE SCHEMA corpus_queries;
CREATE TABLE corpus_queries.dept (id integer PRIMARY KEY, name text);
CREATE TABLE corpus_queries.emp (id integer PRIMARY KEY, name text, dept integer REFERENCES corpus_queries.dept, boss integer, pay numeric(8, 2), since date);
INSERT INTO corpus_queries.dept VALUES (1, 'sales'), (2, 'research'), (3, 'empty');
INSERT INTO corpus_queries.emp VALUES (1, 'Ada', 2, NULL, 900, '2020-01-01'), (2, 'Bob', 1, 1, 500.5, '2021-05-05'), (3, 'Cy', 1, 2, 400, '2022-02-02'),
  (4, 'Di', 2, 1, 700, NULL), (5, 'Ed', NULL, 4, NULL, '2023-03-03');
CREATE INDEX emp_dept ON corpus_queries.emp (dept); CREATE VIEW corpus_queries.paid AS SELECT id, name, pay FROM corpus_queries.emp WHERE pay IS NOT NULL;
ANALYZE corpus_queries.dept; ANALYZE corpus_queries.emp
-- @ path
SET search_path = corpus_queries, public
-- @ inner join
SELECT e.name, d.name FROM emp e JOIN dept d ON d.id = e.dept ORDER BY e.id
-- @ left, right and full
SELECT e.name, d.name FROM emp e FULL JOIN dept d ON d.id = e.dept ORDER BY e.id NULLS LAST, d.id
-- @ join using
SELECT id, a.name, b.name FROM emp a JOIN dept b USING (id) ORDER BY id
-- @ natural join
SELECT count(*) FROM emp NATURAL JOIN dept
-- @ cross join
SELECT count(*), min(e.id * d.id) FROM emp e CROSS JOIN dept d
-- @ self join
SELECT e.name, b.name AS boss FROM emp e LEFT JOIN emp b ON b.id = e.boss ORDER BY e.id
-- @ lateral
SELECT d.name, top.name FROM dept d LEFT JOIN LATERAL (SELECT name FROM emp WHERE dept = d.id ORDER BY pay DESC LIMIT 1) top ON true ORDER BY d.id
-- @ subquery in select
SELECT name, (SELECT count(*) FROM emp WHERE dept = d.id) FROM dept d ORDER BY id
-- @ exists and not in
SELECT name FROM dept d WHERE NOT EXISTS (SELECT FROM emp WHERE dept = d.id) OR id NOT IN (SELECT dept FROM emp WHERE dept IS NOT NULL)
-- @ any and all
SELECT name FROM emp WHERE pay >= ALL (SELECT pay FROM paid) OR id = ANY ('{2,3}') ORDER BY id
-- @ row comparison
SELECT name FROM emp WHERE (dept, id) > (1, 2) ORDER BY id
-- @ group by having
SELECT dept, count(*), avg(pay) FROM emp GROUP BY dept HAVING count(*) > 1 ORDER BY dept
-- @ cube
SELECT dept, boss, count(*) FROM emp GROUP BY CUBE (dept, boss) ORDER BY 1, 2, 3
-- @ grouping sets
SELECT dept, boss, grouping(dept, boss), sum(pay) FROM emp GROUP BY GROUPING SETS ((dept), (boss), ()) ORDER BY 3, 1, 2
-- @ distinct
SELECT DISTINCT dept FROM emp ORDER BY dept NULLS FIRST
-- @ distinct on
SELECT DISTINCT ON (dept) dept, name, pay FROM emp ORDER BY dept, pay DESC NULLS LAST
-- @ order by expressions
SELECT name FROM emp ORDER BY length(name), name COLLATE "C" DESC
-- @ limit and offset
SELECT name FROM emp ORDER BY id LIMIT 2 OFFSET 1
-- @ fetch with ties
SELECT id % 2 AS odd, id FROM emp ORDER BY odd FETCH FIRST 1 ROW WITH TIES
-- @ limit all, offset rows
SELECT id FROM emp ORDER BY id OFFSET 3 ROWS FETCH NEXT ROW ONLY
-- @ union
SELECT id FROM emp UNION SELECT id FROM dept ORDER BY id
-- @ union all of types
SELECT 1 AS n, 'a' AS t UNION ALL SELECT 2.5, NULL
-- @ intersect all
SELECT dept FROM emp INTERSECT ALL SELECT id FROM dept ORDER BY 1
-- @ except
(SELECT id FROM dept EXCEPT SELECT dept FROM emp) ORDER BY 1
-- @ nested set operations
(SELECT 1 UNION SELECT 2) INTERSECT (SELECT 2 UNION SELECT 3)
-- @ values in from
SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v (n, s) WHERE n > 1
-- @ table command
TABLE dept ORDER BY id LIMIT 2
-- @ cte
WITH a AS (SELECT * FROM emp WHERE pay > 450), b AS MATERIALIZED (SELECT dept FROM a) SELECT count(*) FROM b
-- @ recursive tree
WITH RECURSIVE t AS (SELECT id, name, 1 AS depth FROM emp WHERE boss IS NULL UNION ALL SELECT e.id, e.name, depth + 1 FROM emp e JOIN t ON e.boss = t.id) SELECT * FROM t ORDER BY id
-- @ recursive with search
WITH RECURSIVE t(id, boss) AS (SELECT id, boss FROM emp WHERE boss IS NULL UNION ALL SELECT e.id, e.boss FROM emp e JOIN t ON e.boss = t.id) SEARCH DEPTH FIRST BY id SET o SELECT id, boss FROM t ORDER BY o
-- @ recursive with cycle
WITH RECURSIVE g(a, b) AS (VALUES (1, 2), (2, 3), (3, 1)), t(n) AS (SELECT 1 UNION ALL SELECT b FROM g JOIN t ON g.a = t.n) CYCLE n SET looped USING trail SELECT n, looped FROM t
-- @ two levels of with
WITH x AS (WITH y AS (SELECT 1 AS n) SELECT n + 1 AS n FROM y) SELECT * FROM x
-- @ for update
SELECT id FROM emp WHERE id = 1 FOR UPDATE
-- @ for share skip locked
SELECT id FROM emp WHERE id < 3 ORDER BY id FOR NO KEY UPDATE OF emp SKIP LOCKED
-- @ tablesample
SELECT count(*) FROM emp TABLESAMPLE SYSTEM (100) REPEATABLE (1)
-- @ only
SELECT count(*) FROM ONLY emp *
-- @ aliases of columns
SELECT x.a, x.b FROM emp AS x (a, b) WHERE x.a = 1
-- @ whole rows
SELECT emp FROM emp WHERE id = 5
-- @ system columns
SELECT tableoid::regclass::text, name FROM dept ORDER BY id LIMIT 1
-- @ star among others
SELECT d.*, 'x' AS x, d.id FROM dept d WHERE id = 1
-- @ zero columns, three rows
SELECT FROM dept
-- @ zero columns, no row
SELECT FROM dept WHERE false
-- @ a view over a join
SELECT * FROM paid NATURAL JOIN emp ORDER BY id
-- @ case in order by
SELECT name FROM emp ORDER BY CASE WHEN dept IS NULL THEN 0 ELSE 1 END, id DESC
-- @ function scan with columns
SELECT * FROM json_to_record('{"a":1,"b":[1]}') AS r(a int, b json)
-- @ information schema
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'corpus_queries' ORDER BY 1, ordinal_position
-- @ what psql asks for \d
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'corpus_queries.emp'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
-- @ definitions
SELECT pg_get_viewdef('paid'::regclass, true), pg_get_indexdef('emp_dept'::regclass), (SELECT string_agg(pg_get_constraintdef(oid), '; ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'emp'::regclass)
-- @ explain
EXPLAIN (COSTS OFF) SELECT * FROM emp JOIN dept ON dept.id = emp.dept WHERE pay > 100 ORDER BY emp.name LIMIT 3
-- @ explain verbose
EXPLAIN (VERBOSE, COSTS OFF) SELECT upper(name) FROM emp WHERE id = 1
-- @ explain xml
EXPLAIN (COSTS OFF, FORMAT XML) SELECT 1
-- @ explain yaml
EXPLAIN (COSTS OFF, FORMAT YAML) SELECT name FROM dept ORDER BY name
-- @ explain analyze
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT count(*) FROM emp WHERE pay > 450
-- @ explain analyze of a write [simple]
BEGIN; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) DELETE FROM emp WHERE id = 3; ROLLBACK
-- @ explain of others
EXPLAIN (COSTS OFF) INSERT INTO dept SELECT n, 'd' FROM generate_series(10, 12) n
-- @ comments everywhere
SELECT /* a /* nested */ comment */ id -- of the line
FROM dept /**/ ORDER BY id
-- @ identifiers quoted
SELECT "d"."name" AS "Na""me", 1 AS "SELECT" FROM "corpus_queries"."dept" AS "d" WHERE "d"."id"=1
-- @ a condition a thousand terms long
SELECT count(*) FROM emp WHERE id = @{" OR id = ".join(str(n) for n in range(1000))}@
-- @ a list of 5,000
SELECT count(*) FROM emp WHERE id IN (@{", ".join(str(n) for n in range(5000))}@)
-- @ parentheses, 200 deep
SELECT @{"(" * 200}@1@{")" * 200}@
-- @ subqueries, 30 deep
SELECT * FROM @{"(SELECT * FROM " * 30}@dept@{") AS t" * 30}@ ORDER BY id
-- @ forty joins
SELECT count(*) FROM dept d0 @{" ".join(f"JOIN dept d{n} ON d{n}.id = d0.id" for n in range(1, 12))}@

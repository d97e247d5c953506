-- Functions, procedures and DO: what code in the database does.

-- @ schema [reset]
SET client_min_messages = warning; DROP SCHEMA IF EXISTS corpus_proc CASCADE; CREATE SCHEMA corpus_proc; CREATE TABLE corpus_proc.t (id int, v text)
-- @ path
SET search_path = corpus_proc
-- @ do
DO $$ BEGIN INSERT INTO t VALUES (1, 'do'); END $$
-- @ do in another language
DO LANGUAGE plpython 'pass'
-- @ do with an error
DO $$ BEGIN INSERT INTO t VALUES (2, 'undone'); PERFORM 1 / 0; END $$
-- @ a syntax error in it
DO $$ BEGIN INSRT INTO t; END $$
-- @ procedure with transactions
CREATE PROCEDURE steps(n int) LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..n LOOP INSERT INTO corpus_proc.t VALUES (i, 'step'); IF i % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF; END LOOP; END $$
-- @ call it
CALL steps(5)
-- @ what was committed
SELECT id, v FROM t ORDER BY id, v
-- @ in a transaction it cannot [simple]
BEGIN; CALL steps(2)
-- @ over
ROLLBACK
-- @ inout arguments
CREATE PROCEDURE swap(INOUT a int, INOUT b text, OUT c int) LANGUAGE plpgsql AS $$ BEGIN a := a * 2; b := b || '!'; c := 7; END $$
-- @ call with inout
CALL swap(21, 'hey', NULL)
-- @ call by name
CALL swap(b => 'x', a => 1, c => NULL)
-- @ call of a function
CALL lower('A')
-- @ select of a procedure
SELECT steps(1)
-- @ function with out arguments
CREATE FUNCTION outs(IN a int, OUT b int, OUT c text) LANGUAGE plpgsql AS $$ BEGIN b := a + 1; c := 'c' || a; END $$
-- @ as a record
SELECT outs(1)
-- @ as columns
SELECT (outs(2)).*, o.c FROM outs(3) AS o
-- @ returns table
CREATE FUNCTION squares(n int) RETURNS TABLE (x int, xx bigint) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT g, g::bigint * g FROM generate_series(1, n) g; RETURN NEXT; END $$
-- @ table of it
SELECT * FROM squares(4)
-- @ in the target list
SELECT squares(2)
-- @ dynamic SQL
CREATE FUNCTION counted(name text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM %I', name) INTO n; RETURN n; END $$
-- @ dynamic SQL run
SELECT counted('t')
-- @ dynamic SQL fails
SELECT counted('not there')
-- @ using
DO $$ DECLARE n int; BEGIN EXECUTE 'SELECT $1 + $2' INTO n USING 3, 4; RAISE NOTICE 'n = %', n; END $$
-- @ security definer
CREATE FUNCTION whoami() RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT current_user = session_user'
-- @ called
SELECT whoami()
-- @ strict
CREATE FUNCTION strictly(a int) RETURNS text LANGUAGE plpgsql STRICT AS $$ BEGIN RETURN 'called'; END $$
-- @ with null
SELECT strictly(NULL), strictly(1)
-- @ overloaded [simple]
CREATE FUNCTION over(a int) RETURNS text LANGUAGE sql AS $$ SELECT 'int' $$; CREATE FUNCTION over(a text) RETURNS text LANGUAGE sql AS $$ SELECT 'text' $$; SELECT over(1), over('a'), over('1'::text)
-- @ variadic
CREATE FUNCTION summed(VARIADIC n int[]) RETURNS bigint LANGUAGE sql AS 'SELECT sum(x) FROM unnest(n) x'
-- @ variadic called
SELECT summed(1, 2, 3), summed(VARIADIC ARRAY[4, 5])
-- @ sql standard body
CREATE FUNCTION atomic(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a + 1; SELECT a + 2; END
-- @ sql standard body called
SELECT atomic(1)
-- @ its source
SELECT pg_get_functiondef('atomic(int)'::regprocedure)
-- @ recursion
CREATE FUNCTION fact(n int) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN n < 2 THEN 1 ELSE n * fact(n - 1) END; END $$
-- @ factorial
SELECT fact(50)
-- @ exceptions and savepoints
DO $$ BEGIN FOR i IN 1..3 LOOP BEGIN INSERT INTO t VALUES (100 + i, 'x'); IF i = 2 THEN RAISE unique_violation; END IF; EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'skipped %', i; END; END LOOP; END $$
-- @ what remained
SELECT id FROM t WHERE id > 100 ORDER BY id
-- @ returning into
DO $$ DECLARE r t; BEGIN UPDATE t SET v = 'new' WHERE id = 101 RETURNING * INTO r; RAISE NOTICE '% found %', r, FOUND; END $$
-- @ arrays and records
DO $$ DECLARE a int[] := '{}'; r record; BEGIN FOR r IN SELECT id FROM t WHERE id > 100 ORDER BY id LOOP a := a || r.id; END LOOP; FOREACH r IN ARRAY ARRAY[ROW(1, 2)] LOOP NULL; END LOOP; RAISE NOTICE '%', a; END $$
-- @ a function that reads settings
SELECT current_setting('search_path'), set_config('search_path', 'corpus_proc, public', false)
-- @ drop all
DROP ROUTINE steps, outs, atomic, counted
-- @ a procedure with a cursor
CREATE PROCEDURE opens(INOUT r refcursor) LANGUAGE plpgsql AS $$ BEGIN OPEN r FOR SELECT 1 AS one; END $$
-- @ opened [simple]
BEGIN; CALL opens('the_cursor'); FETCH ALL FROM the_cursor; COMMIT

-- Cursors of SQL: directions, WITH HOLD, positioned writes.

-- @ table [setup]
DROP SCHEMA IF EXISTS corpus_cursor CASCADE; CREATE SCHEMA corpus_cursor; CREATE TABLE corpus_cursor.t (id integer PRIMARY KEY, v text)
-- @ rows [reset]
TRUNCATE corpus_cursor.t; INSERT INTO corpus_cursor.t SELECT n, 'row ' || n FROM generate_series(1, 20) n
-- @ path
SET search_path = corpus_cursor
-- @ outside a transaction
DECLARE c CURSOR FOR SELECT 1
-- @ begin
BEGIN
-- @ declare scroll
DECLARE s SCROLL CURSOR FOR SELECT id, v FROM t ORDER BY id
-- @ fetch
FETCH s
-- @ fetch next
FETCH NEXT FROM s
-- @ fetch several
FETCH 3 FROM s
-- @ fetch forward
FETCH FORWARD 2 IN s
-- @ fetch backward
FETCH BACKWARD 2 FROM s
-- @ fetch prior
FETCH PRIOR FROM s
-- @ fetch first
FETCH FIRST FROM s
-- @ fetch last
FETCH LAST FROM s
-- @ fetch absolute
FETCH ABSOLUTE 7 FROM s
-- @ fetch absolute from the end
FETCH ABSOLUTE -2 FROM s
-- @ fetch relative
FETCH RELATIVE -5 FROM s
-- @ fetch relative 0
FETCH RELATIVE 0 FROM s
-- @ fetch zero
FETCH 0 FROM s
-- @ fetch backward all
FETCH BACKWARD ALL FROM s
-- @ before the first
FETCH PRIOR FROM s
-- @ fetch all
FETCH ALL FROM s
-- @ after the last
FETCH s
-- @ move
MOVE ABSOLUTE 5 IN s
-- @ move backward
MOVE BACKWARD 2 IN s
-- @ move forward all
MOVE FORWARD ALL IN s
-- @ open cursors
SELECT name, statement, is_holdable, is_binary, is_scrollable FROM pg_cursors WHERE name = 's'
-- @ close
CLOSE s
-- @ closed
FETCH s
-- @ after the error
ROLLBACK
-- @ no scroll [simple]
BEGIN; DECLARE n NO SCROLL CURSOR FOR SELECT id FROM t ORDER BY id; FETCH 2 FROM n; FETCH PRIOR FROM n
-- @ done
ROLLBACK
-- @ with hold
DECLARE h CURSOR WITH HOLD FOR SELECT id, v FROM t WHERE id < 4 ORDER BY id
-- @ held over
FETCH 2 FROM h
-- @ held over again
FETCH ALL FROM h
-- @ close held
CLOSE h
-- @ binary cursor [simple]
BEGIN; DECLARE b BINARY CURSOR FOR SELECT id, v, id::bigint * 2, id::numeric / 3 FROM t ORDER BY id; FETCH 2 FROM b; COMMIT
-- @ insensitive [simple]
BEGIN; DECLARE i INSENSITIVE CURSOR FOR SELECT count(*) FROM t; DELETE FROM t WHERE id = 20; FETCH i; ROLLBACK
-- @ update where current of [simple]
BEGIN; DECLARE u CURSOR FOR SELECT * FROM t WHERE id > 2 FOR UPDATE; FETCH 2 FROM u; UPDATE t SET v = 'current' WHERE CURRENT OF u RETURNING *; DELETE FROM t WHERE CURRENT OF u; COMMIT
-- @ what it did
SELECT id, v FROM t WHERE id IN (3, 4, 5)
-- @ cursor after its savepoint [simple]
BEGIN; SAVEPOINT a; DECLARE g CURSOR FOR SELECT 1; ROLLBACK TO a; FETCH g
-- @ over
ROLLBACK
-- @ error in a cursor [simple]
BEGIN; DECLARE e CURSOR FOR SELECT 10 / (3 - id) FROM t ORDER BY id; FETCH 2 FROM e; FETCH 2 FROM e
-- @ end of it
COMMIT
-- @ refcursor from a function [simple]
CREATE FUNCTION opened() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE r refcursor := 'named'; BEGIN OPEN r FOR SELECT id FROM corpus_cursor.t ORDER BY id LIMIT 3; RETURN r; END $$; BEGIN; SELECT opened(); FETCH ALL FROM named; COMMIT; DROP FUNCTION opened()
-- @ cursor loops in DO
DO $$ DECLARE r record; n int := 0; c CURSOR (k int) FOR SELECT * FROM t WHERE id <= k; BEGIN FOR r IN c(5) LOOP n := n + r.id; END LOOP; RAISE NOTICE 'sum %', n; END $$
-- @ close all
CLOSE ALL
-- @ of nothing
FETCH ALL FROM nothing_open
-- @ declared twice [simple]
BEGIN; DECLARE d CURSOR FOR SELECT 1; DECLARE d CURSOR FOR SELECT 2
-- @ end
ROLLBACK
-- @ a large fetch [simple]
BEGIN; DECLARE l CURSOR FOR SELECT n, repeat('y', 100) FROM generate_series(1, 3000) n; FETCH 2000 FROM l; MOVE 500 IN l; FETCH ALL FROM l; COMMIT

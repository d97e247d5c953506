-- Everything that defines: tables, indexes, views, types, functions, triggers, policies, partitions.

-- @ fresh schema [reset]
SET client_min_messages = warning; DROP SCHEMA IF EXISTS corpus_ddl CASCADE; DROP SCHEMA IF EXISTS corpus_ddl2 CASCADE; SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = 4242

-- @ create schema
CREATE SCHEMA corpus_ddl
-- @ schema with its tables
CREATE SCHEMA corpus_ddl2 CREATE TABLE inside (id int) CREATE VIEW seen AS SELECT id FROM inside
-- @ path
SET search_path = corpus_ddl
-- @ create table
CREATE TABLE item (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, price numeric(8, 2) DEFAULT 1.00 CHECK (price > 0), total numeric GENERATED ALWAYS AS (price * 2) STORED, made date DEFAULT '2026-01-01')
-- @ create it again
CREATE TABLE item (id int)
-- @ create if not exists
CREATE TABLE IF NOT EXISTS item (id int)
-- @ insert into generated columns
INSERT INTO item (name, price) VALUES ('cup', 2.5), ('pot', 3) RETURNING *
-- @ a generated value cannot be given
INSERT INTO item (id, name) VALUES (7, 'x')
-- @ overriding
INSERT INTO item (id, name) OVERRIDING SYSTEM VALUE VALUES (100, 'forced') RETURNING id, total
-- @ create table like
CREATE TABLE item_copy (LIKE item INCLUDING ALL)
-- @ create table as
CREATE TABLE item_as AS SELECT id, name FROM item WITH DATA
-- @ create table as with no data
CREATE TABLE item_empty (a, b) AS SELECT id, name FROM item WITH NO DATA
-- @ select into
SELECT id, price INTO item_into FROM item
-- @ foreign key
CREATE TABLE sale (id serial, item integer REFERENCES item ON DELETE CASCADE ON UPDATE RESTRICT DEFERRABLE INITIALLY DEFERRED, n int, CONSTRAINT positive CHECK (n > 0) NO INHERIT)
-- @ unlogged
CREATE UNLOGGED TABLE quick (a int) WITH (fillfactor = 70)
-- @ exclusion constraint
CREATE TABLE booking (room int, during int4range, EXCLUDE USING gist (during WITH &&))
-- @ overlapping booking
INSERT INTO booking VALUES (1, '[1,5)'), (2, '[4,6)')
-- @ inheritance
CREATE TABLE child (extra int) INHERITS (item_as)
-- @ insert into a child
INSERT INTO child VALUES (9, 'kid', 1)
-- @ parent and only
SELECT (SELECT count(*) FROM item_as), (SELECT count(*) FROM ONLY item_as)
-- @ add column
ALTER TABLE item ADD COLUMN note varchar(20) DEFAULT 'none', ADD COLUMN IF NOT EXISTS flags bit(3)
-- @ stars after add column
SELECT * FROM item ORDER BY id
-- @ alter column type
ALTER TABLE item ALTER COLUMN note TYPE text USING upper(note)
-- @ alter defaults
ALTER TABLE item ALTER COLUMN note SET DEFAULT 'x', ALTER COLUMN note SET NOT NULL
-- @ drop not null
ALTER TABLE item ALTER note DROP NOT NULL, ALTER note DROP DEFAULT
-- @ rename column
ALTER TABLE item RENAME COLUMN note TO remark
-- @ drop column
ALTER TABLE item DROP COLUMN flags
-- @ drop a column that is not there
ALTER TABLE item DROP COLUMN IF EXISTS flags
-- @ add constraint
ALTER TABLE item ADD CONSTRAINT short CHECK (length(name) < 20) NOT VALID
-- @ validate
ALTER TABLE item VALIDATE CONSTRAINT short
-- @ constraint violated
INSERT INTO item (name) VALUES ('a name of more than twenty bytes')
-- @ drop constraint
ALTER TABLE item DROP CONSTRAINT short
-- @ rename table
ALTER TABLE item_copy RENAME TO item_twin
-- @ set schema
ALTER TABLE item_twin SET SCHEMA corpus_ddl2
-- @ create index
CREATE INDEX item_price ON item (price DESC NULLS LAST) INCLUDE (name) WHERE price > 1
-- @ expression index
CREATE UNIQUE INDEX ON item (lower(name))
-- @ index concurrently
CREATE INDEX CONCURRENTLY item_made ON item USING brin (made)
-- @ gin and hash indexes [simple]
CREATE INDEX ON item USING hash (remark); CREATE INDEX item_words ON item USING gin (to_tsvector('simple', name))
-- @ reindex
REINDEX TABLE item
-- @ index definitions
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'corpus_ddl' AND tablename = 'item' ORDER BY 1
-- @ cluster
CLUSTER item USING item_pkey
-- @ comment [simple]
COMMENT ON COLUMN item.name IS 'what it is called'; COMMENT ON TABLE item IS NULL
-- @ statistics object
CREATE STATISTICS item_stats (dependencies) ON name, price FROM item
-- @ create view
CREATE VIEW dear AS SELECT id, name, price FROM item WHERE price > 2
-- @ replace view
CREATE OR REPLACE VIEW dear AS SELECT id, name, price, price * 2 AS twice FROM item WHERE price > 2
-- @ replace view badly
CREATE OR REPLACE VIEW dear AS SELECT name FROM item
-- @ through the view
SELECT * FROM dear ORDER BY id
-- @ update through the view
UPDATE dear SET price = 9 WHERE name = 'pot' RETURNING *
-- @ view with check option
CREATE VIEW cheap WITH (security_barrier) AS SELECT * FROM item WHERE price < 5 WITH LOCAL CHECK OPTION
-- @ check option violated
UPDATE cheap SET price = 50
-- @ recursive view
CREATE RECURSIVE VIEW counted (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counted WHERE n < 5
-- @ from the recursive view
SELECT sum(n) FROM counted
-- @ temporary view
CREATE TEMP VIEW tv AS SELECT 1 AS one
-- @ materialised view
CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n, sum(price) FROM item WITH NO DATA
-- @ not populated
SELECT * FROM summary
-- @ refresh
REFRESH MATERIALIZED VIEW summary
-- @ populated
SELECT * FROM summary
-- @ sequence
CREATE SEQUENCE counter INCREMENT 5 MINVALUE 10 MAXVALUE 20 CYCLE
-- @ sequence values
SELECT nextval('counter'), nextval('counter'), nextval('counter'), nextval('counter'), currval('counter'), lastval()
-- @ sequence altered [simple]
ALTER SEQUENCE counter RESTART WITH 12; SELECT setval('counter', 15, false), nextval('counter'); SELECT last_value, is_called FROM counter
-- @ enum
CREATE TYPE level AS ENUM ('low', 'high')
-- @ enum grows
ALTER TYPE level ADD VALUE 'middle' BEFORE 'high'
-- @ enum in order
SELECT l FROM unnest(enum_range(NULL::level)) AS l ORDER BY l
-- @ enum value
SELECT 'middle'::level, 'middle'::level > 'low'
-- @ enum without that value
SELECT 'none'::level
-- @ composite type
CREATE TYPE pair AS (a int, b text)
-- @ composite value
SELECT (1, 'x')::pair, ((1, 'x')::pair).b
-- @ composite altered
ALTER TYPE pair ADD ATTRIBUTE c date
-- @ domain
CREATE DOMAIN even AS int DEFAULT 2 NOT NULL CONSTRAINT is_even CHECK (VALUE % 2 = 0)
-- @ domain value
SELECT 4::even, 3::even
-- @ domain null
SELECT NULL::even
-- @ range type
CREATE TYPE letters AS RANGE (subtype = text, collation = "C")
-- @ range value
SELECT '[a,c)'::letters @> 'b'
-- @ collation
CREATE COLLATION plain FROM "C"
-- @ sql function
CREATE FUNCTION add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN a + b
-- @ call it
SELECT add(1), add(1, 2), add(b => 5, a => 1), add(NULL)
-- @ function of a set
CREATE FUNCTION upto(n int) RETURNS SETOF item LANGUAGE sql STABLE AS 'SELECT * FROM item WHERE id <= n ORDER BY id'
-- @ call the set
SELECT * FROM upto(2)
-- @ function of a table
CREATE FUNCTION tab(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE plpgsql AS $$ BEGIN a := 1; b := 'x'; RETURN NEXT; a := 2; RETURN NEXT; END $$
-- @ call the table
SELECT * FROM tab()
-- @ replace function
CREATE OR REPLACE FUNCTION add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql AS $f$ SELECT a + b + 1 $f$
-- @ alter function
ALTER FUNCTION add(int, int) SET work_mem = '1MB'
-- @ polymorphic function
CREATE FUNCTION first_of(VARIADIC list anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT list[1]'
-- @ call polymorphic
SELECT first_of(3, 4), first_of('a'::text, 'b')
-- @ procedure
CREATE PROCEDURE fill(n int) LANGUAGE sql AS 'INSERT INTO quick SELECT generate_series(1, n)'
-- @ call procedure
CALL fill(3)
-- @ aggregate
CREATE AGGREGATE mul(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1')
-- @ use aggregate
SELECT mul(n) FROM generate_series(1, 5) n
-- @ operator
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, COMMUTATOR = ===)
-- @ use operator
SELECT 1 === 1, 1 OPERATOR(corpus_ddl.===) 2
-- @ trigger function
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.remark := TG_OP || ' ' || coalesce(NEW.remark, ''); RAISE NOTICE '% on %', TG_OP, TG_TABLE_NAME; RETURN NEW; END $$
-- @ trigger
CREATE TRIGGER stamped BEFORE INSERT OR UPDATE ON item FOR EACH ROW WHEN (NEW.price < 100) EXECUTE FUNCTION stamp()
-- @ trigger works
INSERT INTO item (name, price, remark) VALUES ('lid', 4, 'new') RETURNING name, remark
-- @ trigger on update
UPDATE item SET price = price + 1 WHERE name = 'lid' RETURNING remark
-- @ trigger disabled
ALTER TABLE item DISABLE TRIGGER stamped
-- @ statement trigger with transition table [simple]
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'changed %', (SELECT count(*) FROM news); RETURN NULL; END $$; CREATE TRIGGER telling AFTER UPDATE ON item REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION told(); UPDATE item SET price = price
-- @ instead of trigger [simple]
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'instead of %', TG_OP; RETURN OLD; END $$; CREATE TRIGGER i INSTEAD OF DELETE ON dear FOR EACH ROW EXECUTE FUNCTION instead(); DELETE FROM dear WHERE name = 'pot'
-- @ rule
CREATE RULE quietly AS ON DELETE TO sale DO INSTEAD NOTHING
-- @ rule works
DELETE FROM sale
-- @ row security [simple]
ALTER TABLE item ENABLE ROW LEVEL SECURITY; ALTER TABLE item FORCE ROW LEVEL SECURITY; CREATE POLICY few ON item FOR SELECT USING (price < 5); SELECT name FROM item ORDER BY id; ALTER TABLE item NO FORCE ROW LEVEL SECURITY
-- @ event triggers are the superuser's
CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION stamp()
-- @ partitioned by range
CREATE TABLE log (at date NOT NULL, what text) PARTITION BY RANGE (at)
-- @ partitions [simple]
CREATE TABLE log_25 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); CREATE TABLE log_rest PARTITION OF log DEFAULT
-- @ into partitions
INSERT INTO log VALUES ('2025-05-05', 'a'), ('2026-06-06', 'b'), ('1999-09-09', 'c')
-- @ which partition
SELECT tableoid::regclass::text, * FROM log ORDER BY at
-- @ between partitions
UPDATE log SET at = '2025-07-07' WHERE what = 'b'
-- @ partitions explained
EXPLAIN (COSTS OFF) SELECT * FROM log WHERE at = '2025-05-05'
-- @ detach
ALTER TABLE log DETACH PARTITION log_25
-- @ attach
ALTER TABLE log ATTACH PARTITION log_25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
-- @ partitioned by list and hash [simple]
CREATE TABLE byl (k text) PARTITION BY LIST (k); CREATE TABLE byl_a PARTITION OF byl FOR VALUES IN ('a', NULL); CREATE TABLE byh (k int) PARTITION BY HASH (k); CREATE TABLE byh_0 PARTITION OF byh FOR VALUES WITH (MODULUS 2, REMAINDER 0)
-- @ no partition for it
INSERT INTO byl VALUES ('z')
-- @ grant
GRANT SELECT, INSERT (name) ON item TO PUBLIC
-- @ who may
SELECT grantee, privilege_type FROM information_schema.role_table_grants WHERE table_schema = 'corpus_ddl' AND table_name = 'item' AND grantee = 'PUBLIC' ORDER BY 2
-- @ revoke
REVOKE ALL ON item FROM PUBLIC
-- @ default privileges
ALTER DEFAULT PRIVILEGES IN SCHEMA corpus_ddl GRANT SELECT ON TABLES TO PUBLIC
-- @ default privileges back
ALTER DEFAULT PRIVILEGES IN SCHEMA corpus_ddl REVOKE SELECT ON TABLES FROM PUBLIC
-- @ roles are not for everybody
CREATE ROLE corpus_nobody
-- @ grant to nobody
GRANT SELECT ON item TO no_such_role
-- @ databases are not for everybody
CREATE DATABASE corpus_nowhere
-- @ extension that is not there
CREATE EXTENSION no_such_extension
-- @ text search configuration
CREATE TEXT SEARCH CONFIGURATION simple2 (COPY = pg_catalog.simple)
-- @ publication is not for everybody
CREATE PUBLICATION corpus_pub FOR ALL TABLES
-- @ truncate several
TRUNCATE item, sale RESTART IDENTITY CASCADE
-- @ a foreign key keeps it
DROP TABLE item
-- @ drop cascades with notices
DROP TABLE item CASCADE
-- @ drop several
DROP TABLE IF EXISTS quick, nothing_here, booking
-- @ drop function
DROP FUNCTION add(int, int)
-- @ drop function that is not there
DROP FUNCTION add(int)
-- @ drop type in use
DROP TYPE level RESTRICT
-- @ drop procedure and aggregate [simple]
DROP PROCEDURE fill; DROP AGGREGATE mul(numeric); DROP SEQUENCE counter; DROP VIEW counted
-- @ drop schema that is not empty
DROP SCHEMA corpus_ddl
-- @ ddl in a transaction [simple]
BEGIN; CREATE TABLE gone (a int); INSERT INTO gone VALUES (1); SELECT * FROM gone; ROLLBACK; SELECT to_regclass('corpus_ddl.gone')
-- @ drop owned schema quietly [simple]
SET client_min_messages = warning; DROP SCHEMA corpus_ddl2 CASCADE; DROP SCHEMA corpus_ddl CASCADE; RESET client_min_messages

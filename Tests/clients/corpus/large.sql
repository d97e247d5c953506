-- Large, wide, long and empty.

-- @ table [setup]
DROP SCHEMA IF EXISTS corpus_large CASCADE; CREATE SCHEMA corpus_large; CREATE TABLE corpus_large.wide (@{", ".join(f"c{n} int DEFAULT {n}" for n in range(1600))}@); INSERT INTO corpus_large.wide DEFAULT VALUES;
CREATE TABLE corpus_large.none (); INSERT INTO corpus_large.none DEFAULT VALUES; INSERT INTO corpus_large.none DEFAULT VALUES
-- @ remove large objects [reset]
SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid IN (7001, 7002)
-- @ 1,600 columns
SELECT * FROM corpus_large.wide
-- @ 1,600 columns, no row
SELECT * FROM corpus_large.wide WHERE c0 < 0
-- @ 1,664 expressions
SELECT @{", ".join(f"{n} AS a{n}" for n in range(1664))}@
-- @ 1,665 are too many
SELECT @{", ".join(f"{n}" for n in range(1665))}@
-- @ a table without columns
SELECT * FROM corpus_large.none
-- @ its rows counted
SELECT count(*) FROM corpus_large.none
-- @ a value of 20 MB [only simple]
SELECT repeat('0123456789', 2000000)
-- @ a binary value of 20 MB [only binary]
SELECT decode(repeat('00ff', 10000000), 'hex')
-- @ a row of 20 MB in a hundred columns [only extended]
SELECT @{", ".join("repeat('abcdefghij', 20000)" for n in range(100))}@
-- @ a literal of 900,000 bytes
SELECT length('@{"l" * 900000}@')
-- @ the same back
SELECT '@{"ü" * 400000}@'
-- @ a comment of 900,000 bytes
SELECT 1 /* @{"c" * 900000}@ */
-- @ a name that is too long
SELECT 1 AS "@{"n" * 10000}@"
-- @ 10,000 literals
SELECT count(*) FROM (VALUES @{", ".join(f"({n}, 'v{n}')" for n in range(10000))}@) v
-- @ 2,000 statements in a string [simple]
@{"; ".join(f"SELECT {n}" for n in range(2000))}@
-- @ 30,000 rows
SELECT n FROM generate_series(1, 30000) n
-- @ 10,000 rows of eight columns
SELECT n, n::text, n % 2 = 0, n * 1.5, 'a' || n, NULL, date '2026-01-01' + n, ARRAY[n, n] FROM generate_series(1, 10000) n
-- @ 20,000 nulls
SELECT NULL::text, NULL::int FROM generate_series(1, 20000)
-- @ a concatenation of 500 terms
SELECT @{" || ".join("'t'" for n in range(500))}@
-- @ an array of 50,000
SELECT array_agg(n) FROM generate_series(1, 50000) n
-- @ a document of 3 MB
SELECT jsonb_object_agg('key ' || n, repeat('v', 100)) FROM generate_series(1, 25000) n
-- @ deep json
SELECT ('@{"[" * 1000}@' || '@{"]" * 1000}@')::jsonb
-- @ large object made [simple]
BEGIN; SELECT lo_create(7001); SELECT lo_put(7001, 0, repeat('large', 1000)::bytea); SELECT lo_put(7001, 5005, '\x0102'); COMMIT
-- @ large object read
SELECT length(lo_get(7001)), lo_get(7001, 4995, 20)
-- @ large object from bytes
SELECT lo_from_bytea(7002, '\xdeadbeef')
-- @ large object by descriptor [simple]
BEGIN; SELECT lo_open(7002, 393216); SELECT loread(0, 2), lo_tell(0), lo_lseek(0, 1, 0), lowrite(0, '\x00'), lo_truncate(0, 3), lo_tell64(0); SELECT lo_close(0); SELECT lo_get(7002); COMMIT
-- @ large objects listed
SELECT oid FROM pg_largeobject_metadata WHERE oid IN (7001, 7002) ORDER BY oid
-- @ large object that is not there
SELECT lo_get(7999)
-- @ large object comment and grant [simple]
COMMENT ON LARGE OBJECT 7001 IS 'seven'; GRANT SELECT ON LARGE OBJECT 7001 TO PUBLIC
-- @ large objects removed
SELECT lo_unlink(7001), lo_unlink(7002)
-- @ server files are not for everybody
SELECT lo_import('/etc/hostname')

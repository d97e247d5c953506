-- Statements with parameters, by the extended protocol.

-- @ table [setup]
DROP SCHEMA IF EXISTS corpus_param CASCADE; CREATE SCHEMA corpus_param; CREATE TYPE corpus_param.mood AS ENUM ('sad', 'happy'); CREATE TABLE corpus_param.t (id int PRIMARY KEY, v text, m corpus_param.mood, d jsonb)
-- @ rows [reset]
TRUNCATE corpus_param.t; INSERT INTO corpus_param.t VALUES (1, 'one', 'sad', '{}'), (2, 'two', NULL, '[1]')
-- @ by key
-- $ ["1"]
SELECT * FROM corpus_param.t WHERE id = $1
-- @ by text
-- $ ["t%"]
SELECT id FROM corpus_param.t WHERE v LIKE $1
-- @ null
-- $ [null]
SELECT * FROM corpus_param.t WHERE v = $1
-- @ is null
-- $ [null]
SELECT $1::int IS NULL
-- @ the same one twice
-- $ ["5"]
SELECT $1::int + $1::int
-- @ out of order
-- $ ["a", "b", "c"]
SELECT $3::text, $1::text, $2::text
-- @ an array
-- $ ["{1,2}"]
SELECT count(*) FROM corpus_param.t WHERE id = ANY ($1)
-- @ an enum
-- $ ["happy"]
UPDATE corpus_param.t SET m = $1 WHERE id = 2 RETURNING m
-- @ not of the enum
-- $ ["bored"]
UPDATE corpus_param.t SET m = $1 WHERE id = 2
-- @ insert
-- $ ["3", "three ünï 🦊", null, "{\"a\": [1]}"]
INSERT INTO corpus_param.t VALUES ($1, $2, $3, $4) RETURNING *
-- @ insert twice
-- $ ["3", "again"]
INSERT INTO corpus_param.t (id, v) VALUES ($1, $2)
-- @ upsert
-- $ ["3", "upserted"]
INSERT INTO corpus_param.t (id, v) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = $2 || '!' RETURNING v
-- @ limit and offset
-- $ ["1", "1"]
SELECT id FROM corpus_param.t ORDER BY id LIMIT $1 OFFSET $2
-- @ a date
-- $ ["2026-02-03"]
SELECT $1::date + 1, extract(dow FROM $1::date)
-- @ an interval and a time zone
-- $ ["1 day 2 hours", "Asia/Tokyo"]
SELECT timestamptz '2026-01-01 00:00+00' + $1::interval, timestamptz '2026-01-01 00:00+00' AT TIME ZONE $2
-- @ json operators
-- $ ["a"]
SELECT d -> $1, d ->> 0 FROM corpus_param.t ORDER BY id
-- @ a question mark is an operator
-- $ ["a"]
SELECT d ? $1 FROM corpus_param.t ORDER BY id
-- @ quotes and semicolons
-- $ ["'; DROP TABLE corpus_param.t; --"]
SELECT $1::text, length($1::text)
-- @ an empty string
-- $ [""]
SELECT $1::text = '', $1::text IS NULL
-- @ bytea
-- $ ["\\x00ff"]
SELECT $1::bytea || '\x01'
-- @ a composite
-- $ ["(9,nine,sad,null)"]
SELECT ($1::corpus_param.t).v, $1::corpus_param.t
-- @ bad number
-- $ ["12a"]
SELECT $1::int
-- @ bad number for a column
-- $ ["x"]
DELETE FROM corpus_param.t WHERE id = $1
-- @ missing one
-- $ ["1"]
SELECT $1::int, $2::int
-- @ one too many
-- $ ["1", "2"]
SELECT $1::int
-- @ no type
-- $ ["what"]
SELECT $1
-- @ in a set
-- $ ["1"]
SET work_mem = $1
-- @ in a utility
-- $ ["t"]
DROP TABLE $1
-- @ a hundred
-- $ [@{", ".join(f'"{n}"' for n in range(100))}@]
SELECT @{" + ".join(f"${n}::int" for n in range(1, 101))}@
-- @ regclass by value
-- $ ["corpus_param.t"]
SELECT count(*) FROM pg_class WHERE oid = $1::regclass
-- @ in a function
-- $ ["4", "{5,6}"]
SELECT * FROM generate_series(1, $1::int) g, unnest($2::int[]) u
-- @ copy takes none
-- $ ["1"]
COPY (SELECT $1::int) TO STDOUT
-- @ delete returning
-- $ ["3"]
DELETE FROM corpus_param.t WHERE id = $1 RETURNING id, v

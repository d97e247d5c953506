-- Every family of types, by literals and columns, so that text and binary results both pass.

-- @ types and a table [setup]
DROP SCHEMA IF EXISTS corpus_types CASCADE; CREATE SCHEMA corpus_types;
CREATE TYPE corpus_types.colour AS ENUM ('red', 'green', 'dark blue', 'Ünï');
CREATE TYPE corpus_types.place AS (x integer, y numeric, label text);
CREATE TYPE corpus_types.nested AS (p corpus_types.place, tags text[]);
CREATE DOMAIN corpus_types.email AS text CHECK (VALUE ~ '^[^@]+@[^@]+$');
CREATE DOMAIN corpus_types.grid AS integer[] CHECK (array_length(VALUE, 1) < 5);
CREATE TYPE corpus_types.span AS RANGE (subtype = time);
CREATE TABLE corpus_types.wide (a smallint, b integer, c bigint, d numeric(12, 4), e real, f double precision, g boolean, h char(4),
  i varchar(9), j text, k bytea, l date, m time(3), n timetz, o timestamp(0), p timestamptz, q interval, r uuid, s json, t jsonb,
  u inet, v cidr, w macaddr, x macaddr8, y bit(5), z bit varying(9), aa point, ab line, ac lseg, ad box, ae path, af polygon, ag circle,
  ah tsvector, ai tsquery, aj xml, ak int4range, al daterange, am int8multirange, an money, ao oid, ap name, aq "char", ar pg_lsn,
  au integer[], av text[][], aw corpus_types.colour, ax corpus_types.place, ay corpus_types.email, az corpus_types.span);
INSERT INTO corpus_types.wide VALUES (-32768, -2147483648, -9223372036854775808, 12345678.9012, 3.25, -2.5e-300, true, 'ab', 'varchar', 'ünï',
  '\xdeadbeef00', '2024-02-29', '23:59:59.999', '12:34:56+02', '1999-12-31 23:59:59.6', '2026-06-01 00:00+00', '1 mon -1 day 01:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '{"a" : 1, "a":2}', '{"b":[1,2,{"c":null}]}', '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:ff:fe:01:02:03', B'10101', B'110',
  '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '(3,4),(1,2)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3>', '''a'':1 ''b'':2B',
  '''a'' & !''b'' | ''c'':*', '<r><x/></r>', '[1,10)', '[2026-01-01,2026-02-01)', '{[1,3),[7,9)}', '-12.34', 4294967295, 'aname', 'q', '16/B374D848',
  '{{1,2},{3,NULL}}', '{{a,"b c"},{"d\"e",NULL}}', 'dark blue', '(1,2.50,"la,bel")', 'a@b.c', '[08:00,17:30)'); INSERT INTO corpus_types.wide (a, j) VALUES (NULL, NULL), (7, 'only two')

-- @ every column
SELECT * FROM corpus_types.wide
-- @ every column by its expression
SELECT a + 1, b / 2, c % 7, round(d, 1), e * 2, f / 2, NOT g, h || '|', i || j, length(k), l + 1, m + interval '1 min', o::date, q * 2, r::text, t -> 'b' FROM corpus_types.wide
-- @ smallint
SELECT 32767::smallint, (-32768)::smallint, 0::int2
-- @ integer limits
SELECT 2147483647, -2147483648, '0007'::int, +5
-- @ bigint
SELECT 9223372036854775807, -9223372036854775808::bigint, 4294967296
-- @ numeric scales
SELECT 0.0, 0.00, 1e3::numeric, 1e-3::numeric, 100.10::numeric(10, 4), 1234567890.0987654321, 9e30::numeric, -0.5
-- @ numeric of 200 digits
SELECT repeat('9', 200)::numeric, ('0.' || repeat('1', 150))::numeric
-- @ numeric specials
SELECT 'NaN'::numeric, 'infinity'::numeric, '-infinity'::numeric
-- @ real
SELECT 1.17549435e-38::real, 3.4028235e38::real, 0.1::real, 'NaN'::real, 'inf'::real
-- @ double precision
SELECT 0.1::float8, 1/3::float8, 5e-324::float8, 1.7976931348623157e308::float8, '-0'::float8
-- @ booleans by words
SELECT 'yes'::bool, 'off'::bool, 't'::bool, '0'::bool, NOT NULL::bool
-- @ char padded
SELECT 'a'::char(3), 'a  '::char(3) = 'a', length('a '::char(5)), 'é'::char(2)
-- @ varchar and text
SELECT 'abc'::varchar, 'abcdef'::varchar(3), ''::text, E'a\nb\tc\\d'::text, repeat('ü', 10)
-- @ name and char
SELECT 'some_name'::name, repeat('x', 70)::name, 'a'::"char", ''::"char", E'\\'::"char"
-- @ bytea in hex and escape
SELECT '\x'::bytea, '\x00'::bytea, E'\\000\\377abc'::bytea, decode('AQID', 'base64'), '\xDEADbeef'::bytea
-- @ dates
SELECT '0001-01-01'::date, '5874897-12-31'::date, '4713-11-24 BC'::date, '-infinity'::date, 'epoch'::date, DATE '1 Feb 2003'
-- @ times
SELECT '00:00'::time, '24:00:00'::time, '04:05:06.789123'::time(2), TIME '04:05 PM'
-- @ times with zone
SELECT '04:05:06-08:00'::timetz, '04:05:06.5+15:59:59'::timetz
-- @ timestamps
SELECT '4713-11-24 00:00 BC'::timestamp, '294276-12-31 23:59:59.999999'::timestamp, 'infinity'::timestamp, '2026-11-21T10:11:12'::timestamp(0)
-- @ timestamps with zone
SELECT '2026-07-01 12:00 Europe/Berlin'::timestamptz, '2026-07-01 12:00-11'::timestamptz, '-infinity'::timestamptz
-- @ intervals
SELECT 'P1Y2M3DT4H5M6.7S'::interval, '1-2'::interval, '178000000 years'::interval, '-00:00:00.000001'::interval, interval '90' minute, interval '1.5' day
-- @ uuid
SELECT 'A0EEBC999C0B4EF8BB6D6BB9BD380A11'::uuid, '{00000000-0000-0000-0000-000000000000}'::uuid
-- @ inet
SELECT '127.0.0.1'::inet, '::1'::inet, '2001:db8::/32'::inet, '::ffff:1.2.3.4'::inet, inet '10.1.2.3/16'
-- @ cidr and macaddr
SELECT '192.168/24'::cidr, '2001:db8::/48'::cidr, '0800.2b01.0203'::macaddr, '08002b:010203'::macaddr8
-- @ bits
SELECT B'', B'1', X'1FF', B'101'::bit(6), 5::bit(8), B'11111111111111111'::varbit
-- @ points and lines
SELECT '(0,0)'::point, '(1e300,-1e-300)'::point, '{0,1,-1}'::line, '[(1,2),(3,4)]'::lseg
-- @ boxes, paths, polygons, circles
SELECT '(1,1),(0,0)'::box, '((0,0),(1,0))'::path, '[(0,0),(1,0)]'::path, '((0,0),(0,1),(1,1))'::polygon, '<(0,0),1.5>'::circle
-- @ json keeps its spelling
SELECT '{"b": 1,   "a": [true, null]}'::json, '"just text"'::json, '12e3'::json, '[]'::json
-- @ jsonb does not
SELECT '{"b": 1,   "a": [true, null], "b": 2}'::jsonb, '"\u00fc\n"'::jsonb, '1.50'::jsonb, 'null'::jsonb, '{}'::jsonb
-- @ jsonpath
SELECT '$.a[*] ? (@.b > 1)'::jsonpath, 'strict $."key with space"'::jsonpath
-- @ xml
SELECT '<?xml version="1.0"?><a b="c">d</a>'::xml, xmlelement(name x, xmlattributes(1 AS y), 'z'), xmlforest(1 AS one, 'two' AS two), 'plain'::xml
-- @ text search
SELECT 'a:1A fat:2B,4C cat:5D'::tsvector, 'fat & (rat | cat) & !dog'::tsquery, 'fat <-> rat'::tsquery, 'sup:*'::tsquery, ''::tsvector
-- @ ranges
SELECT '[1,5]'::int4range, '(1,5)'::int8range, '(,)'::numrange, 'empty'::daterange, '[2026-01-01,)'::tsrange, '(1.5,2.5]'::numrange
-- @ multiranges
SELECT '{}'::int4multirange, '{[1,2),[2,3)}'::int4multirange, '{(,5),[7,)}'::nummultirange, '{[2026-01-01,2026-01-02]}'::datemultirange
-- @ own range
SELECT '[09:00,10:00)'::corpus_types.span, corpus_types.span('1:00', '2:00', '(]'), upper('[09:00,10:00)'::corpus_types.span)
-- @ enums
SELECT 'red'::corpus_types.colour, 'Ünï'::corpus_types.colour, enum_range(NULL::corpus_types.colour), 'red'::corpus_types.colour < 'green'
-- @ composites
SELECT ROW(1, 2.5, 'x')::corpus_types.place, (ROW(1, 2.5, 'x')::corpus_types.place).label, ROW(NULL, NULL, '')::corpus_types.place, '(,,"q""uote")'::corpus_types.place
-- @ composites in composites
SELECT ROW(ROW(1, 2, 'a,b'), ARRAY['c', 'd e'])::corpus_types.nested, ARRAY[ROW(1, 2, 'x')::corpus_types.place, NULL]
-- @ records
SELECT ROW(1, 'a', NULL, 2.5), ROW(), ROW(ROW(1)), (1, 2) = (1, 2)
-- @ domains
SELECT 'me@here'::corpus_types.email, '{1,2}'::corpus_types.grid, ARRAY['a@b']::corpus_types.email[]
-- @ arrays of integers
SELECT '{}'::int[], '{1,2,3}'::int[], '{NULL}'::int[], '[2:4]={1,2,3}'::int[], '{{1},{2}}'::int[], ARRAY[[[1]]]
-- @ arrays of text
SELECT '{a,"b c","d\"e","",NULL,"NULL"}'::text[], ARRAY['x', E'\\', '{}', 'ü']::varchar[], ARRAY['a']::char(3)[]
-- @ arrays of others
SELECT '{t,f}'::bool[], '{1.50,NaN}'::numeric[], '{2026-01-01}'::date[], ARRAY['\x01'::bytea], ARRAY['{"a":1}'::jsonb], ARRAY['(1,2)'::point, '(3,4)'], ARRAY[interval '1 h']
-- @ arrays of enums and ranges
SELECT '{red,"dark blue"}'::corpus_types.colour[], ARRAY['[1,2)'::int4range], ARRAY['10.0.0.1'::inet], ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]
-- @ object identifiers
SELECT 'pg_catalog.pg_class'::regclass, 'integer'::regtype, 'lower(text)'::regprocedure, '+(integer,integer)'::regoperator, 'english'::regconfig, 'pg_catalog'::regnamespace, 0::oid
-- @ vectors, lsn, snapshots
SELECT '1 2 3'::int2vector, '4 5'::oidvector, '0/0'::pg_lsn, '10:20:10,14'::pg_snapshot, '(0,1)'::tid, '5'::xid, '6'::xid8, '7'::cid
-- @ money
SELECT '$1,234.56'::money, '-5'::money, 92233720368547758.07::money
-- @ unknown and null
SELECT NULL, 'unknown', NULL::point, NULL::int[], NULL::corpus_types.place
-- @ pseudo-types by functions
SELECT pg_typeof(1), pg_typeof('x'::corpus_types.colour)::text, pg_sleep(0), json_typeof('[]')
-- @ casts between
SELECT '12'::text::int, 12::text, 1::bool, true::int, 'a'::text::bytea, 65::"char", 3.7::int, 3.5::int, 2.5::int, '1'::bit::int
-- @ collations
SELECT 'a' < 'B' COLLATE "C", 'ä' COLLATE "und-x-icu", upper('straße' COLLATE "C.utf8")
-- @ unicode text
SELECT '日本語', 'עברית', '👩‍👩‍👧‍👦', U&'\0041\+01F600', chr(1114111), E'\u00e9\U0001F98A', length('👩‍👩‍👧‍👦'), octet_length('日本')
-- @ control characters
SELECT E'\x01\x02\x1b[31m\x7f', E'\b\f\n\r\t\v'
-- @ extra float digits [simple]
SET extra_float_digits = 0; SELECT 0.1::float4, 1/3::float8; RESET extra_float_digits
-- @ bytea as escape [simple]
SET bytea_output = escape; SELECT '\x00ff41'::bytea; RESET bytea_output
-- @ interval styles [simple]
SET IntervalStyle = iso_8601; SELECT interval '1 year 2 days 03:04'; SET IntervalStyle = sql_standard; SELECT interval '1 year 2 days -03:04'; RESET IntervalStyle
-- @ date styles [simple]
SET DateStyle = 'German, DMY'; SELECT date '2026-01-31', timestamp '2026-01-31 10:00'; SET DateStyle = 'Postgres'; SELECT timestamptz '2026-01-31 10:00+00'; RESET DateStyle
-- @ time zones [simple]
SET TIME ZONE 'America/St_Johns'; SELECT timestamptz '2026-07-01 00:00+00'; SET TIME ZONE INTERVAL '-08:30' HOUR TO MINUTE; SELECT timestamptz '2026-07-01 00:00+00'; SET TIME ZONE DEFAULT
-- @ client encoding LATIN1 [simple]
SET client_encoding = 'LATIN1'; SELECT chr(252), 'plain'; RESET client_encoding
-- @ not in LATIN1 [simple]
SET client_encoding = 'LATIN1'; SELECT chr(8364)
-- @ client encoding back [simple]
RESET client_encoding

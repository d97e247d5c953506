-- What PostgreSQL computes: functions and operators of all families.

-- @ strings
SELECT upper('abc'), initcap('two words'), substring('Thomas' FROM 2 FOR 3), overlay('Txxxxas' PLACING 'hom' FROM 2), position('om' IN 'Thomas'), trim(BOTH 'x' FROM 'xTomx')
-- @ more strings
SELECT lpad('hi', 5, 'xy'), rpad('hi', 5), split_part('a~b~c', '~', 2), translate('12345', '143', 'ax'), reverse('abc'), left('abc', -1), ascii('x'), chr(65)
-- @ formatting
SELECT format('%s %I %L %%', 'a', 'B c', 'd''e'), format('%2$s %1$s', 'a', 'b'), concat_ws(',', 'a', NULL, 'b'), quote_nullable(NULL), quote_literal(E'a\\b')
-- @ regular expressions
SELECT 'abc' ~ '^a', 'ABC' ~* 'b', regexp_replace('a1b2', '\d', '#', 'g'), regexp_match('foobar', '(o+)(b)'), regexp_count('aaa', 'a'), regexp_substr('x12y', '\d+')
-- @ regular expression sets
SELECT * FROM regexp_matches('a1b2c3', '([a-z])(\d)', 'g'), regexp_split_to_table('x y z', '\s')
-- @ like
SELECT 'abc' LIKE 'a%', 'a_c' LIKE 'a\_c', 'abc' ILIKE 'A_C', 'abc' SIMILAR TO '(a|b)%', 'x' LIKE ANY (ARRAY['y', 'x'])
-- @ hashes and encodings
SELECT md5('a'), sha256('a'), encode('\x0102', 'hex'), encode('abc', 'base64'), convert_from('\xc3bc', 'UTF8'), crc.c FROM (SELECT hashtext('a') AS c) crc
-- @ mathematics
SELECT abs(-5), ceil(1.2), floor(-1.2), round(2.567, 2), trunc(-2.5), mod(7, 3), power(2, 10), sqrt(2::numeric), exp(1.0), ln(2.0), log(100), cbrt(27.0::float8), sign(-3), gcd(12, 18), 5 # 3, 1 << 4, ~1
-- @ trigonometry
SELECT pi(), sin(0), degrees(pi()), atan2(1, 1), sind(30)
-- @ width_bucket and random with a seed [simple]
SELECT setseed(0.5); SELECT width_bucket(5.35, 0.024, 10.06, 5), random() < 2
-- @ dates and times
SELECT date_trunc('month', timestamp '2026-05-17 12:34'), extract(doy FROM date '2026-02-01'), age(timestamp '2026-01-01', timestamp '2000-02-29'), make_date(2026, 1, 2), date_bin('15 min', timestamp '2026-01-01 00:20', timestamp '2026-01-01')
-- @ to_char
SELECT to_char(1234.5, '9G999D99'), to_char(-12, 'S99'), to_char(timestamp '2026-01-02 03:04', 'Day DD Mon YYYY HH24:MI'), to_char(interval '1 day', 'DD'), to_char(485, 'RN')
-- @ to_date and to_number
SELECT to_date('05 Dec 2000', 'DD Mon YYYY'), to_timestamp('2026-01-01', 'YYYY-MM-DD') AT TIME ZONE 'UTC', to_number('12,454.8-', '99G999D9S'), to_timestamp(0) AT TIME ZONE 'UTC'
-- @ overlaps and between
SELECT (date '2026-01-01', date '2026-02-01') OVERLAPS (date '2026-01-15', date '2026-03-01'), 5 BETWEEN SYMMETRIC 9 AND 1, isfinite(date 'infinity')
-- @ generate_series
SELECT * FROM generate_series(timestamp '2026-01-01', '2026-01-03', '12 hours') t
-- @ json building
SELECT json_build_object('a', 1, 'b', ARRAY[1, 2]), jsonb_build_array(1, 'x', NULL), to_json('q"'::text), row_to_json(ROW(1, 'a')), json_object('{a,1,b,2}')
-- @ json reading
SELECT '{"a":{"b":[10,20]}}'::jsonb -> 'a' -> 'b' ->> 1, '{"a":1}'::jsonb @> '{"a":1}', '{"a":1}'::jsonb ? 'a', '[1,2]'::jsonb - 0, '{"a":1}'::jsonb || '{"b":2}', '{"a":{"b":1}}'::jsonb #- '{a,b}'
-- @ json functions
SELECT jsonb_set('{"a":[1]}', '{a,0}', '9'), jsonb_pretty('{"a":[1,2]}'), jsonb_strip_nulls('{"a":null,"b":1}'), jsonb_path_query_array('[1,2,3]', '$[*] ? (@ > 1)'), jsonb_insert('[1]', '{0}', '0')
-- @ json sets
SELECT * FROM jsonb_each('{"a":1,"b":"x"}'), json_array_elements('[1,[2]]')
-- @ json to records
SELECT * FROM jsonb_to_recordset('[{"a":1,"b":"x"},{"a":2}]') AS t(a int, b text)
-- @ json aggregates
SELECT json_agg(n), jsonb_object_agg(n::text, n * n) FROM generate_series(1, 3) n
-- @ arrays
SELECT ARRAY[1, 2] || 3, array_position(ARRAY['a', 'b'], 'b'), array_remove(ARRAY[1, 2, 1], 1), (ARRAY[1, 2, 3])[2:3], cardinality('{{1,2},{3,4}}'::int[]), array_to_string(ARRAY[1, NULL, 3], ',', '*'), string_to_array('a,b', ','), trim_array(ARRAY[1, 2, 3], 1)
-- @ array operators
SELECT ARRAY[1, 2] @> ARRAY[1], ARRAY[1] && ARRAY[2], 2 = ANY (ARRAY[1, 2]), 3 > ALL (ARRAY[1, 2]), array_fill(7, ARRAY[2, 2]), ARRAY(SELECT n FROM generate_series(1, 3) n)
-- @ unnest
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) WITH ORDINALITY AS t(n, s, i)
-- @ ranges
SELECT int4range(1, 5) * int4range(3, 9), int4range(1, 5) @> 3, lower(numrange(1.1, 2)), range_merge('[1,2)'::int4range, '[5,6)'), int4range(1, 3) -|- int4range(3, 5), isempty('empty'::int4range), '{[1,3),[5,7)}'::int4multirange - '{[2,6)}'
-- @ range aggregate
SELECT range_agg(int4range(n, n + 2)), range_intersect_agg(int4range(n, 9)) FROM generate_series(1, 5, 3) n
-- @ geometry
SELECT point(1, 2) <-> point(4, 6), box '(2,2),(0,0)' && box '(1,1),(3,3)', area(circle '<(0,0),2>'), center(box '(0,0),(2,2)'), circle '<(0,0),1>' @> point '(0.5,0)', path '((0,0),(1,1))' + point '(1,0)'
-- @ network functions
SELECT host('10.1.2.3/8'::inet), masklen('10.0.0.0/8'), network('10.1.2.3/8'), inet '10.0.0.5' << cidr '10.0.0.0/8', inet '10.0.0.1' + 5, broadcast('10.1.2.3/24')
-- @ text search functions
SELECT to_tsvector('english', 'The quick brown foxes jumped'), plainto_tsquery('english', 'jumping fox'), websearch_to_tsquery('english', '"a b" -c or d'), to_tsvector('english', 'foxes') @@ to_tsquery('english', 'fox')
-- @ text search ranking
SELECT ts_rank(to_tsvector('simple', 'a b a'), 'a'::tsquery), ts_headline('english', 'The fat cat', 'cat'::tsquery), setweight('a:1'::tsvector, 'A'), strip('a:1'::tsvector)
-- @ text search debugging
SELECT alias, token FROM ts_debug('english', 'The 3 cats')
-- @ xml functions
SELECT xpath('/a/b/text()', '<a><b>1</b><b>2</b></a>'), xmlagg(x), xml_is_well_formed('<a/>'), xmlexists('//b' PASSING '<a><b/></a>') FROM (VALUES ('<i/>'::xml), ('<j/>')) v(x)
-- @ xmltable
SELECT * FROM xmltable('/r/i' PASSING '<r><i n="1">a</i><i n="2">b</i></r>'::xml COLUMNS n int PATH '@n', t text PATH '.', o FOR ORDINALITY)
-- @ xml comments and processing
SELECT xmlcomment('c'), xmlpi(name php, 'echo'), xmlconcat('<a/>', '<b/>'), xmlparse(content 'x<y/>'), xmlserialize(content '<z/>'::xml AS text)
-- @ aggregates
SELECT count(*), sum(n), avg(n), min(n), max(n), stddev(n), bool_and(n > 0), bit_or(n), string_agg(n::text, '-' ORDER BY n DESC), every(n < 9) FROM generate_series(1, 5) n
-- @ ordered sets
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY n % 3) FROM generate_series(1, 9) n
-- @ hypothetical sets
SELECT rank(3) WITHIN GROUP (ORDER BY n), cume_dist(3) WITHIN GROUP (ORDER BY n) FROM generate_series(1, 5) n
-- @ statistics
SELECT corr(y, x), regr_slope(y, x), covar_pop(y, x), var_samp(x) FROM (VALUES (1.0, 2.0), (2, 4), (3, 7)) v(x, y)
-- @ filtered aggregates
SELECT count(*) FILTER (WHERE n > 2), array_agg(DISTINCT n % 2), sum(DISTINCT n % 3) FROM generate_series(1, 6) n
-- @ conditionals
SELECT CASE WHEN 1 > 2 THEN 'a' WHEN NULL THEN 'b' ELSE 'c' END, CASE 3 WHEN 1 THEN 'x' END, coalesce(NULL, 2), nullif(1, 1), greatest(1, NULL, 3), least('b', 'a')
-- @ comparisons with null
SELECT NULL = NULL, NULL IS DISTINCT FROM 1, 1 IS NOT DISTINCT FROM 1, num_nulls(1, NULL), (1, NULL) IS NULL, ROW(NULL) IS NULL, true IS UNKNOWN
-- @ enum and type functions
SELECT format_type(23, NULL), format_type(1700, 655366), col_description(0, 0), to_regclass('nothing.here'), pg_get_expr(NULL, 0)
-- @ sizes
SELECT pg_size_pretty(123456789::bigint), pg_column_size(1), pg_size_bytes('1 MB')
-- @ system information
SELECT version() ~ '^PostgreSQL 15', current_catalog = current_database(), pg_is_in_recovery(), inet_server_addr() IS NOT NULL, pg_client_encoding(), current_setting('server_version_num')::int / 10000
-- @ acl functions
SELECT has_schema_privilege('pg_catalog', 'USAGE'), has_table_privilege('pg_class', 'SELECT'), pg_has_role(current_user, 'MEMBER'), has_database_privilege(current_database(), 'CREATE')
-- @ window functions
SELECT n, row_number() OVER w, rank() OVER w, dense_rank() OVER w, lag(n) OVER w, lead(n, 2, -1) OVER w, first_value(n) OVER w, nth_value(n, 2) OVER w, ntile(2) OVER w, percent_rank() OVER w FROM (VALUES (1), (2), (2), (5)) v(n) WINDOW w AS (ORDER BY n)
-- @ window frames
SELECT n, sum(n) OVER (ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), sum(n) OVER (ORDER BY n RANGE BETWEEN 1 PRECEDING AND CURRENT ROW), count(*) OVER (ORDER BY n GROUPS 1 PRECEDING EXCLUDE TIES) FROM (VALUES (1), (2), (2), (5)) v(n)
-- @ window partitions
SELECT n % 2 AS p, n, avg(n) OVER (PARTITION BY n % 2 ORDER BY n) FROM generate_series(1, 6) n ORDER BY p, n
-- @ functions in FROM
SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) WITH ORDINALITY
-- @ sets in the target list
SELECT generate_series(1, 3), generate_series(1, 2)
-- @ a function with named and variadic arguments
SELECT make_interval(days => 3, hours => 4), format(VARIADIC ARRAY['%s-%s', 'a', 'b']), concat(VARIADIC ARRAY[1, 2])
-- @ bit and bytea functions
SELECT get_bit('\x05'::bytea, 0), set_byte('\x0000'::bytea, 1, 255), bit_count(B'1011'), substring('\x010203'::bytea FROM 2), B'101' | B'010', overlay('\x0000'::bytea PLACING '\xff' FROM 1)
-- @ operators spelled out
SELECT 1 OPERATOR(pg_catalog.+) 2, 'a' || 1, -(-3), 2 ^ 3, |/ 16, @ -5, 7 / 2, 7.0 / 2, '5' + 1
-- @ query to xml
SELECT query_to_xml('SELECT 1 AS a', true, false, '')
-- @ merge of rows as json
SELECT to_jsonb(t) FROM (SELECT 1 AS a, NULL AS b, ARRAY[1] AS c) t

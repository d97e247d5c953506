-- What the benchmark reads: 200,000 rows of about 100 bytes, as pgbench's own accounts have.
CREATE TABLE accounts (aid integer PRIMARY KEY, bid integer NOT NULL, abalance integer NOT NULL, filler char(84) NOT NULL);
INSERT INTO accounts SELECT n, n / 1000, n * 7919 % 100000, md5(n::text) FROM generate_series(1, 200000) n;
-- And what masks are measured on: eight columns, two of them masked, ssn and email.
CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, ssn text NOT NULL, email text NOT NULL, city text NOT NULL,
  born date NOT NULL, balance bigint NOT NULL, note text NOT NULL);
INSERT INTO people SELECT n, 'name ' || n, lpad((n * 7919)::text, 11, '0'), md5(n::text) || '@example.com', 'city ' || n % 100,
  date '1950-01-01' + n % 20000, n * 7919::bigint, md5((n * 3)::text) FROM generate_series(1, 200000) n;
GRANT SELECT ON accounts, people TO bench_app, bench_standin;
VACUUM (ANALYZE, FREEZE) accounts, people;

-- What the benchmark reads: 200,000 rows of about 100 bytes, as pgbench's own accounts have.
CREATE TABLE accounts (aid integer PRIMARY KEY, bid integer NOT NULL, abalance integer NOT NULL, filler char(84) NOT NULL);
INSERT INTO accounts SELECT n, n / 1000, n * 7919 % 100000, md5(n::text) FROM generate_series(1, 200000) n;
GRANT SELECT ON accounts TO bench_app, bench_standin;
VACUUM (ANALYZE, FREEZE) accounts;

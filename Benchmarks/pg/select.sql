\set aid random(1, 200000)
SELECT abalance FROM accounts WHERE aid = :aid;

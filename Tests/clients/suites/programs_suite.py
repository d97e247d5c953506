"""PostgreSQL's own programs: psql at a terminal and with files, pgbench, pg_dump and pg_restore, pg_isready.

Left out of the output: the times in \\watch's titles and pgbench's reports, how often \\watch came around.
"""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from suite import case, digest, main, say

BIN = Path(os.environ.get("SALLYPORT_TEST_PG_BIN", "/usr/lib/postgresql/15/bin"))
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "TERM": "dumb", "PSQL_HISTORY": "/dev/null"}


def run(program, *arguments, text=None, **more):
    end = subprocess.run([BIN / program, *arguments], input=text, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, **more)
    return end.returncode, end.stdout, end.stderr


def psql(dsn, *arguments, text=None, **more):
    return run("psql", "-X", "-d", dsn, *arguments, text=text, **more)


def masked(dsn, words):
    """What a message says about where it was sent is not the same on both sides."""
    at = conninfo_to_dict(dsn)
    for name in ("port", "user", "dbname"):
        words = re.sub(rf"\b{re.escape(at[name])}\b", name, words)
    return words


@case
def set_up(dsn):
    say(psql(dsn, "-q", text="""SET client_min_messages = error; DROP SCHEMA IF EXISTS suite_programs CASCADE; CREATE SCHEMA suite_programs;
        CREATE TABLE suite_programs.item (id serial PRIMARY KEY, name text, data bytea);
        INSERT INTO suite_programs.item (name, data) SELECT 'item ' || n, decode(md5(n::text), 'hex') FROM generate_series(1, 300) n"""))


class Terminal:
    """psql at a terminal without echo, so that Ctrl-C does what it does for people."""

    def __init__(self, dsn, *arguments):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(BIN / "psql", ["psql", "-X", "-n", "-P", "pager=off", "-d", dsn, *arguments], ENVIRONMENT)
        self.seen = ""
        self.expect("=> ")

    def expect(self, words, seconds=20):
        """What came up to these words."""
        end = time.monotonic() + seconds
        while words not in self.seen:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"waited {seconds} s for {words!r} after {self.seen[-300:]!r}")
            try:
                self.seen += os.read(self.terminal, 65536).decode().replace("\r\n", "\n")
            except OSError:  # the other end is gone
                raise AssertionError(f"psql ended: {self.seen[-300:]!r}") from None
        before, _, self.seen = self.seen.partition(words)
        return before

    def type(self, text):
        os.write(self.terminal, text.encode())

    def ask(self, line):
        """The lines of the answer, without the echo of what was typed."""
        self.type(line + "\n")
        self.expect(line + "\n")
        return self.expect(self.prompt)

    prompt = "=> "

    def end(self):
        self.type("\\q\n")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def at_work(dsn, what):
    """Waits until a statement with these words runs; seen from another connection."""
    text = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '{what}%'"
    for _ in range(200):
        if psql(dsn, "-At", "-c", text)[1].strip() != "0":
            return
        time.sleep(0.02)
    raise AssertionError(f"{what} does not run")


@case
def ctrl_c_at_a_terminal(dsn):
    terminal = Terminal(dsn, "-v", "PROMPT1=%x=> ", "-v", "PROMPT2=%x-> ")
    say(terminal.ask("SELECT 1 AS one;"))
    terminal.type("SELECT pg_sleep(30);\n")
    at_work(dsn, "SELECT pg_sleep(30)")
    terminal.type("\x03")
    say(terminal.expect("=> "))
    say(terminal.ask("SELECT 'goes on';"))
    terminal.ask("BEGIN;")
    terminal.type("SELECT count(*) FROM generate_series(1, 10000000000);\n")
    at_work(dsn, "SELECT count(*) FROM generate_series(1, 10000000000)")
    terminal.type("\x03")
    say(terminal.expect("!=> "))
    say(terminal.ask("SELECT 'aborted';"))
    say(terminal.ask("ROLLBACK;"), terminal.ask("SELECT 'at last';"), terminal.end())


@case
def watch_until_ctrl_c(dsn):
    terminal = Terminal(dsn, "-v", "PROMPT1=%x=> ")
    terminal.type("SELECT 'watched' AS what \\watch 0.2\n")
    for _ in range(3):
        say(re.sub(r".* \(every ", "(title) (every ", terminal.expect("(1 row)").split("what \\watch 0.2\n")[-1]).strip())
    terminal.type("\x03")
    terminal.expect("=> ")
    say(terminal.ask("SELECT 'goes on';"), terminal.end())


@case
def copy_by_psql_both_ways(dsn, folder):
    (folder / "in.csv").write_text("id,name\n1001,one\n1002,\"two, three\"\n")
    say(psql(dsn, text=f"""
        \\copy suite_programs.item (id, name) FROM '{folder}/in.csv' CSV HEADER
        \\copy (SELECT id, name FROM suite_programs.item WHERE id > 299 ORDER BY id) TO '{folder}/out.txt'
        \\copy suite_programs.item TO '{folder}/out.bin' (FORMAT binary)
        CREATE TABLE suite_programs.again (LIKE suite_programs.item);
        \\copy suite_programs.again FROM '{folder}/out.bin' (FORMAT binary)
        SELECT count(*), md5(string_agg(data::text, ',' ORDER BY id)) FROM suite_programs.again;
        \\copy suite_programs.item (id) FROM '{folder}/out.txt'
        \\copy nothing TO '{folder}/no.txt'
        \\copy suite_programs.item FROM '{folder}/not-there'
        SELECT 'goes on';""")[:2])
    say((folder / "out.txt").read_text(), digest((folder / "out.bin").read_bytes()))
    say(psql(dsn, "-c", "\\copy (VALUES (1, 'a'), (2, NULL)) TO STDOUT WITH (NULL '-')"))
    say(psql(dsn, "-c", "COPY suite_programs.again (id, name) FROM STDIN", text="5\tby stdin\n"))


@case
def large_objects(dsn, folder):
    content = bytes(range(256)) * 3000
    (folder / "object").write_bytes(content)
    code, out, errors = psql(dsn, text=f"""
        \\lo_import '{folder}/object' 'a comment'
        SELECT length(lo_get(:LASTOID)) AS length, md5(lo_get(:LASTOID)) AS hash;
        \\lo_export :LASTOID '{folder}/back'
        \\lo_unlink :LASTOID
        \\lo_export :LASTOID '{folder}/gone'
        \\lo_import '{folder}/not-there'
        BEGIN;
        \\lo_import '{folder}/object'
        ROLLBACK;
        \\lo_list
        """)
    unnumbered = re.sub(r"\b\d{5}\b", "OID", out + errors).replace(str(folder), "FOLDER")
    say(code, unnumbered, (folder / "back").read_bytes() == content)


@case
def variables_and_meta_commands(dsn):
    say(psql(dsn, "-e", text="""\\set ON_ERROR_ROLLBACK on
        SELECT id, name FROM suite_programs.item WHERE id = 7 \\gset got_
        SELECT :got_id + 1, :'got_name';
        SELECT format('SELECT %s AS n', n) FROM generate_series(1, 3) n \\gexec
        SELECT 1 AS a, 'b'::text AS b \\gdesc
        BEGIN; INSERT INTO suite_programs.item (id) VALUES (1); SELECT 'still alive'; COMMIT;
        SELECT * FROM suite_programs.item WHERE id < 0 \\gx
        SELECT 1 \\g (format=csv) |cat
        \\if :got_id
        SELECT 'in if';
        \\endif
        \\errverbose
        \\echo :SQLSTATE :ERROR :ROW_COUNT :SERVER_VERSION_NUM
        """))


@case
def what_describes(dsn):
    commands = ("\\d suite_programs.item", "\\d+ suite_programs.*", "\\dt suite_programs.*", "\\di suite_programs.*", "\\ds suite_programs.*", "\\dn+ suite_programs",
                "\\dx plpgsql", "\\dT pg_catalog.int4", "\\df pg_catalog.lower", "\\do pg_catalog.||", "\\dc pg_catalog.utf8_to_*", "\\dC date",
                "\\dp suite_programs.item", "\\du no_such", "\\dd no_such", "\\des", "\\dRp", "\\sf pg_catalog.lower(text)", "\\dconfig work_mem", "\\l postgres",
                "\\dFt", "\\da pg_catalog.count", "\\dv", "\\z suite_programs.*", "\\dy", "\\db no_such", "\\dO no_such", "\\dP suite_programs.*")
    code, out, errors = psql(dsn, "-E", text="\n".join(commands) + "\n")
    say(code, re.sub(r"'\d{5,}'", "'OID'", out), errors)


@case
def exit_codes(dsn, folder):
    (folder / "bad.sql").write_text("SELECT 1;\nSELECT nonsense;\nSELECT 2;\n")
    for arguments in (["-c", "SELECT 1"], ["-c", "SELECT nonsense"], ["-f", folder / "bad.sql"], ["-v", "ON_ERROR_STOP=1", "-f", folder / "bad.sql"],
                      ["-1", "-f", folder / "bad.sql"], ["-c", "SELECT 1/0; SELECT 2"], ["-c", "SELECT 1/0", "-c", "SELECT 2"], ["-f", folder / "not-there"]):
        code, out, errors = psql(dsn, *arguments)
        say(code, out, errors.replace(str(folder), "FOLDER"))
    say(psql(make_conninfo(dsn, password="wrong"), "-c", "SELECT 1")[0])


@case
def an_interrupted_script_ends(dsn):
    process = subprocess.Popen([BIN / "psql", "-X", "-d", dsn, "-c", "SELECT pg_sleep(31)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    at_work(dsn, "SELECT pg_sleep(31)")
    process.send_signal(signal.SIGINT)
    say(*process.communicate(timeout=20), process.returncode)


@case
def benchmark(dsn, folder):
    """One client and a given seed: the same transactions, and the same end."""
    with_schema = make_conninfo(dsn, options="-c search_path=suite_programs")
    say(run("pgbench", "-i", "-q", "-I", "dtgvp", with_schema)[0])
    (folder / "pipeline.sql").write_text("""\\set aid random(1, 1000)
\\startpipeline
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + 7 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta) VALUES (1, 1, :aid, 7);
END;
\\endpipeline
""")
    runs = [(mode, script) for mode in ("simple", "extended", "prepared") for script in (["-S"], ["-b", "tpcb-like"], ["-b", "simple-update"])]
    runs += [("extended", ["-f", folder / "pipeline.sql"]), ("prepared", ["-f", folder / "pipeline.sql"])]
    for mode, script in runs:
        code, out, errors = run("pgbench", "-n", "-t", "40", "--random-seed=42", "-M", mode, *script, with_schema)
        say(code, mode, *(line for line in out.splitlines() if line.startswith(("number of transactions actually", "number of failed"))))
    say(psql(with_schema, "-At", "-c", "SELECT sum(abalance), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT count(*) || ' ' || sum(delta) FROM pgbench_history) FROM pgbench_accounts"))
    code, out, _ = run("pgbench", "-n", "-c", "2", "-t", "10", "-C", "-S", with_schema)
    say(code, *(line for line in out.splitlines() if line.startswith("number of transactions actually")))


# The row of part_1 is already as the trigger on its parent makes it: a parallel restore may load it behind the trigger.
RICH = """CREATE TYPE suite_programs.mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN suite_programs.age AS int CHECK (VALUE > 0);
CREATE TABLE suite_programs.parent (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, m suite_programs.mood, a suite_programs.age, doc jsonb DEFAULT '{}', arr text[], total int GENERATED ALWAYS AS (2 * 21) STORED);
INSERT INTO suite_programs.parent (m, a, doc, arr) VALUES ('sad', 1, '{"k": "ü"}', '{a,"b,c",NULL}'), (NULL, 2, NULL, '{}');
CREATE TABLE suite_programs.part (k int, v text) PARTITION BY RANGE (k); CREATE TABLE suite_programs.part_1 PARTITION OF suite_programs.part FOR VALUES FROM (0) TO (10); INSERT INTO suite_programs.part VALUES (1, E'TAB\\t AND \\\\ BACK');
CREATE VIEW suite_programs.v AS SELECT id, upper(name) AS u FROM suite_programs.item; CREATE MATERIALIZED VIEW suite_programs.mv AS SELECT count(*) FROM suite_programs.item;
CREATE FUNCTION suite_programs.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
CREATE TRIGGER tr BEFORE INSERT ON suite_programs.part FOR EACH ROW EXECUTE FUNCTION suite_programs.f(); CREATE INDEX ON suite_programs.item (lower(name)) WHERE id > 5;
COMMENT ON TABLE suite_programs.item IS 'commented'; GRANT SELECT ON suite_programs.item TO PUBLIC; CREATE STATISTICS suite_programs.st ON id, name FROM suite_programs.item;
CREATE RULE r AS ON DELETE TO suite_programs.parent DO INSTEAD NOTHING; ALTER TABLE suite_programs.parent ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON suite_programs.parent USING (id > 0)"""


@case
def dump_and_restore(dsn, folder):
    """Dumps equal on both sides; and after a restore into an empty schema by the same way."""
    say(psql(dsn, "-q", "-c", "DROP SCHEMA suite_programs CASCADE; CREATE SCHEMA suite_programs", "-c", """CREATE TABLE suite_programs.item (id serial PRIMARY KEY, name text, data bytea);
        INSERT INTO suite_programs.item (name, data) SELECT 'item ' || n, decode(md5(n::text), 'hex') FROM generate_series(1, 300) n""", "-c", RICH)[0])

    def dump(name, *arguments):
        code, out, errors = run("pg_dump", "-n", "suite_programs", "-f", folder / name, *arguments, dsn)
        return code, out, errors

    def plain(name):
        say(dump(name, "--restrict-key=suite"))
        return (folder / name).read_text()

    first = plain("first.sql")
    say(digest(first.encode()))
    say(dump("inserts.sql", "--restrict-key=suite", "--column-inserts", "--rows-per-insert=50"), digest((folder / "inserts.sql").read_bytes()))
    say(dump("custom", "-Fc"), dump("directory", "-Fd", "-j", "2"))
    say(run("pg_restore", "--restrict-key=suite", "-f", folder / "from-custom.sql", folder / "custom"))
    say(digest(re.sub(r"(?m)^--.*\n", "", (folder / "from-custom.sql").read_text()).encode()))
    for kind in ("custom", "directory", "plain"):
        say(psql(dsn, "-q", "-v", "ON_ERROR_STOP=1", "-c", "SET client_min_messages = error", "-c", "DROP SCHEMA suite_programs CASCADE")[0])
        if kind == "plain":
            code, _, errors = psql(dsn, "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", folder / "first.sql")
        elif kind == "directory":
            code, _, errors = run("pg_restore", "-j", "2", "-d", dsn, folder / kind)
        else:
            code, _, errors = run("pg_restore", "--single-transaction", "--exit-on-error", "-d", dsn, folder / kind)
        say(kind, code, errors, plain("again.sql") == first)


@case
def maintenance(dsn):
    say(run("vacuumdb", "-q", "-t", "suite_programs.item", "--maintenance-db", dsn, "-d", dsn)[0], run("reindexdb", "-q", "-t", "suite_programs.item", "-d", dsn)[0])
    say(run("pg_isready", "-d", dsn)[0])
    say(run("pg_isready", "-d", make_conninfo(dsn, user="nobody_at_all"))[0])


main()

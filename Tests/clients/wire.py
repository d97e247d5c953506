"""One connection by libpq itself, whose answers are lines of text that can be compared."""

import select

from psycopg import pq

ExecStatus, DiagnosticField = pq.ExecStatus, pq.DiagnosticField
SHOWN_PARAMETERS = """server_version server_encoding client_encoding is_superuser session_authorization DateStyle IntervalStyle
TimeZone integer_datetimes standard_conforming_strings default_transaction_read_only in_hot_standby""".split()
SILENCE_SECONDS = 30
COPY_STATES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


def fields_of(result):
    """Every field of an error or notice, source file and line included."""
    found = ((field.name.lower(), result.error_field(field)) for field in DiagnosticField)
    return " ".join(f"{name}={value.decode()!r}" for name, value in found if value is not None)


class Wire:
    def __init__(self, dsn, created_after=None):
        self.dsn = dsn
        self.created_after = created_after
        self.notices = []
        self.conn = pq.PGconn.connect(dsn.encode())
        if self.conn.status != pq.ConnStatus.OK:
            raise RuntimeError(self.conn.error_message.decode().strip())
        self.conn.notice_handler = lambda notice: self.notices.append("notice " + fields_of(notice))

    def close(self):
        self.conn.finish()

    def is_broken(self):
        return self.conn.status != pq.ConnStatus.OK

    # --- asking ------------------------------------------------------------------------------------------------------

    def simple(self, text):
        self.conn.send_query(text.encode())
        return self.answers()

    def extended(self, text, parameters=None, types=None, formats=None, result_format=0):
        self.conn.send_query_params(text.encode(), parameters, types, formats, result_format)
        return self.answers()

    def prepare(self, name, text, types=None):
        self.conn.send_prepare(name.encode(), text.encode(), types)
        return self.answers()

    def execute_prepared(self, name, parameters=None, formats=None, result_format=0):
        self.conn.send_query_prepared(name.encode(), parameters, formats, result_format)
        return self.answers()

    def describe(self, name):
        self.conn.send_describe_prepared(name.encode())
        return self.answers()

    # --- hearing -----------------------------------------------------------------------------------------------------

    def next_result(self):
        """libpq's next result; raises when nothing arrives for a while (libpq itself would wait for ever)."""
        while self.conn.is_busy():
            if not select.select([self.conn.socket], [], [], SILENCE_SECONDS)[0]:
                raise TimeoutError(f"no answer within {SILENCE_SECONDS} s")
            self.conn.consume_input()
        return self.conn.get_result()

    def answers(self):
        """All results up to ReadyForQuery; a COPY that a statement opened is left to the caller, as its last line."""
        lines = []
        while (result := self.next_result()) is not None:
            lines += self.take_notices() + self.lines_of(result)
            if result.status in COPY_STATES:
                break
        return lines + self.take_notices()

    def lines_of(self, result):
        status = ExecStatus(result.status).name.lower()
        if result.status in (ExecStatus.FATAL_ERROR, ExecStatus.NONFATAL_ERROR):
            return [f"error {fields_of(result)} text={result.error_message!r}"]
        lines = [f"{status} tag={result.command_status!r} tuples={result.command_tuples} oid={result.oid_value}"]
        if result.status in COPY_STATES:
            return [f"{status} formats={[result.fformat(i) for i in range(result.nfields)]} binary={result.binary_tuples}"]
        if result.nparams:
            lines.append(f"parameters {[result.param_type(i) for i in range(result.nparams)]}")
        for i in range(result.nfields):
            lines.append(f"column {result.fname(i)!r} table={self.table(result.ftable(i))}.{result.ftablecol(i)} "
                         f"type={result.ftype(i)} size={result.fsize(i)} modifier={result.fmod(i)} format={result.fformat(i)}")
        for row in range(result.ntuples):
            values = (result.get_value(row, column) for column in range(result.nfields))
            lines.append("row " + " ".join(repr(value)[1:] if value is not None else "NULL" for value in values))
        return lines

    def table(self, oid):
        """The normalisation created-table."""
        return "created" if self.created_after is not None and oid > self.created_after else oid

    def take_notices(self):
        taken, self.notices = self.notices, []
        return taken

    def notifications(self):
        """Those that have arrived, under the normalisation own-pid."""
        self.conn.consume_input()
        lines = []
        while (found := self.conn.notifies()) is not None:
            sender = "own" if found.be_pid == self.conn.backend_pid else "other"
            lines.append(f"notification channel={found.relname!r} payload={found.extra!r} from={sender}")
        return lines

    def parameters(self):
        """Reported parameters, except application_name (normalisation application-name)."""
        return [f"{name}={self.conn.parameter_status(name.encode())}" for name in SHOWN_PARAMETERS]

    def settle(self):
        """The transaction's state after a step; leaves the session idle for the next one."""
        if self.is_broken():
            return ["connection lost"]
        state = pq.TransactionStatus(self.conn.transaction_status).name.lower()
        lines = [f"transaction {state}"]
        if state in ("intrans", "inerror"):
            lines += self.simple("SELECT 'still here'; ROLLBACK")
            if pq.TransactionStatus(self.conn.transaction_status).name != "IDLE":
                lines += self.simple("ROLLBACK")
        elif state != "idle":
            self.conn.finish()
        return lines

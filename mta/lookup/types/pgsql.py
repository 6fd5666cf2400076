"""pgsql: statements for PostgreSQL servers (manual sections 9.21 to 9.25), by psycopg, the extra "pgsql".

Bytes pass as they are: the client's encoding is SQL_ASCII. A statement without rows gives the number it affected.
"""

from __future__ import annotations

import re
import select
import time
from typing import TYPE_CHECKING, Any

from mta.lookup.base import LookupType, Uncached, extra_module, lookups
from mta.lookup.servers import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Driver,
    Refused,
    Server,
    Unreachable,
    ask,
    byte_text,
    servers_of,
)
from mta.lookup.sql import Rows, quote_doubling
from mta.scope.scope import Scope
from mta.text.ascii import from_bytes, is_digits, to_bytes

if TYPE_CHECKING:
    from psycopg import Connection

_SOCKET = re.compile(r"(.*)/\.s\.PGSQL\.([0-9]{1,5})", re.ASCII | re.DOTALL)


def _connect(scope: Scope, server: Server) -> Connection[Any]:
    psycopg = extra_module("pgsql", "psycopg")
    place: dict[str, str | int] = {}
    if server.socket:
        found = _SOCKET.fullmatch(server.socket)
        if found is None:
            raise Refused(f"PGSQL invalid filename for socket: {server.socket}")
        place = {"host": found.group(1), "port": int(found.group(2))}
    elif server.host:
        host, port = server.address(5432)
        place = {"host": host, "port": port}
    try:
        return psycopg.connect(  # type: ignore[no-any-return]
            "",
            **place,
            dbname=server.database,
            user=server.user,
            password=server.password,
            connect_timeout=int(CONNECT_SECONDS),
            client_encoding="SQL_ASCII",
            application_name="mta",
            autocommit=True,
        )
    except (psycopg.Error, UnicodeError, ValueError) as error:
        message = f"PGSQL connection failed: {byte_text(error).removeprefix('connection failed: ')}"
        # a refusal by the server itself (a wrong password, no such database) says nothing of its health
        refused = isinstance(error, psycopg.OperationalError) and "FATAL:" in message and "starting up" not in message
        raise (Refused if refused else Unreachable)(message) from None


def _run(connection: Connection[Any], statement: bytes) -> str | None:
    """Send the statement and wait, at most ANSWER_SECONDS; several in one text count as their last."""
    psycopg = extra_module("pgsql", "psycopg")
    link = connection.pgconn
    deadline = time.monotonic() + ANSWER_SECONDS
    answer: str | None = None
    failure = ""
    try:
        link.send_query(statement)
        while link.flush():
            _wait(link.socket, deadline, writing=True)
        while True:
            while link.is_busy():
                _wait(link.socket, deadline, writing=False)
                link.consume_input()
            result = link.get_result()
            if result is None:
                break
            status = psycopg.pq.ExecStatus(result.status)
            if status == psycopg.pq.ExecStatus.FATAL_ERROR:
                failure = f"PGSQL: query failed: {from_bytes(result.error_message)}"
            elif status == psycopg.pq.ExecStatus.COPY_IN:
                link.put_copy_end(b"not here")
            elif status == psycopg.pq.ExecStatus.COPY_OUT:
                raise Refused("PGSQL: COPY cannot be used in a lookup")
            else:
                answer = _text(result, psycopg.pq.ExecStatus)
    except psycopg.Error as error:
        raise Unreachable(f"PGSQL: query failed: {byte_text(error)}") from None
    if failure:
        raise Refused(failure)
    return answer


def _text(result: Any, statuses: Any) -> str | None:
    if result.status == statuses.TUPLES_OK:
        columns = range(result.nfields)
        rows = Rows([from_bytes(result.fname(column) or b"") for column in columns])
        for row in range(result.ntuples):
            values = (result.get_value(row, column) for column in columns)
            rows.add([from_bytes(value or b"") for value in values])
        return rows.text()
    count = from_bytes(result.command_status or b"").rpartition(" ")[2]
    return Uncached(count) if is_digits(count) else None


def _wait(number: int, deadline: float, *, writing: bool) -> None:
    poll = select.poll()
    poll.register(number, (select.POLLOUT if writing else 0) | select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Unreachable(f"PGSQL: no answer within {ANSWER_SECONDS:.0f}s")


def _usable(connection: Connection[Any]) -> bool:
    """Kept only when healthy and outside a transaction, so that nobody's BEGIN reaches the next one."""
    psycopg = extra_module("pgsql", "psycopg")
    return bool(connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE)


DRIVER: Driver[Any] = Driver(
    "PostgreSQL",
    "pgsql_servers",
    ("database", "user", "password"),
    _connect,
    lambda connection: int(connection.pgconn.socket) if not connection.closed else -1,
    lambda connection: connection.close(),
    _usable,
    "pgSQL",
)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The rows as text, or the number of rows that a statement without any affected."""
    servers, query = servers_of(scope, DRIVER, key, options)
    statement = to_bytes(query)
    return ask(scope, DRIVER, servers, lambda connection, _: _run(connection, statement))


lookups.register("pgsql")(LookupType("pgsql", "query", find, quote=quote_doubling, extra="pgsql"))

"""mysql: statements for MySQL and MariaDB servers (manual sections 9.21 to 9.24), by PyMySQL, the extra "mysql".

Bytes pass as they are, in a connection whose character set is utf8mb4. A statement without rows gives the number
of rows it changed. Several statements in one text are refused by the server.
"""

from __future__ import annotations

from typing import Any

from mta.lookup.base import LookupType, Uncached, extra_module, lookups
from mta.lookup.mysql_files import read_group
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
from mta.lookup.sql import Rows, quote_backslash
from mta.scope.scope import Scope
from mta.text.ascii import from_bytes, to_bytes

DEFAULT_SOCKET = "/run/mysqld/mysqld.sock"
DEFAULT_GROUP = "exim"
ACCESS_ERRORS = frozenset({1044, 1045, 1049, 1698})  # refusals by a server that is well
LOST_ERRORS = frozenset({0, 2003, 2006, 2013, 2014, 2055})


def _connect(scope: Scope, server: Server) -> Any:
    pymysql = extra_module("mysql", "pymysql")
    files = read_group(server.group or DEFAULT_GROUP)
    host, port = server.address(int(files.get("port", "3306")))
    host = host or files.get("host", "")
    place: dict[str, Any] = {"host": host, "port": port}
    if server.socket or host in ("", "localhost"):
        place = {"unix_socket": server.socket or files.get("socket", DEFAULT_SOCKET)}
    secure = {name: files[f"ssl-{name}"] for name in ("ca", "cert", "key") if f"ssl-{name}" in files}
    if secure:
        place["ssl"] = secure
    try:
        connection = pymysql.connect(
            **place,
            user=server.user or files.get("user", ""),
            password=to_bytes(server.password or files.get("password", "")),
            database=server.database or files.get("database") or None,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=CONNECT_SECONDS,
            write_timeout=ANSWER_SECONDS,
            conv={},
            use_unicode=False,
        )
        connection._read_timeout = ANSWER_SECONDS  # until here it had to greet us
        return connection
    except (pymysql.Error, OSError, UnicodeError, ValueError, RuntimeError) as error:
        kind = Refused if _number(error) in ACCESS_ERRORS else Unreachable
        raise kind(f"MYSQL connection failed: {_words(error)}") from None


def _run(connection: Any, statement: bytes) -> str | None:
    pymysql = extra_module("mysql", "pymysql")
    if not statement:
        return None
    try:
        connection.query(statement)
        result = connection._result
        answer = _text(result)
        while result.has_next:
            # what a procedure's call gives after its first result
            connection.next_result()
            result = connection._result
        return answer
    except (pymysql.Error, OSError, ValueError) as error:
        kind = Unreachable if _number(error) in LOST_ERRORS else Refused
        raise kind(f"MYSQL: query failed: {_words(error)}") from None


def _text(result: Any) -> str | None:
    if result.description is None:
        return Uncached(str(result.affected_rows))
    rows = Rows([field[0].encode("utf-8").decode("latin-1") for field in result.description], skip_null=True)
    for row in result.rows or ():
        rows.add([None if value is None else from_bytes(value) for value in row])
    return rows.text()


def _number(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _words(error: BaseException) -> str:
    return byte_text(error.args[1] if len(error.args) > 1 else error)


def _usable(connection: Any) -> bool:
    """Kept only when open and outside a transaction, so that nobody's BEGIN reaches the next one."""
    in_transaction = 1
    return bool(connection.open) and not connection.server_status & in_transaction


def _close(connection: Any) -> None:
    """Without a farewell: the server may be the one that does not answer."""
    if connection.open:
        connection._force_close()


def _fileno(connection: Any) -> int:
    return int(connection._sock.fileno()) if connection.open else -1


DRIVER: Driver[Any] = Driver(
    "MySQL", "mysql_servers", ("database", "user", "password"), _connect, _fileno, _close, _usable
)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The rows as text, or the number of rows that a statement without any changed."""
    servers, query = servers_of(scope, DRIVER, key, options)
    statement = to_bytes(query)
    return ask(scope, DRIVER, servers, lambda connection, _: _run(connection, statement))


lookups.register("mysql")(LookupType("mysql", "query", find, quote=quote_backslash, extra="mysql"))

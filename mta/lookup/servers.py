"""Servers of lookups (manual sections 9.22, 9.23): lists tried in turn, dead ones left alone, connections kept.

A driver says how to connect; ``ask`` runs a question on the first server that answers it. Connections are one
process's and lent to one thread at a time; a fork's child gets none. No password is in any text made here.
"""

from __future__ import annotations

import os
import re
import select
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mta.errors import Deferred
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.text.ascii import WHITESPACE
from mta.text.lists import split_list

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
DEAD_SECONDS = 30.0  # how long a server that did not answer is left alone
IDLE_SECONDS = 60.0  # how long an unused connection is kept
IDLE_MAXIMUM = 8  # unused connections kept for one server
STATE = "lookup.servers"  # the key in services.state
_FIRST = re.compile(r"([^/(\[]*)(?:\(([^)]*)\))?(?:\[([^\]]*)\])?[ \t]*")
_SECRETS = re.compile(r'(?i)(\bpass=)("(?:[^"\\]|\\.)*"|\S*)|^(\s*servers=)(?=[^;]*/)(?![^;]*\bldap[is]?://)[^;]*')

C = TypeVar("C")
T = TypeVar("T")


class Unreachable(Exception):
    """The server does not answer; it is left alone for a while and the next one is tried."""


class Refused(Exception):
    """The server answered that it will not do this; the next one is tried."""


@dataclass(frozen=True, slots=True)
class Server:
    """One item of a list. ``host`` is as written, port included; ``socket`` and ``group`` stood in () and []."""

    host: str
    socket: str = ""
    group: str = ""
    database: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """How logs call it."""
        place = f"{self.host}({self.socket})" if self.socket else self.host or "localhost"
        return f"{place}/{self.database}" if self.database else place

    def address(self, port: int) -> tuple[str, int]:
        """Host and port: ``name:port``, and ``address.port`` for IPv6. Raises Refused for what is no port."""
        host, found = self.host.strip("[]"), ""
        if host.count(":") > 1:
            host, _, found = host.partition(".")
        elif ":" in host:
            host, _, found = host.partition(":")
        if not found:
            return host, port
        if not (found.isascii() and found.isdigit() and len(found) < 6):
            raise Refused(f'"{found}" is not a port number')
        return host, int(found)


@dataclass(frozen=True, slots=True)
class Driver(Generic[C]):
    """A kind of server. ``connect`` raises Unreachable or Refused; ``fileno`` gives the connection's socket."""

    name: str
    option: str
    fields: tuple[str, ...]  # of an item, after the host
    connect: Callable[[Scope, Server], C]
    fileno: Callable[[C], int]
    close: Callable[[C], None]
    usable: Callable[[C], bool] = lambda _connection: True
    data_name: str = ""  # where Exim writes the name another way


@dataclass(slots=True)
class Kept:
    """An unused connection and since when."""

    driver: Driver[Any]
    connection: Any
    since: float


class Pools:
    """One process's connections and what it knows of dead servers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, Server], list[Kept]] = {}
        self._files: dict[int, int] = {}  # sockets of all connections, by id
        self._dead: dict[tuple[str, Server], tuple[float, str]] = {}
        forked = weakref.WeakMethod(self._in_child)
        os.register_at_fork(after_in_child=lambda: _call(forked()))

    def _in_child(self) -> None:
        """The parent's connections stay the parent's: what their objects still send here goes nowhere."""
        self._lock = threading.Lock()
        self._idle = {}
        with open(os.devnull, "r+b", buffering=0) as nowhere:
            for number in self._files.values():
                os.dup2(nowhere.fileno(), number, inheritable=False)
        self._files = {}

    def take(self, driver: Driver[C], server: Server) -> C | None:
        """An unused connection that the server has not closed, or None."""
        key = (driver.option, server)
        while True:
            with self._lock:
                kept = self._idle.get(key)
                if not kept:
                    return None
                found = kept.pop()
            if time.monotonic() - found.since < IDLE_SECONDS and _quiet(driver.fileno(found.connection)):
                connection: C = found.connection
                return connection
            self.close(driver, found.connection)

    def opened(self, driver: Driver[C], connection: C) -> None:
        """Note a new connection."""
        number = driver.fileno(connection)
        with self._lock:
            self._files[id(connection)] = number

    def give(self, driver: Driver[C], server: Server, connection: C) -> None:
        """Keep a connection for the next one who asks."""
        key = (driver.option, server)
        with self._lock:
            kept = self._idle.setdefault(key, [])
            if len(kept) < IDLE_MAXIMUM:
                kept.append(Kept(driver, connection, time.monotonic()))
                return
        self.close(driver, connection)

    def close(self, driver: Driver[C], connection: C) -> None:
        """Close a connection for good."""
        with self._lock:
            self._files.pop(id(connection), None)
        driver.close(connection)

    def close_all(self) -> None:
        """Close the unused connections."""
        with self._lock:
            kept, self._idle = self._idle, {}
        for connections in kept.values():
            for old in connections:
                self.close(old.driver, old.connection)

    def dead(self, driver: Driver[C], server: Server) -> str | None:
        """Why a server is left alone at present, or None."""
        with self._lock:
            found = self._dead.get((driver.option, server))
            if found is None or found[0] <= time.monotonic():
                return None
            return found[1]

    def bury(self, driver: Driver[C], server: Server, why: str) -> None:
        """Leave a server alone for DEAD_SECONDS, and forget the connections to it."""
        key = (driver.option, server)
        with self._lock:
            self._dead[key] = (time.monotonic() + DEAD_SECONDS, why)
            kept = self._idle.pop(key, [])
        for old in kept:
            self.close(driver, old.connection)


def _call(function: Callable[[], None] | None) -> None:
    if function is not None:
        function()


def _quiet(number: int) -> bool:
    """Whether a socket has nothing to read: an unused one that has was closed at the other end."""
    if number < 0:
        return False
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return not poll.poll(0)


def pools(scope: Scope) -> Pools:
    """The process's pools."""
    found = scope.services.state.get(STATE)
    if found is None:
        found = scope.services.state.setdefault(STATE, Pools())
    assert isinstance(found, Pools)
    return found


def close_all(services: Services) -> None:
    """Close the process's unused connections, before it ends."""
    found = services.state.get(STATE)
    if isinstance(found, Pools):
        found.close_all()


def ask(scope: Scope, driver: Driver[C], servers: list[Server], question: Callable[[C, Server], T]) -> T:
    """``question`` on the first server that takes it; Deferred, with the last server's reason, when none does."""
    if not servers:
        raise Deferred(f"no {driver.name} servers defined ({driver.option} option)")
    kept = pools(scope)
    reason = ""
    for server in servers:
        buried = kept.dead(driver, server)
        if buried is not None:
            reason = f"{buried} (the server is left alone for a while)"
            continue
        try:
            return _ask_one(scope, kept, driver, server, question)
        except Unreachable as error:
            reason = without_secret(str(error), server)
            kept.bury(driver, server, reason)
            line = f"{driver.name} server {server.name} is left alone for {DEAD_SECONDS:.0f}s: {reason}"
            scope.services.log_main(_one_line(line))
        except Refused as error:
            reason = without_secret(str(error), server)
        if scope.trace is not None:
            scope.trace("lookup", f"{driver.name} server {server.name}: {_one_line(reason)}")
    raise Deferred(reason)


def _ask_one(scope: Scope, kept: Pools, driver: Driver[C], server: Server, question: Callable[[C, Server], T]) -> T:
    connection = kept.take(driver, server)
    if connection is None:
        connection = driver.connect(scope, server)
        kept.opened(driver, connection)
    usable = False
    try:
        answer = question(connection, server)
        usable = driver.usable(connection)
        return answer
    except Refused:
        usable = driver.usable(connection)
        raise
    finally:
        if usable:
            kept.give(driver, server, connection)
        else:
            kept.close(driver, connection)


def servers_of(scope: Scope, driver: Driver[C], query: str, options: list[str]) -> tuple[list[Server], str]:
    """The servers for a query, and the query without the deprecated ``servers=...;`` in front of it."""
    chosen: str | None = None
    for option in options:
        if option.startswith("servers="):
            chosen = option.removeprefix("servers=")
    start = query.lstrip(WHITESPACE)
    if chosen is None and start.startswith("servers="):
        chosen, semicolon, rest = start.removeprefix("servers=").partition(";")
        if not semicolon:
            raise Deferred(f'missing ; after "servers=" in {driver.name} lookup')
        if isinstance(query, Tainted):
            place = _FIRST.match(chosen)
            raise Deferred(f'{driver.name} server "{place.group(1) if place else ""}" is tainted')
        query = rest.lstrip(WHITESPACE)
    listed: tuple[str, ...] = getattr(scope.site.options, driver.option, None) or ()
    if chosen is None:
        return [read_item(driver, item) for item in listed], query
    return [_chosen(driver, item, listed) for item in split_list(chosen)], query


def _chosen(driver: Driver[C], item: str, listed: tuple[str, ...]) -> Server:
    """An item of ``servers=``: whole, or the host of an item of the main option."""
    if "/" in item:
        return read_item(driver, item)
    for text in listed:
        place = _FIRST.match(text)
        if place is not None and place.group(0).strip(WHITESPACE) == item:
            return read_item(driver, text)
    raise Deferred(f'{driver.name} server "{item}" not found in {driver.option}')


def read_item(driver: Driver[C], item: str) -> Server:
    """``host:port(socket)[group]/database/user/password``, as many fields as the driver has. Raises Deferred."""
    place = _FIRST.match(item)
    assert place is not None
    rest = item[place.end() :]
    parts = rest[1:].split("/", len(driver.fields) - 1) if rest.startswith("/") else []
    if len(parts) != len(driver.fields):
        raise Deferred(f"incomplete {driver.data_name or driver.name} server data: {place.group(1)}")
    values = dict(zip(driver.fields, parts, strict=True))
    return Server(place.group(1).strip(WHITESPACE), place.group(2) or "", place.group(3) or "", **values)


def without_secret(text: str, server: Server) -> str:
    """A library's message, in which a password might stand."""
    return text.replace(server.password, "***") if len(server.password) > 2 else text


def shown_query(query: str) -> str:
    """A query as logs may show it: without the passwords of ``servers=`` and of LDAP's ``pass=``."""
    if "=" not in query:
        return query
    return _SECRETS.sub(lambda found: f"{found.group(1) or found.group(3)}***", query)


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).rstrip(WHITESPACE)


def byte_text(error: object) -> str:
    """A library's message as byte text."""
    return str(error).encode("utf-8", "replace").decode("latin-1")

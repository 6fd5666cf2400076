"""redis: commands for Redis and Valkey servers (manual section 9.27), by redis-py, the extra "redis".

A query is words between white space; a backslash takes the next character as it is. A cluster's MOVED and ASK are
followed. An answer of nil is an empty text, found but not remembered.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from mta.errors import Deferred
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
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE, from_bytes, is_digits, lower, to_bytes

PORT = 6379
MOVES = 5  # redirections of one command that are followed
# commands after which the connection is another one than a new one
STATEFUL = frozenset(
    {"auth", "client", "hello", "monitor", "multi", "psubscribe", "quit", "reset", "select", "ssubscribe"}
    | {"subscribe", "watch"}
)
# commands whose answer may be remembered for a message
READING = frozenset(
    {"bitcount", "dbsize", "echo", "exists", "get", "getbit", "getrange", "hexists", "hget", "hgetall", "hkeys"}
    | {"hlen", "hmget", "hstrlen", "hvals", "keys", "lindex", "llen", "lpos", "lrange", "mget", "ping", "pttl"}
    | {"scard", "sdiff", "sinter", "sismember", "smembers", "smismember", "strlen", "sunion", "ttl", "type", "zcard"}
    | {"zcount", "zrange", "zrangebyscore", "zrank", "zrevrange", "zscore"}
)


def words_of(query: str) -> list[bytes]:
    """The words of a command: ``set key objvalue\\ plus`` has three."""
    words: list[bytes] = []
    current: list[str] | None = None
    characters = iter(query)
    for char in characters:
        if char in WHITESPACE:
            if current is not None:
                words.append(to_bytes("".join(current)))
            current = None
            continue
        current = [] if current is None else current
        current.append(next(characters, "\\") if char == "\\" else char)
    if current is not None:
        words.append(to_bytes("".join(current)))
    return words


def quote(text: str, option: str | None) -> str | None:
    """``${quote_redis:...}``: a backslash before white space and backslashes."""
    if option is not None:
        return None
    return "".join(f"\\{char}" if char in WHITESPACE or char == "\\" else char for char in text)


def _connect(scope: Scope, server: Server) -> Any:
    redis = extra_module("redis", "redis")
    if server.database and not is_digits(server.database):
        raise Refused(f"REDIS: database {server.database!r} is not a number")
    shared: dict[str, Any] = {
        "db": int(server.database or 0),
        "password": to_bytes(server.password) or None,
        "socket_timeout": CONNECT_SECONDS,  # until it has greeted us
        "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,
        "driver_info": None,
    }
    if server.socket:
        connection = redis.UnixDomainSocketConnection(path=server.socket, **shared)
    else:
        host, port = server.address(PORT)
        connection = redis.Connection(host=host, port=port, socket_connect_timeout=CONNECT_SECONDS, **shared)
    try:
        connection.connect()
        connection._sock.settimeout(ANSWER_SECONDS)
    except redis.AuthenticationError as error:
        raise Refused(f"REDIS connection failed: {byte_text(error)}") from None
    except redis.ConnectionError as error:
        raise Unreachable(f"REDIS connection failed: {byte_text(error)}") from None
    except (redis.RedisError, OSError, ValueError) as error:
        raise Unreachable(f"REDIS connection failed: {byte_text(error)}") from None
    return connection


def _close(connection: Any) -> None:
    with contextlib.suppress(OSError):
        connection.disconnect()


def _fileno(connection: Any) -> int:
    return int(connection._sock.fileno()) if connection._sock is not None else -1


DRIVER: Driver[Any] = Driver(
    "Redis",
    "redis_servers",
    ("database", "password"),
    _connect,
    _fileno,
    _close,
    lambda connection: connection._sock is not None,
)


def _command(connection: Any, words: list[bytes]) -> Any:
    """Send a command and read its answer; the connection of one that leaves a state behind is not kept."""
    redis = extra_module("redis", "redis")
    try:
        connection.send_command(*words)
        return connection.read_response()
    except redis.ResponseError:
        raise
    except (redis.RedisError, OSError, ValueError) as error:
        raise Unreachable(f"REDIS: query failed: {byte_text(error)}") from None
    finally:
        if lower(from_bytes(words[0])) in STATEFUL:
            connection.disconnect()


def _follow(scope: Scope, connection: Any, server: Server, words: list[bytes], moves: int, asking: bool) -> str | None:
    """The answer of this server, or of the one that it says has the key."""
    redis = extra_module("redis", "redis")
    try:
        if asking:
            _command(connection, [b"ASKING"])
        return text_of(_command(connection, words))
    except redis.exceptions.AskError as error:  # MOVED is one too
        if moves == 0:
            raise Refused("REDIS: lookup result failed: the cluster sends from one server to the other") from None
        host = error.host or server.address(PORT)[0]
        place = f"{host}.{error.port}" if ":" in host else f"{host}:{error.port}"
        target = replace(server, host=place, socket="")
        once = not isinstance(error, redis.exceptions.MovedError)
    except redis.ResponseError as error:
        raise Refused(f"REDIS: lookup result failed: {_words(error)}") from None
    try:
        return ask(scope, DRIVER, [target], lambda link, its: _follow(scope, link, its, words, moves - 1, once))
    except Deferred as error:
        raise Refused(error.message) from None


def _words(error: Exception) -> str:
    """The server's words: the library takes "ERR" away."""
    text = byte_text(error)
    code = text.partition(" ")[0]
    return text if code.isupper() and len(code) > 2 else f"ERR {text}"


def text_of(answer: Any) -> str | None:
    """An answer as Exim gives it: None for nil, true or false for a number, an array's elements between newlines.

    One level of arrays within the array is laid flat; what is deeper is left out.
    """
    if answer is None:
        return None
    if isinstance(answer, int):
        return "true" if answer else "false"
    if not isinstance(answer, list):
        return from_bytes(bytes(answer))
    items: list[str] = []
    for element in answer:
        inner = element if isinstance(element, list) else [element]
        items += [_element(item) for item in inner if not isinstance(item, list)]
    return "\n".join(items)


def _element(item: Any) -> str:
    if isinstance(item, Exception):
        return byte_text(item)
    return from_bytes(item) if isinstance(item, bytes) else "" if item is None else str(item)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The answer as text; nil is an empty text, and so is an array without elements."""
    servers, query = servers_of(scope, DRIVER, key, options)
    words = words_of(query)
    if not words:
        return None
    text = ask(scope, DRIVER, servers, lambda link, server: _follow(scope, link, server, words, MOVES, False))
    if text is None or lower(from_bytes(words[0])) not in READING:
        return Uncached(text or "")
    return text


lookups.register("redis")(LookupType("redis", "query", find, quote=quote, extra="redis"))

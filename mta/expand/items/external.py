"""Items that look outside: ``env`` and ``readfile`` (manual 11.5)."""

from __future__ import annotations

import os

from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import MAX_RESULT, Node, isolated, value_item
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope


@items.register("env")
def parse_env(parser: Parser, name: str) -> Node:
    wanted = isolated(parser.argument("arg 1 of env"))

    def fetch(scope: Scope) -> str | None:
        key = wanted(scope)
        if not key or "=" in key or "\0" in key:
            return None
        value = os.environb.get(key.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    return value_item(fetch, parser.branches(name))


@items.register("readfile")
def parse_readfile(parser: Parser, name: str) -> Node:
    arguments = parser.arguments(name, 1, 2)
    path = isolated(arguments[0])
    ending = arguments[1].run if len(arguments) > 1 else None

    def run(scope: Scope) -> str:
        if "readfile" in scope.forbidden:
            raise ExpansionFailed("file insertions are not permitted")
        text = read_whole(scope, path(scope))
        return text if ending is None else text.replace("\n", ending(scope))

    return Node(run)


def read_whole(scope: Scope, path: str) -> str:
    """A file's content as byte text; ExpansionFailed when it cannot be read or a peer named it."""
    if path.__class__ is Tainted:
        scope.services.log_panic(f"Tainted filename '{path}'")
        raise ExpansionFailed(f"failed to open {path}: Permission denied (euid={os.geteuid()} egid={os.getegid()})")
    try:
        with open(path.encode("latin-1"), "rb") as file:
            data = file.read(MAX_RESULT + 1)
    except IsADirectoryError:
        return ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "Invalid argument"
        raise ExpansionFailed(f"failed to open {path}: {reason}") from None
    if len(data) > MAX_RESULT:
        raise ExpansionFailed(f"{path} is too long for an expansion")
    return data.decode("latin-1")

"""Conditions on the state of affairs: ``first_delivery``, ``queue_running``, ``exists`` (manual 11.7)."""

from __future__ import annotations

import os
from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand.base import conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser
from mta.scope.scope import Scope


@conditions.register("first_delivery")
def parse_first(_parser: Parser, _name: str) -> Condition:
    # outside a delivery (no recipient under way, no message read from the spool) it is false, as in Exim
    return Condition(lambda scope: bool(scope.message.id) and scope.message.deliver_first_time)


@conditions.register("queue_running")
def parse_queue(_parser: Parser, _name: str) -> Condition:
    return Condition(lambda scope: bool(scope.vars.get("queue_running")))


@conditions.register("exists")
def parse_exists(parser: Parser, name: str) -> Condition:
    read = parser.condition_argument(name, 0).run

    def test(scope: Scope) -> bool:
        if "existstest" in scope.forbidden:
            raise ExpansionFailed("File existence tests are not permitted")
        path = read(scope)
        return path.startswith("/") and "\0" not in path and _is_there(scope, path)

    return Condition(test)


def _is_there(scope: Scope, path: str) -> bool:
    try:
        os.stat(path.encode("latin-1"))
    except PermissionError:
        # Exim routes as root; a delivery worker that gave its rights up asks who still has them.
        probe: Callable[[str, int, int], int] | None = scope.services.state.get("probe_file")
        return probe is not None and probe(path, -1, -1) == 0
    except (OSError, ValueError):
        return False
    return True

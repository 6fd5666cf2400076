"""testdb: answers for tests of what uses lookups; the queries "fail", "defer" and "nocache" say what happens."""

from __future__ import annotations

from mta.errors import Deferred
from mta.lookup.base import LookupType, lookups
from mta.scope.scope import Scope


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The query itself; None for "fail", Deferred for "defer"."""
    if key == "fail":
        return None
    if key == "defer":
        raise Deferred("testdb lookup forced DEFER")
    return key


lookups.register("testdb")(LookupType("testdb", "query", find))

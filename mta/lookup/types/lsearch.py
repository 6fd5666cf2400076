"""lsearch: a text file of keys and data, read once into a dictionary and looked at again when it changes."""

from __future__ import annotations

import os

from mta.lookup.base import LookupType, lookups
from mta.lookup.files import SCAN_LIMIT, cached_file, encoded, lines_of
from mta.lookup.linear import entries
from mta.scope.scope import Scope
from mta.text.ascii import lower

PURPOSE = "for linear search"


def _table(path: str, full: bool) -> dict[str, str] | None:
    """The first data of each key, or None for a file that is too large to hold."""
    if os.stat(encoded(path)).st_size > SCAN_LIMIT:
        return None
    table: dict[str, str] = {}
    for key, data in entries(lines_of(path), full):
        table.setdefault(lower(key), data)
    return table


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The data of a key, caseless; ``ret=full`` the whole line."""
    full = "ret=full" in options
    kind = "lsearch,ret=full" if full else "lsearch"
    table = cached_file(scope, file, kind, lambda path: (_table(path, full),), PURPOSE)[0]
    wanted = lower(key)
    if table is not None:
        return table.get(wanted)
    return next((data for name, data in entries(lines_of(file), full) if lower(name) == wanted), None)


lookups.register("lsearch")(LookupType("lsearch", "single", find, absolute_file=False))

"""Lists kept in files (manual section 10.3): a line an item, comments, no file names and no named lists in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.files import cached_file, lines_of
from mta.match.core import Hit, Items, Test
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE

S = TypeVar("S")


def list_lines(path: str, hash_anywhere: bool) -> list[str]:
    """The items of a list file. ``hash_anywhere``: domain and host lists, where no item holds a #."""
    found = []
    for raw in lines_of(path):
        line = raw
        start = line.find("#")
        while start >= 0:
            if hash_anywhere or start == 0 or line[start - 1] in WHITESPACE:
                line = line[:start]
                break
            start = line.find("#", start + 1)
        line = line.strip(WHITESPACE)
        if line:
            found.append(line)
    return found


def file_item(
    path: str, kind: str, source: str, build: Callable[[list[str]], Items[S]], hash_anywhere: bool
) -> Test[S]:
    """The test for an item that is a file name; ``build`` compiles its lines. The file is seen as it is now."""

    def test(scope: Scope, subject: S, depth: int) -> Hit | None:
        if isinstance(path, Tainted):
            raise Deferred(f"Tainted filename '{path}'")
        try:
            items: Items[S] = cached_file(
                scope,
                path,
                f"{kind} list",
                lambda name: build(list_lines(name, hash_anywhere)),
                f'when checking "{source}"',
            )
        except ExpansionFailed as failure:
            raise Deferred(failure.message) from None
        if items.fault:
            raise Deferred(f"{path}: {items.fault}")
        first = items.first(scope, subject, depth)
        return None if first is None else first[0]._replace(negative=first[1])

    return test

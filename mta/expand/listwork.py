"""Lists inside expansions: split with their separator remembered, walked with ``$item`` set, joined again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mta.expand.numbers import integer
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.text.lists import list_separator, split_list


class Listing(NamedTuple):
    """``items`` are Tainted where ``text`` is."""

    text: str
    items: list[str]
    separator: str


def split(text: str) -> Listing:
    """A list as the language writes it, with an own separator where it declares one."""
    found = split_list(text)
    if text.__class__ is Tainted:
        found = [Tainted(item) for item in found]
    return Listing(text, found, list_separator(text))


def each(scope: Scope, values: Sequence[str]) -> Iterator[str]:
    """The values in turn, each as ``$item`` while it is the caller's; the outer ``$item`` comes back at the end."""
    kept = scope.item
    try:
        for value in values:
            scope.item = value
            yield value
    finally:
        scope.item = kept


def join(values: list[str], separator: str) -> str:
    """A list of the values: separators in them doubled, the empty ones kept by a space."""
    out: list[str] = []
    for value in values:
        quoted = value.replace(separator, separator * 2)
        if out and (not quoted or quoted.startswith(separator)):
            quoted = " " + quoted
        out.append(quoted)
    return separator.join(out)


Comparator = Callable[[str, str], bool]

# What "sort" can order by; also the tests of the conditions of these names.
comparators: dict[str, Comparator] = {
    "<": lambda a, b: integer(a) < integer(b),
    "<=": lambda a, b: integer(a) <= integer(b),
    ">": lambda a, b: integer(a) > integer(b),
    ">=": lambda a, b: integer(a) >= integer(b),
    "lt": lambda a, b: a < b,
    "lti": lambda a, b: lower(a) < lower(b),
    "le": lambda a, b: a <= b,
    "lei": lambda a, b: lower(a) <= lower(b),
    "gt": lambda a, b: a > b,
    "gti": lambda a, b: lower(a) > lower(b),
    "ge": lambda a, b: a >= b,
    "gei": lambda a, b: lower(a) >= lower(b),
}

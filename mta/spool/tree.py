"""The tree of addresses that are done with, in ``-H`` files (manual section 57.1): ``write_tree``, ``read_tree``.

Exim searches it with strcmp, so the order is by bytes; a balanced tree serves it best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

MAX_NODES = 10_000_000


class TreeError(ValueError):
    """The lines are no tree."""


def write_tree(addresses: Iterable[str]) -> str:
    """The lines for a set of addresses; ``XX`` for none."""
    ordered = sorted(set(addresses))
    if not ordered:
        return "XX\n"
    out: list[str] = []
    waiting = [(0, len(ordered))]
    while waiting:
        low, high = waiting.pop()
        middle = (low + high) // 2
        left, right = low < middle, middle + 1 < high
        out.append(f"{'Y' if left else 'N'}{'Y' if right else 'N'} {ordered[middle]}\n")
        if right:
            waiting.append((middle + 1, high))
        if left:
            waiting.append((low, middle))
    return "".join(out)


def read_tree(next_line: Callable[[], str]) -> list[str]:
    """The addresses, from a function that gives the next line; TreeError when they are no tree."""
    first = next_line()
    if first == "XX":
        return []
    found: list[str] = []
    line, left_to_read = first, 1
    while True:
        if len(line) < 3 or line[0] not in "YN" or line[1] not in "YN" or line[2] != " ":
            raise TreeError("bad line in the tree of done addresses")
        found.append(line[3:])
        left_to_read += line[:2].count("Y") - 1
        if left_to_read <= 0:
            return found
        if len(found) > MAX_NODES:
            raise TreeError("too many done addresses")
        line = next_line()

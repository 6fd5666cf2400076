"""``-d`` and its selectors (manual section 5.4): ``selected(text)`` reads them, ``Tracer`` writes what they ask for.

A Tracer is what ``scope.trace`` holds; ``level`` is how deep the work under way is nested, a column a level.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from mta.cli.arguments import UsageError

# left out by a bare -d; "all" means more than the rest only when it is taken away
NOT_BY_DEFAULT = frozenset(
    {"expand", "filter", "interface", "load", "memory", "noutf8", "pid", "resolver", "timestamp"}
)
NOT_IN_ALL = frozenset({"memory", "noutf8"})
# our own words for what Exim files elsewhere
WORDS = {"host": "host_lookup", "match": "lists"}
_ASCII = str.maketrans({"╭": "/", "├": "|", "╰": "\\", "─": "-"})


def selected(text: str) -> frozenset[str]:
    """The selectors that ``+name-name`` leaves switched on; UsageError in Exim's words for what is none."""
    from mta.settings.names import debug_selectors

    known = frozenset(debug_selectors()) - {"all"}
    chosen = set(known - NOT_BY_DEFAULT)
    for item in re.findall(r"[+-][^+-]*|^[^+-]+", text):
        sign, name = item[0], item[1:]
        if sign not in "+-":
            raise UsageError(f'mta: malformed debug_selector setting: + or - expected but found "{item}"')
        if name == "all":
            chosen = set(known - NOT_IN_ALL) if sign == "+" else set()
        elif name not in known:
            raise UsageError(f"mta: unknown debug_selector setting: {item}")
        elif sign == "+":
            chosen.add(name)
        else:
            chosen.discard(name)
    return frozenset(chosen)


@dataclass(slots=True)
class Tracer:
    """Writes a line when its selector is on; several lines of text become several lines, each with its prefix."""

    selectors: frozenset[str]
    write: Callable[[str], None]
    level: int = 0

    def __call__(self, selector: str, text: str) -> None:
        if WORDS.get(selector, selector) not in self.selectors:
            return
        prefix = time.strftime("%H:%M:%S ") if "timestamp" in self.selectors else ""
        prefix += f"{os.getpid():5d} " if "pid" in self.selectors else ""
        for line in text.split("\n"):
            whole = prefix + " " * self.level + line
            # our own text has line-drawing characters; everything else is byte text already
            drawn = whole.translate(_ASCII) if "noutf8" in self.selectors else whole
            self.write("".join(char if char < "\u0100" else char.encode("utf-8").decode("latin-1") for char in drawn))

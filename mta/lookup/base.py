"""What a lookup type is. One file a type in ``lookup/types``, registered in ``lookups``.

Partial matching, defaults (``*``, ``*@``) and caching belong to ``lookup/find.py``, not to the types.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from mta.errors import ExpansionFailed
from mta.registry import Registry
from mta.scope.scope import Scope


class Find(Protocol):
    """Look ``key`` up: the value, or None when it is not there.

    ``file`` is "" for query styles that have none; ``options`` are the words after the comma of the type name
    (``dsearch,filter=file``). Raises Deferred for no answer now, ExpansionFailed for a key or file of the wrong form.
    """

    def __call__(self, scope: Scope, file: str, key: str, options: list[str]) -> str | None: ...


@dataclass(frozen=True, slots=True)
class LookupType:
    """``extra`` names the extra of the distribution that brings its client library, when it needs one."""

    name: str
    style: Literal["single", "query"]
    find: Find
    quote: Callable[[str, str | None], str | None] | None = None  # (text, options) -> quoted, None: bad options
    needs_file: bool = False  # a query style with a file in front of the query (sqlite)
    cached: bool = True
    absolute_file: bool = True
    extra: str = ""
    absent: bool = False  # a type of Exim's that mta only knows how to refuse
    implicit_key: bool = False  # lookups whose result is not less tainted


class Uncached(str):
    """A value that must not be remembered: a statement that changes something is obeyed each time."""

    __slots__ = ()


# The client library of an extra, where it is called otherwise.
MODULES = {"mysql": "pymysql", "pgsql": "psycopg"}


def works(kind: LookupType) -> bool:
    """Whether look-ups of this type can be made here: its client library, if it needs one, is installed."""
    return not kind.absent and (not kind.extra or find_spec(MODULES.get(kind.extra, kind.extra)) is not None)


def working() -> list[str]:
    """The names of the types that work here."""
    return [name for name in lookups if works(lookups[name])]


def extra_module(extra: str, name: str) -> Any:
    """A client library, imported when it is first needed. Raises ExpansionFailed, naming the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ExpansionFailed(f"this lookup needs the module {name}: pip install mta[{extra}]") from None


lookups: Registry[LookupType] = Registry("lookup type", "mta.lookup.types")

"""What a lookup type is. One file a type in ``lookup/types``, registered in ``lookups``.

Partial matching, defaults (``*``, ``*@``) and caching belong to ``lookup/find.py``, not to the types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

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
    implicit_key: bool = False  # lookups whose result is not less tainted


lookups: Registry[LookupType] = Registry("lookup type", "mta.lookup.types")

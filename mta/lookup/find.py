"""Lookups with everything around the types: type text, partial matching, defaults, ``ret=key``, taint, caching.

``lookup`` gives the value; ``search`` also what ``$1`` and ``$2`` become. Manual sections 9.6 to 9.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from mta.errors import ExpansionFailed
from mta.lookup.base import LookupType, Uncached, lookups
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower

QUERY_CACHE_SIZE = 256  # answers kept for one message
_PARTIAL = re.compile(r"partial([0-9]{0,4})(?:-|\(([^)\w\s]*)\))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Search:
    """A type text, read. ``partial`` is the least number of components of section 9.7, -1 without partial matching."""

    text: str
    type: LookupType
    partial: int = -1
    affix: str = "*."
    default: Literal["", "*", "*@"] = ""
    options: tuple[str, ...] = ()
    return_key: bool = False
    read_cache: bool = True

    @property
    def single(self) -> bool:
        return self.type.style == "single"


class Hit(NamedTuple):
    """What was found; ``wild`` and ``fixed`` are the parts of the key, None for a key that was found as it is."""

    value: str
    wild: str | None = None
    fixed: str | None = None


@lru_cache(maxsize=1024)
def parse_type(text: str) -> Search:
    """Read ``partial2-lsearch*@,ret=key``. Raises ExpansionFailed in Exim's words for what is not a lookup type."""
    name, comma, option_text = text.partition(",")
    options = tuple(option for option in option_text.split(",") if option) if comma else ()
    partial, affix = -1, "*."
    if name.startswith("partial"):
        found = _PARTIAL.match(name)
        if found is None:
            raise ExpansionFailed(f'format error in lookup type "{text}"')
        partial = int(found.group(1)) if found.group(1) else 2
        affix = "*." if found.group(2) is None else found.group(2)
        name = name[found.end() :]
    bare, star, rest = name.partition("*")
    default: Literal["", "*", "*@"] = ("*@" if rest.startswith("@") else "*") if star else ""
    kind = lookups.get(bare)
    if kind is None:
        raise ExpansionFailed(f'unknown lookup type "{bare}"')
    if kind.style == "query":
        if partial >= 0:
            raise ExpansionFailed(f'"partial" is not permitted for lookup type "{bare}"')
        if default:
            raise ExpansionFailed(f'defaults using "*" or "*@" are not permitted for lookup type "{bare}{default}"')
    return Search(
        text,
        kind,
        partial,
        affix,
        default,
        tuple(option for option in options if option not in ("ret=key", "cache=no_rd")),
        "ret=key" in options and kind.style == "single",
        "cache=no_rd" not in options,
    )


def lookup(scope: Scope, type_text: str, file: str, key: str) -> str | None:
    """The value for a key (single-key types, with ``file``) or a query (``file`` ""), None when there is none.

    Raises Deferred when there is no answer now, ExpansionFailed for a type, file or key of the wrong form.
    """
    hit = search(scope, parse_type(type_text), file, key)
    return None if hit is None else hit.value


def search(scope: Scope, wanted: Search, file: str, key: str) -> Hit | None:
    """``lookup`` for a type text that has been read, and with the parts of the key that partial matching found."""
    if scope.trace is None:
        return _search(scope, wanted, file, key)
    from mta.lookup.servers import shown_query

    scope.trace(
        "lookup", f'{wanted.text} lookup of "{shown_query(key)}"' + (f" in {shown_query(file)}" if file else "")
    )
    found = _search(scope, wanted, file, key)
    scope.trace("lookup", "  lookup failed" if found is None else f'  lookup yielded "{found.value}"')
    return found


def _search(scope: Scope, wanted: Search, file: str, key: str) -> Hit | None:
    if not wanted.single:
        value = _query(scope, wanted, file, key)
        return None if value is None else Hit(value)
    if isinstance(file, Tainted):
        raise ExpansionFailed(f"Tainted filename for search: '{file}'")
    if wanted.type.absolute_file and not file.startswith("/"):
        raise ExpansionFailed(f'absolute file name expected for "{wanted.type.name}" lookup')
    find, options = wanted.type.find, list(wanted.options)
    for candidate, wild, fixed in _keys(wanted, key):
        found = find(scope, file, candidate, options) if candidate else None
        if found is not None:
            return Hit(_plain(key) if wanted.return_key else found, wild, fixed)
    return None


def _keys(wanted: Search, key: str) -> Iterator[tuple[str, str | None, str | None]]:
    """The keys to try in order, each with the wild and the fixed part of the original."""
    yield (key, None, None) if wanted.partial < 0 else (key, "", key)
    if wanted.partial >= 0:
        yield from _partial_keys(wanted, key)
    if wanted.default == "*@":
        local, at, domain = key.rpartition("@")
        if at:
            yield f"*@{domain}", local, ""
    if wanted.default:
        yield "*", key, ""


def _partial_keys(wanted: Search, key: str) -> Iterator[tuple[str, str | None, str | None]]:
    if not key:
        return
    affix = wanted.affix
    if affix:
        yield affix + key, "", key
    components = key.count(".") + 1
    position = 0
    while components > max(wanted.partial, 1):
        position = key.index(".", position) + 1
        components -= 1
        yield affix + key[position:], key[: position - 1], key[position:]
    if wanted.partial == 0 and affix:
        last = affix[:-1] if len(affix) > 1 and affix.endswith(".") else affix
        yield last, key, ""


def _plain(key: str) -> str:
    """The key without its taint: it is in the file, so that it is the administrator's word too."""
    return str.__str__(key) if type(key) is str else "".join(key)


def _query(scope: Scope, wanted: Search, file: str, query: str) -> str | None:
    options = list(wanted.options)
    if not (wanted.type.cached and _only_reads(query)):
        value = wanted.type.find(scope, file, query, options)
        return _plain(value) if isinstance(value, Uncached) else value
    cache = message_cache(scope, "lookup.queries")
    key = (wanted.text, file, query)
    if wanted.read_cache and key in cache:
        kept: str | None = cache[key]
        return kept
    value = wanted.type.find(scope, file, query, options)
    if isinstance(value, Uncached):
        return _plain(value)
    if len(cache) >= QUERY_CACHE_SIZE:
        cache.clear()
    cache[key] = value
    return value


def _only_reads(query: str) -> bool:
    """Whether an answer may be kept: statements that change a database must be obeyed each time."""
    word = lower(query.lstrip()[:12])
    return not word.startswith(("insert", "update", "delete", "replace", "create", "drop", "begin", "commit", "set "))


def message_cache(scope: Scope, name: str) -> dict[object, Any]:
    """A dictionary that lives as long as the scope's message: another Message object starts another one."""
    kept: dict[object, Any] | None
    owner, kept = scope.caches.get(name, (None, None))
    if owner is not scope.message or kept is None:
        kept = {}
        scope.caches[name] = (scope.message, kept)
    return kept


def quote(type_name: str, text: str, option: str | None = None) -> str | None:
    """``${quote_TYPE:...}`` (manual section 9.9); None for an option that the type does not have."""
    kind = lookups.get(type_name)
    if kind is None:
        raise ExpansionFailed(f'unknown lookup type "{type_name}"')
    if kind.quote is None:
        return text if option is None else None
    return kind.quote(text, option)

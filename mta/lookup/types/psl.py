"""psl and regdom: the public suffix of a domain, and the domain that was registered below it.

The file is a public suffix list (https://publicsuffix.org/list/); without one, the list that publicsuffixlist
brings. Names may be written in UTF-8 or in A-labels; the answer is the key's own end, in lower case.
"""

from __future__ import annotations

from pathlib import Path

from publicsuffixlist import PublicSuffixList

from mta.lookup.base import LookupType, lookups
from mta.lookup.files import cached_file, encoded
from mta.scope.scope import Scope
from mta.text.ascii import lower

LONGEST = 253 * 4  # a domain in UTF-8; what is longer is none


def _load(path: str) -> PublicSuffixList:
    return PublicSuffixList(source=Path(encoded(path).decode("utf-8", "surrogateescape")).read_bytes().splitlines())


def _list(scope: Scope, file: str) -> PublicSuffixList:
    if file:
        return cached_file(scope, file, "psl", _load, "for public suffix search")
    state = scope.services.state
    found = state.get("lookup.psl") or state.setdefault("lookup.psl", PublicSuffixList())
    assert isinstance(found, PublicSuffixList)
    return found


def _name(key: str) -> str | None:
    """The domain as the library wants it; None for what cannot be one."""
    name = lower(key).rstrip(".")
    if not name or len(name) > LONGEST or name.startswith(".") or ".." in name:
        return None
    return name.encode("latin-1").decode("utf-8", "replace")


def find_suffix(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """psl: ``co.uk`` for ``www.example.co.uk``; the last label where no rule says more."""
    name = _name(key)
    found = None if name is None else _list(scope, file).publicsuffix(name)
    return None if found is None else str(found).encode("utf-8").decode("latin-1")


def find_registered(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """regdom: ``example.co.uk`` for ``www.example.co.uk``; None for a public suffix itself."""
    name = _name(key)
    found = None if name is None else _list(scope, file).privatesuffix(name)
    return None if found is None else str(found).encode("utf-8").decode("latin-1")


lookups.register("psl")(LookupType("psl", "single", find_suffix, absolute_file=False))
lookups.register("regdom")(LookupType("regdom", "single", find_registered, absolute_file=False))

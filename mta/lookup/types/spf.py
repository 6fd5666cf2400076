"""spf: the SPF result for a sender address (the key) and a client's IP address (the "file"), manual section 58.4."""

from __future__ import annotations

from mta.lookup.base import LookupType, lookups
from mta.scope.scope import Scope


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The result word. The resolver's cache answers what is asked again."""
    return scope.services.check_spf(key, file)


lookups.register("spf")(LookupType("spf", "single", find, absolute_file=False, cached=False))

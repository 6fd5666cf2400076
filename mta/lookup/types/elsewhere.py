"""Lookup types that Exim has and that are not built in here: known by name, refused with what is missing."""

from __future__ import annotations

from typing import Literal

from mta.errors import ExpansionFailed
from mta.lookup.base import Find, LookupType, lookups
from mta.scope.scope import Scope

EXTRAS = {
    "redis": "redis",
    "pgsql": "pgsql",
    "mysql": "mysql",
    "ldap": "ldap",
    "ldapdn": "ldap",
    "ldapm": "ldap",
    "lmdb": "lmdb",
}
ABSENT = ("ibase", "nis", "nis0", "nisplus", "oracle", "whoson", "spf")
SINGLE = frozenset({"lmdb", "nis", "nis0", "spf"})


def _refuse(message: str) -> Find:
    def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
        raise ExpansionFailed(message)

    return find


def _register(name: str, message: str) -> None:
    style: Literal["single", "query"] = "single" if name in SINGLE else "query"
    lookups.register(name)(LookupType(name, style, _refuse(message), absolute_file=False))


for _name, _extra in EXTRAS.items():
    _register(_name, f'lookup type "{_name}" needs the extra: pip install mta[{_extra}]')
for _name in ABSENT:
    _register(_name, f'lookup type "{_name}" is not implemented in mta yet')

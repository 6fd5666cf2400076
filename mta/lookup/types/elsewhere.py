"""Lookup types that Exim has and mta has not: known by name, refused with the reason and what to use instead."""

from __future__ import annotations

from typing import Literal

from mta.errors import ExpansionFailed
from mta.lookup.base import Find, LookupType, lookups
from mta.scope.scope import Scope

ABSENT = {
    "ibase": "InterBase has no maintained client library; use mysql, pgsql or sqlite",
    "nis": "NIS sends its maps unprotected and is no longer maintained; use ldap, or lsearch on an export of the map",
    "nis0": "NIS sends its maps unprotected and is no longer maintained; use ldap, or lsearch on an export of the map",
    "nisplus": "NIS+ was withdrawn by its maker; use ldap",
    "nmh": "it was an experiment; use lsearch on the alias file",
    "oracle": "no Oracle client is supported; use pgsql or mysql, or ${run} a program of your own",
    "readsock": "it is what ${readsocket} uses within Exim; write ${readsocket{SOCKET}{REQUEST}}",
    "whoson": "the Whoson protocol is out of use; use SMTP authentication",
}
SINGLE = frozenset({"nis", "nis0"})


def _refuse(name: str, reason: str) -> Find:
    def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
        raise ExpansionFailed(f'lookup type "{name}" is not available in mta: {reason}')

    return find


def _quote_nisplus(text: str, option: str | None) -> str | None:
    return None if option is not None else text.replace('"', '""')


for _name, _reason in ABSENT.items():
    _style: Literal["single", "query"] = "single" if _name in SINGLE else "query"
    _quote = _quote_nisplus if _name == "nisplus" else None
    lookups.register(_name)(
        LookupType(_name, _style, _refuse(_name, _reason), quote=_quote, absolute_file=False, absent=True)
    )

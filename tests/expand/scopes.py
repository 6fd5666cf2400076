"""Scopes for the tests of the language: everything empty, or with the message of data/message.eml."""

from __future__ import annotations

from mta.mail.headers import Headers
from mta.scope.options import MainOptions
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from tests.expand.case_files import DATA


def empty_scope() -> Scope:
    return Scope(Site(MainOptions()), Services())


def scope_with_message() -> Scope:
    scope = empty_scope()
    head = (DATA / "message.eml").read_text(encoding="latin-1").partition("\n\n")[0]
    headers = Headers()
    for line in head.replace("\n ", "\0 ").replace("\n\t", "\0\t").split("\n"):
        headers.add(line.replace("\0", "\n"))
    scope.message.headers = headers
    return scope

"""``ldapauth`` (manual 11.7): whether a directory accepts the user and password of a query."""

from __future__ import annotations

from mta.expand.base import conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser


@conditions.register("ldapauth")
def parse(parser: Parser, name: str) -> Condition:
    from mta.lookup.types.ldap import authenticate

    (query,) = (argument.run for argument in parser.condition_arguments(name, 1))
    return Condition(lambda scope: authenticate(scope, query(scope)))

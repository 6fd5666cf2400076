"""``match_domain`` and its kin, ``inlist`` and ``inlisti`` (manual 11.7).

The list of a ``match_...`` is not expanded: dollars in it are ordinary characters. ``$value`` is what matched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mta.errors import ConfigError, ExpansionFailed
from mta.expand.base import conditions
from mta.expand.compiler import constant_text
from mta.expand.conditions.addresses import ip_version
from mta.expand.listwork import split
from mta.expand.nodes import Condition, isolated
from mta.expand.parser import Parser
from mta.match import compile as lists
from mta.scope.expansion import Expansion, Matched
from mta.scope.scope import Scope
from mta.text.ascii import lower

SETS = frozenset(["captures", "value"])
_MAKERS: dict[str, Callable[[Expansion], Any]] = {
    "match_domain": lists.domain_list,
    "match_address": lists.address_list,
    "match_local_part": lists.local_part_list,
    "match_ip": lists.host_list_ip,
}


@conditions.register(*_MAKERS)
def parse_match(parser: Parser, name: str) -> Condition:
    subject = isolated(parser.condition_argument(name, 0))
    parser.condition_bracket(name, 1)
    try:
        listing = _MAKERS[name](constant_text(parser.literal_braced()))
    except ConfigError as error:
        raise ExpansionFailed(error.message) from None
    is_ip = name == "match_ip"

    def test(scope: Scope) -> bool:
        text = subject(scope)
        if is_ip and text and not ip_version(text):
            raise ExpansionFailed(f'"{text}" is not an IP address')
        found: Matched | None = listing.match(scope, text)
        if found is None:
            return False
        scope.value = found.data
        return True

    return Condition(test, SETS)


@conditions.register("inlist", "inlisti")
def parse_inlist(parser: Parser, name: str) -> Condition:
    subject, listing = (isolated(node) for node in parser.condition_arguments(name, 2))
    caseless = name == "inlisti"

    def test(scope: Scope) -> bool:
        wanted = subject(scope)
        if caseless:
            wanted = lower(wanted)
        for item in split(listing(scope)).items:
            if (lower(item) if caseless else item) == wanted:
                scope.value = item
                return True
        return False

    return Condition(test, SETS)

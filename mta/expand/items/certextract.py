"""``${certextract{field}{$certificate}{yes}{no}}`` (manual 11.5): one field of a certificate variable."""

from __future__ import annotations

from collections.abc import Callable

from mta.errors import ExpansionFailed
from mta.expand import references
from mta.expand.base import items
from mta.expand.certificates import field_of
from mta.expand.nodes import Node, isolated, value_item
from mta.expand.parser import Parser
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope

_CERTIFICATES: dict[str, Callable[[Scope], bytes]] = {
    "tls_in_ourcert": lambda s: s.peer.tls.our_certificate,
    "tls_in_peercert": lambda s: s.peer.tls.peer_certificate,
    "tls_out_ourcert": lambda s: s.tls_out.our_certificate if s.tls_out else b"",
    "tls_out_peercert": lambda s: s.tls_out.peer_certificate if s.tls_out else b"",
}


@items.register("certextract")
def parse(parser: Parser, name: str) -> Node:
    wanted = isolated(parser.argument("field arg of certextract"))
    if parser.skip_space() != "{":
        parser.fail("missing '{' for cert variable arg of certextract")
    parser.pos += 1
    end = parser.text.find("}", parser.pos)
    if parser.skip_space() != "$" or end < 0:
        parser.fail(f'second argument of "{name}" must be a certificate variable')
    variable = parser.text[parser.pos + 1 : end]
    parser.pos = end + 1
    if variable not in _CERTIFICATES:
        if references.find_variable(variable) is None:
            parser.fail(f'no variable named "{variable}"')
        parser.fail(f'"{variable}" is not a certificate')
    certificate = _CERTIFICATES[variable]

    def fetch(scope: Scope) -> str | None:
        der = certificate(scope)
        key = wanted(scope)
        if not key:
            raise ExpansionFailed(f'first argument of "{name}" must not be empty')
        if not der:
            return None
        value = field_of(der, key)
        return None if value is None else Tainted(value)

    return value_item(fetch, parser.branches(name))

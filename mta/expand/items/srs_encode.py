"""``${srs_encode {secret}{return path}{original domain}}``: a sender for a forwarded message (manual section 58.5)."""

from __future__ import annotations

import time

from mta.emailauth.srs import NotAnAddress, encode
from mta.errors import ExpansionFailed
from mta.expand.base import items
from mta.expand.nodes import Node, insert, isolated, like
from mta.expand.parser import Parser
from mta.scope.scope import Scope


@items.register("srs_encode")
def parse(parser: Parser, name: str) -> Node:
    secret, return_path, domain = (isolated(argument) for argument in parser.arguments(name, 3, 3))

    def run(scope: Scope) -> str:
        key, sender, own = secret(scope), return_path(scope), domain(scope)
        chains = bool(scope.site.options.srs_chains)
        try:
            return insert(scope, like(encode(key, sender, own, now=time.time(), chains=chains), sender, own))
        except NotAnAddress as error:
            raise ExpansionFailed(str(error)) from None

    return Node(run)

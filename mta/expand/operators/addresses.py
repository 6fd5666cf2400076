"""Operators on addresses: address, addresses, domain, local_part."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.mail.address import Address, parse_address, parse_address_list
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE


def _parsed(scope: Scope, text: str) -> Address | None:
    options = scope.site.options
    parsed = parse_address(
        text,
        allow_domain_literals=options.allow_domain_literals,
        allow_utf8=options.allow_utf8_domains or scope.message.smtputf8,
        strip_trailing_dot=options.strip_trailing_dot,
    )
    return parsed if isinstance(parsed, Address) else None


@operator("address", pure=False)
def address(scope: Scope, text: str, _argument: str | None) -> str:
    parsed = _parsed(scope, text)
    return parsed.text if parsed else ""


@operator("domain", pure=False)
def domain(scope: Scope, text: str, _argument: str | None) -> str:
    parsed = _parsed(scope, text)
    return parsed.domain if parsed else ""


@operator("local_part", pure=False)
def local_part(scope: Scope, text: str, _argument: str | None) -> str:
    parsed = _parsed(scope, text)
    return parsed.local_part if parsed else ""


@operator("addresses", pure=False)
def addresses(scope: Scope, text: str, _argument: str | None) -> str:
    """An Exim list of the working addresses of a header; ``>x`` in front chooses its separator."""
    rest = text.lstrip(WHITESPACE)
    separator = ":"
    if rest.startswith(">"):
        if len(rest) < 2:
            raise ExpansionFailed(f"output separator missing in expanding ${{addresses:{rest}}}")
        separator, rest = rest[1], rest[2:]
    options = scope.site.options
    found = parse_address_list(
        rest,
        allow_domain_literals=options.allow_domain_literals,
        allow_utf8=options.allow_utf8_domains or scope.message.smtputf8,
        strip_trailing_dot=options.strip_trailing_dot,
    )
    good = [item.text for item in found if isinstance(item, Address)]
    return separator.join(item.replace(separator, separator * 2) for item in good)

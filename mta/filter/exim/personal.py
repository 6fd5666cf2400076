"""The ``personal`` condition (filter manual 3.27 to 3.29): mail from a person to this very user.

Exim compares whole addresses where the manual says "contains"; so do we.
"""

from __future__ import annotations

from collections.abc import Iterable

from mta.mail.address import Address, parse_address, split_header_addresses
from mta.mail.headers import Header
from mta.scope.scope import Scope
from mta.text.ascii import lower, strip

_LIST_FIELDS = ("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive")
_ROBOTS = ("server", "daemon", "root", "listserv", "majordomo")
_BULK = ("bulk", "list", "junk")


def is_personal(scope: Scope, aliases: Iterable[str]) -> bool:
    """``aliases``: other addresses of the user. Never true in a system filter."""
    message = scope.message
    recipient = scope.recipient
    if recipient is None or not message.sender or scope.vars.get("system_filter"):
        return False
    named = message.headers.named
    if any(named(name) for name in _LIST_FIELDS):
        return False
    submitted = named("auto-submitted")
    if any(lower(strip(line.value)) != "no" for line in submitted):
        return False
    precedence = [lower(line.value) for line in named("precedence")]
    if any(word in value for word in _BULK for value in precedence):
        return False
    own = _own_addresses(scope) | {lower(alias) for alias in aliases}
    senders = _addresses(scope, named("from"))
    if not named("from") or any(address in own or _is_robot(address) for address in senders):
        return False
    return any(address in own for address in _addresses(scope, named("to")))


def _own_addresses(scope: Scope) -> set[str]:
    """The address with and without its affixes, and what rewriting makes of them."""
    recipient = scope.recipient
    assert recipient is not None
    whole = f"{recipient.prefix}{recipient.local_part}{recipient.suffix}@{recipient.domain}"
    found = {lower(whole), lower(f"{recipient.local_part}@{recipient.domain}")}
    rewrite = scope.services.state.get("rewrite_address")
    if rewrite is not None:
        found |= {lower(rewrite(scope, address, "T")) for address in sorted(found)}
    return found


def _addresses(scope: Scope, lines: list[Header]) -> list[str]:
    """The addresses of header lines in lower case, unqualified ones with our domain; pieces that are none left out."""
    out: list[str] = []
    for line in lines:
        for start, end in split_header_addresses(line.value):
            parsed = parse_address(line.value[start:end], allow_domain_literals=True)
            if isinstance(parsed, Address):
                domain = parsed.domain or scope.site.options.qualify_domain
                out.append(lower(f"{parsed.local_part}@{domain}"))
    return out


def _is_robot(address: str) -> bool:
    local_part = address.rpartition("@")[0]
    return local_part in _ROBOTS or local_part.endswith("-request") or local_part.startswith("owner-")

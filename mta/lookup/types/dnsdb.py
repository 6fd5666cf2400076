"""dnsdb: the DNS as a database (manual sections 9.10 to 9.13)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mta.errors import Deferred
from mta.lookup.base import LookupType, lookups
from mta.lookup.index import parse_address
from mta.net.answer import Answer
from mta.net.records import domain_text, reverse_name
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE, lower, strict_int
from mta.text.lists import split_list
from mta.text.units import parse_time

if TYPE_CHECKING:
    from mta.net.resolver import Resolver

TYPES = ("a", "aaaa", "a+", "cname", "csa", "mx", "mxh", "ns", "ptr", "soa", "spf", "srv", "tlsa", "txt", "zns")
_MODIFIER = re.compile(r"(defer|dnssec|retrans|retry)_([^,\s=]*)", re.ASCII)
QUESTIONS = 100  # one query may ask for so many names


@dataclass(slots=True)
class Query:
    """A query, read. ``field`` None is the type's own way to put fields together, "" joins them."""

    names: str = ""
    kind: str = "txt"
    separator: str = "\n"
    field: str | None = None
    defer: str = "lax"
    dnssec: str = "lax"
    retrans: float = 0.0
    retry: int = 0


def parse_query(text: str) -> Query:
    """Read ``>:,; defer_never,mx=a.example:b.example``. Raises Deferred in Exim's words."""
    query = Query()
    rest = _separators(query, text.lstrip(WHITESPACE)).lstrip(WHITESPACE)
    while (found := _MODIFIER.match(rest)) is not None:
        rest = rest[found.end() :].lstrip(WHITESPACE)
        _modifier(query, found.group(1), found.group(2))
        if not rest.startswith(","):
            raise Deferred("dnsdb modifier syntax error")
        rest = rest[1:].lstrip(WHITESPACE)
    kind, equals, names = rest.partition("=")
    if equals:
        query.kind = lower(kind.strip(WHITESPACE))
        if query.kind not in TYPES:
            raise Deferred("unsupported DNS record type")
        rest = names
    query.names = rest.strip(WHITESPACE)
    return query


def _separators(query: Query, text: str) -> str:
    """Take ``>X``, ``>X,Y`` or ``>X;`` off the front."""
    if not text.startswith(">"):
        return text
    query.separator, rest = text[1:2], text[2:]
    if rest.startswith(","):
        query.field, rest = rest[1:2], rest[2:]
    elif rest.startswith(";"):
        query.field, rest = "", rest[1:]
    return rest


def _modifier(query: Query, name: str, value: str) -> None:
    if name == "defer":
        if value not in ("strict", "lax", "never"):
            raise Deferred("unsupported dnsdb defer behaviour")
        query.defer = value
    elif name == "dnssec":
        if value not in ("strict", "lax", "never"):
            raise Deferred("unsupported dnsdb dnssec behaviour")
        query.dnssec = value
    elif name == "retrans":
        seconds = parse_time(value)
        if seconds is None or seconds <= 0:
            raise Deferred("unsupported dnsdb timeout value")
        query.retrans = float(seconds)
    else:
        count = strict_int(value, maximum=20)
        if count is None:
            raise Deferred("unsupported dnsdb retry count")
        query.retry = count


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The data of all records of all names, put together; None when there are none."""
    query = parse_query(key)
    resolver = scope.services.resolver
    if resolver is None:
        raise Deferred("no DNS resolver is available")
    names = [query.names] if query.kind == "ptr" and parse_address(query.names) else split_list(query.names)
    pieces: list[str] = []
    authenticated, deferred = True, ""
    for name in names[:QUESTIONS]:
        for answer in _ask(scope, resolver, query, name) if name else ():
            secure = answer.authenticated and query.dnssec != "never"
            if answer.status == "again" or (answer.ok and query.dnssec == "strict" and not secure):
                deferred = answer.error or f"{answer.name} ({answer.rdtype}) is not DNSSEC secure"
                if query.defer == "strict":
                    raise Deferred(f"DNS lookup of {answer.name} ({answer.rdtype}) failed: {deferred}")
                continue
            if answer.ok:
                authenticated = authenticated and secure
                pieces.extend(_data(query, answer))
    scope.vars["lookup_dnssec_authenticated"] = "" if query.dnssec == "never" else "yes" if authenticated else "no"
    if pieces:
        return query.separator.join(pieces)
    if deferred and query.defer != "never":
        raise Deferred(f"DNS lookup failed: {deferred}")
    return None


def _ask(scope: Scope, resolver: Resolver, query: Query, name: str) -> Iterator[Answer]:
    def ask(owner: str, rdtype: str) -> Answer:
        return resolver.query(owner, rdtype, retrans=query.retrans, retry=query.retry)

    if query.kind == "a+":
        yield ask(name, "AAAA")
        yield ask(name, "A")
    elif query.kind == "ptr":
        yield ask(reverse_name(name) or name, "PTR")
    elif query.kind in ("soa", "zns"):
        yield _climb(ask, name, "SOA" if query.kind == "soa" else "NS")
    elif query.kind == "csa":
        yield _csa(scope, ask, name)
    else:
        yield ask(name, "MX" if query.kind == "mxh" else query.kind.upper())


def _climb(ask: Callable[[str, str], Answer], name: str, rdtype: str) -> Answer:
    """The answer for the name or the nearest of its parents that has one; the root is not asked."""
    while True:
        answer = ask(name, rdtype)
        # A CNAME on the way is not the zone's own record.
        if answer.status in ("ok", "again") or "." not in name:
            return answer
        name = name.partition(".")[2]


def _csa(scope: Scope, ask: Callable[[str, str], Answer], name: str) -> Answer:
    """Client SMTP authorization (section 44.52): the name's own record, or a parent's with its "all below" bit."""
    limit = getattr(scope.site.options, "dns_csa_search_limit", 5)
    address = parse_address(name.strip("[]"))
    name = (reverse_name(str(address)) or name) if address is not None else name
    own = ask(f"_client._smtp.{name}", "SRV")
    if own.status in ("ok", "again"):
        return own
    labels = name.split(".")
    for start in range(max(1, len(labels) - limit), len(labels)):
        answer = ask(f"_client._smtp.{'.'.join(labels[start:])}", "SRV")
        if answer.status == "again":
            return answer
        bound = tuple(record for record in answer.records if record.priority == 1 and record.port & 1)  # type: ignore[attr-defined]
        if bound:
            return Answer("ok", "", "SRV", bound, authenticated=answer.authenticated)
    return own


def _data(query: Query, answer: Answer) -> Iterator[str]:
    for record in answer.records:
        text = _record(query, record, answer)
        if text is not None:
            yield text


def _record(query: Query, record: Any, answer: Answer) -> str | None:
    kind = query.kind
    if kind in ("a", "aaaa", "a+"):
        return str(record.address)
    if kind in ("txt", "spf"):
        pieces = [piece.decode("latin-1") for piece in record.strings]
        if query.field is None:
            return pieces[0] if kind == "txt" else "".join(pieces)
        return query.field.join(pieces)
    if kind == "csa":
        return _csa_text(record, answer)
    return (query.field or " ").join(_fields(query, record))


def _fields(query: Query, record: Any) -> list[str]:
    kind = query.kind
    if kind in ("mx", "mxh"):
        name = _name(record.exchange)
        return [name] if kind == "mxh" else [str(record.preference), name]
    if kind == "srv":
        return [str(record.priority), str(record.weight), str(record.port), _name(record.target)]
    if kind == "tlsa":
        return [str(record.usage), str(record.selector), str(record.mtype), record.cert.hex()]
    if kind == "soa":
        if query.field is None:
            return [_name(record.mname)]
        numbers = (record.serial, record.refresh, record.retry, record.expire, record.minimum)
        return [_name(record.mname), _name(record.rname), *map(str, numbers)]
    return [_name(record.target)]


def _csa_text(record: Any, answer: Answer) -> str | None:
    if record.priority != 1:
        return None
    code = "X" if answer.name == "" else {1: "N", 2: "Y", 3: "?"}.get(record.weight)
    return None if code is None else f"{code} {_name(record.target)}"


def _name(name: Any) -> str:
    """A name as Exim prints it: the root is empty."""
    text = domain_text(name)
    return "" if text == "." else text


# Not kept by find.py: the resolver's cache knows how long an answer may be believed.
lookups.register("dnsdb")(LookupType("dnsdb", "query", find, cached=False))

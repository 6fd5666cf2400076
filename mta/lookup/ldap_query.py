"""LDAP queries as text: the settings in front, the URL of RFC 4516, and the two quotings (manual 9.15 to 9.18).

Reading a query raises Deferred in Exim's words; nothing here talks to a server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from mta.errors import Deferred
from mta.text.ascii import WHITESPACE, is_digits, lower

SCHEMES = ("ldap", "ldaps", "ldapi")
SCOPES = {"": 0, "base": 0, "one": 1, "onelevel": 1, "sub": 2, "subtree": 2}
DEREFERENCE = {"never": 0, "searching": 1, "finding": 2, "always": 3}
LONGEST_NUMBER = 9
_SETTING = re.compile(r'([A-Za-z][^=]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:[ \t\n\v\f\r]+|$)', re.DOTALL)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_URL_SAFE = frozenset("!$'-._()*+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@dataclass(slots=True)
class Url:
    """The parts of a URL, percent signs decoded. ``host`` "" when it names none; ``port`` 0 for the default."""

    scheme: str
    host: str
    port: int
    dn: str
    attributes: list[str]
    scope: int
    filter: str


@dataclass(slots=True)
class Query:
    """A whole query. ``user`` None: no USER= was there; the password is kept from representations."""

    url: Url
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    size: int = 0
    time: int = 0
    connect: int = 0
    dereference: int | None = None
    referrals: bool = True
    servers: str | None = None


def parse_query(text: str) -> Query:
    """``user="cn=manager" pass=secret ldap:///...``."""
    settings, rest = _settings(text.lstrip(WHITESPACE))
    query = Query(parse_url(rest))
    for name, value in settings:
        _set(query, name, value)
    return query


def _settings(text: str) -> tuple[list[tuple[str, str]], str]:
    found = []
    while lower(text[:4]) != "ldap":
        setting = _SETTING.match(text)
        if setting is None:
            if "=" in text and not re.match(r"[A-Za-z]+=", text):
                raise Deferred(f'unknown parameter "{text.partition("=")[0]}=" precedes LDAP URL')
            raise Deferred("malformed parameter setting precedes LDAP URL")
        found.append((lower(setting.group(1)), _unquoted(setting.group(2))))
        text = text[setting.end() :]
    return found, text


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)


def _set(query: Query, name: str, value: str) -> None:
    match name:
        case "user":
            query.user = decode_percent(value)
        case "pass":
            query.password = value
        case "size":
            query.size = _number(value)
        case "time":
            query.time = _number(value)
        case "connect" | "nettime":
            query.connect = _number(value)
        case "servers":
            query.servers = value
        case "dereference":
            query.dereference = DEREFERENCE.get(lower(value), 0)
        case "referrals":
            if lower(value) not in ("follow", "nofollow"):
                raise Deferred('LDAP option REFERRALS is not "follow" or "nofollow"')
            query.referrals = lower(value) == "follow"
        case _:
            raise Deferred(f'unknown parameter "{name}=" precedes LDAP URL')


def _number(text: str) -> int:
    return int(text) if is_digits(text) and len(text) <= LONGEST_NUMBER else 0


def parse_url(text: str) -> Url:
    """``ldap://host:port/dn?attributes?scope?filter?extensions``; extensions are not looked at."""
    scheme, mark, rest = text.partition("://")
    if not mark or lower(scheme) not in SCHEMES:
        raise Deferred(
            f'LDAP URL does not start with "ldap://", "ldaps://", or "ldapi://" (it starts with "{text[:16]}...")'
        )
    place, _, rest = rest.partition("/")
    dn, attributes, scope, search, *_ = [*rest.split("?", 4), "", "", "", ""]
    if lower(scope) not in SCOPES:
        raise Deferred(f'ldap_url_parse: (error 8) parsing "{text}"')
    host, port = _host_port(place, text)
    wanted = decode_percent(search) or "(objectClass=*)"
    return Url(
        lower(scheme),
        host,
        port,
        decode_percent(dn),
        [decode_percent(name) for name in attributes.split(",") if name],
        SCOPES[lower(scope)],
        wanted if wanted.startswith("(") else f"({wanted})",
    )


def _host_port(place: str, text: str) -> tuple[str, int]:
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        colon, port = rest[:1] == ":" and bool(bracket), rest[1:]
    else:
        host, mark, port = place.partition(":")
        colon = bool(mark)
    if not colon:
        return decode_percent(host), 0
    if not is_digits(port) or len(port) > 5 or int(port) > 65535:
        raise Deferred(f'ldap_url_parse: (error 5) parsing "{text}"')
    return decode_percent(host), int(port)


def decode_percent(text: str) -> str:
    """The bytes that ``%XX`` stand for; a percent sign without two hexadecimal digits stays."""
    return _PERCENT.sub(lambda found: chr(int(found.group(1), 16)), text) if "%" in text else text


def _url_quoted(text: str) -> str:
    return "".join(char if char in _URL_SAFE else f"%{ord(char):02X}" for char in text)


def quote_filter(text: str) -> str:
    """``${quote_ldap:...}``: RFC 4515, then the URL's own quoting. A NUL, which Exim cannot hold, is escaped too."""
    escapes = {"*": "%5C2A", "(": "%5C28", ")": "%5C29", "\\": "%5C5C", "\0": "%5C00"}
    return "".join(escapes.get(char) or _url_quoted(char) for char in text)


def quote_dn(text: str) -> str:
    """``${quote_ldap_dn:...}``: RFC 4514, then the URL's own quoting."""
    body = text.rstrip(" ")
    trailing = len(text) - len(body)
    start = len(body) - len(body.lstrip(" #"))
    out = [f"\\{char}" for char in body[:start]]
    out += ["\\00" if char == "\0" else f"\\{char}" if char in ',+"\\<>;' else char for char in body[start:]]
    return _url_quoted("".join(out) + "\\ " * trailing)


def format_values(values: list[str]) -> str:
    """The values of one attribute: commas between them, commas within them doubled."""
    return ",".join(value.replace(",", ",,") for value in values)


def format_entry(attributes: list[tuple[str, list[str]]], *, single: bool) -> str:
    """One entry's data: the values alone for a query for one attribute, ``name="values"`` with spaces between else."""
    if single:
        return ",".join(format_values(values) for _, values in attributes)
    return " ".join(f'{name}="{_escaped(format_values(values))}"' for name, values in attributes)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


Kind = Literal["ldap", "ldapdn", "ldapm"]

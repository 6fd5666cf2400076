"""ldap, ldapdn, ldapm: entries of a directory (manual sections 9.14 to 9.19), by python-ldap, the extra "ldap".

libldap decides on certificates and referrals as Exim's does, which is why the pure-Python libraries are not used.
``authenticate`` is what ``${if ldapauth`` asks.
"""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote as percent

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.base import LookupType, extra_module, lookups
from mta.lookup.ldap_query import Kind, Query, format_entry, parse_query, quote_dn, quote_filter
from mta.lookup.servers import ANSWER_SECONDS, CONNECT_SECONDS, Driver, Refused, Server, Unreachable, ask, byte_text
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.lists import split_list

ENTRIES = 100_000
_REQUIRE = {"hard": "HARD", "demand": "DEMAND", "allow": "ALLOW", "try": "TRY"}


class WrongPassword(Refused):
    """The server refused the bind: a lookup goes on to the next server, a check of a password is answered."""


class Denied(Exception):
    """The answer no of ``authenticate``."""


def _text(value: str) -> str:
    """Byte text as the library wants it; Deferred for what is not UTF-8, which no name in a directory can be."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise Deferred("LDAP query is not in UTF-8") from None


def _bytes(value: str) -> str:
    return value.encode("utf-8").decode("latin-1")


def servers_of(scope: Scope, query: Query) -> list[Server]:
    """The servers of a query: its URL's, those of SERVERS=, or ldap_default_servers; each with the credentials."""
    url = query.url
    if url.host:
        places = [f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}" if url.port else url.host]
    elif query.servers is not None:
        places = split_list(query.servers)
    else:
        places = list(getattr(scope.site.options, "ldap_default_servers", None) or ())
    return [_server(place, query) for place in places or [""]]


def _server(place: str, query: Query) -> Server:
    user, password = query.user or "", query.password or ""
    # the group keeps apart the connections that are made differently
    group = f"{query.url.scheme} {query.connect} {query.dereference} {query.referrals}"
    if place.startswith("/"):
        return Server("", place, group, "", user, password)
    return Server(place, "", group, "", user, password)


def _uri(server: Server) -> str:
    scheme = server.group.partition(" ")[0]
    if server.socket:
        return f"ldapi://{percent(server.socket, safe='')}"
    if scheme == "ldapi":
        if server.host:
            raise Refused(f'ldapi requires an absolute path ("{server.address(0)[0]}" given)')
        return "ldapi://"
    return f"{scheme}://{server.host}"


def _connect(scope: Scope, server: Server) -> Any:
    """Connect and bind, as Exim does before each search."""
    ldap = extra_module("ldap", "ldap")
    uri = _uri(server)
    link = None
    try:
        link = ldap.initialize(uri)
        _set_options(scope, ldap, link, server, secure=not uri.startswith("ldapi"))
        if getattr(scope.site.options, "ldap_start_tls", False) and uri.startswith("ldap://"):
            link.start_tls_s()
    except (ldap.LDAPError, ValueError) as error:
        if link is not None:
            _close(link)
        raise Unreachable(f"failed to connect to LDAP server {_place(server)}: {_words(error)}") from None
    try:
        number = link.simple_bind(_text(server.user), _text(server.password))
        if link.result(number, timeout=CONNECT_SECONDS)[0] is None:
            raise ldap.TIMEOUT
    except ldap.LDAPError as error:
        _close(link)
        message = f"failed to bind the LDAP connection to server {_place(server)} - {_numbered(error)}"
        if isinstance(error, (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR, ldap.BUSY, ldap.UNAVAILABLE)):
            raise Unreachable(message) from None
        if isinstance(error, (ldap.INVALID_CREDENTIALS, ldap.NO_SUCH_OBJECT)):
            raise WrongPassword(message) from None
        raise Refused(message) from None
    return link


def _set_options(scope: Scope, ldap: Any, link: Any, server: Server, *, secure: bool) -> None:
    _, connect, dereference, referrals = server.group.split(" ")
    options = scope.site.options
    version = getattr(options, "ldap_version", -1)
    link.set_option(ldap.OPT_PROTOCOL_VERSION, version if version > 0 else ldap.VERSION3)
    link.set_option(ldap.OPT_NETWORK_TIMEOUT, float(connect) if connect != "0" else CONNECT_SECONDS)
    link.set_option(ldap.OPT_TIMEOUT, ANSWER_SECONDS)
    link.set_option(ldap.OPT_REFERRALS, ldap.OPT_ON if referrals == "True" else ldap.OPT_OFF)
    if dereference != "None":
        link.set_option(ldap.OPT_DEREF, int(dereference))
    if not secure:
        return
    changed = False
    for name, option in (
        ("ldap_ca_cert_dir", ldap.OPT_X_TLS_CACERTDIR),
        ("ldap_ca_cert_file", ldap.OPT_X_TLS_CACERTFILE),
        ("ldap_cert_file", ldap.OPT_X_TLS_CERTFILE),
        ("ldap_cert_key", ldap.OPT_X_TLS_KEYFILE),
        ("ldap_cipher_suite", ldap.OPT_X_TLS_CIPHER_SUITE),
    ):
        value = getattr(options, name, None)
        if value:
            link.set_option(option, value)
            changed = True
    require = getattr(options, "ldap_require_cert", None)
    if require:
        link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, getattr(ldap, f"OPT_X_TLS_{_REQUIRE.get(require, 'NEVER')}"))
        changed = True
    if changed:
        link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)


def _place(server: Server) -> str:
    host = server.socket or server.host or "localhost"
    return host if ":" in host or server.socket else f"{host}:{636 if server.group.startswith('ldaps') else 389}"


def _words(error: BaseException) -> str:
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return byte_text(detail.get("desc") or error)


def _numbered(error: BaseException) -> str:
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    number = detail.get("result", -1)
    return f"LDAP error {number}: {_words(error)}" if number > 0 else f"ldap_bind() returned {number}"


def _close(link: Any) -> None:
    ldap = extra_module("ldap", "ldap")
    with contextlib.suppress(ldap.LDAPError, AttributeError):
        link.unbind_ext_s()


def _fileno(link: Any) -> int:
    ldap = extra_module("ldap", "ldap")
    try:
        return int(link.fileno())
    except (ldap.LDAPError, AttributeError, ValueError):
        return -1


DRIVER: Driver[Any] = Driver(
    "LDAP", "ldap_default_servers", (), _connect, _fileno, _close, lambda link: _fileno(link) >= 0
)


def _search(link: Any, query: Query) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The entries as (DN, [(attribute, values)]); one that is not there is no entry."""
    ldap = extra_module("ldap", "ldap")
    url = query.url
    entries: list[tuple[str, list[tuple[str, list[str]]]]] = []
    try:
        names = [_text(name) for name in url.attributes] or None
        limit = query.time or -1
        number = link.search_ext(
            _text(url.dn), url.scope, _text(url.filter), names, timeout=limit, sizelimit=query.size
        )
        while len(entries) <= ENTRIES:
            kind, data, *_ = link.result3(number, all=0, timeout=query.time or ANSWER_SECONDS)
            if kind is None:
                raise ldap.TIMEOUT
            entries += [_entry(dn, attributes) for dn, attributes in data if dn is not None]
            if kind == ldap.RES_SEARCH_RESULT:
                break
    except (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX):
        return []
    except ldap.SIZELIMIT_EXCEEDED:
        return entries
    except (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR, ldap.UNAVAILABLE) as error:
        raise Unreachable(f"ldap_result failed: {_words(error)}") from None
    except ldap.FILTER_ERROR as error:
        raise Deferred(f"ldap_search failed: -7, {_words(error)}") from None
    except ldap.LDAPError as error:
        raise Refused(f"LDAP search failed - {_numbered(error)}") from None
    return entries


def _entry(dn: str, attributes: dict[str, list[bytes]]) -> tuple[str, list[tuple[str, list[str]]]]:
    found = [(_bytes(name), [value.decode("latin-1") for value in values]) for name, values in attributes.items()]
    return _bytes(dn), found


def _find(kind: Kind, scope: Scope, text: str) -> str | None:
    if not text:
        return None
    query = parse_query(text)
    if query.servers is not None and isinstance(text, Tainted):
        raise Deferred("LDAP server is tainted")
    entries = ask(scope, DRIVER, servers_of(scope, query), lambda link, _: _search(link, query))
    if len(entries) > 1 and kind != "ldapm":
        # Exim lets a SIZE= of one cut the answer short, but takes two entries for a mistake
        raise Deferred(f"LDAP search: more than one entry ({len(entries)}) was returned (filter not specific enough?)")
    if not entries:
        return None
    scope.vars["ldap_dn"] = entries[-1][0]
    return entries[0][0] if kind == "ldapdn" else _data(entries, single=len(query.url.attributes) == 1)


def _data(entries: list[tuple[str, list[tuple[str, list[str]]]]], *, single: bool) -> str | None:
    """The entries' data between newlines; those before the first with an attribute leave no line."""
    lines: list[str] = []
    for _, attributes in entries:
        if attributes or lines:
            lines.append(format_entry(attributes, single=single))
    return "\n".join(lines) if lines else None


def authenticate(scope: Scope, text: str) -> bool:
    """Whether USER= and PASS= of the query are accepted. Raises ExpansionFailed or Deferred."""
    query = parse_query(text)
    if query.user is None or query.password is None:
        raise ExpansionFailed("ldapauth lookups must specify the username and password")
    if not query.user or not query.password:
        return False  # an empty password would be an anonymous bind, which always succeeds
    try:
        return ask(scope, BINDER, servers_of(scope, query), lambda _link, _server: True)
    except Denied:
        return False


def _bind(scope: Scope, server: Server) -> Any:
    try:
        return _connect(scope, server)
    except WrongPassword as error:
        raise Denied from error


# never keeps nor takes a kept connection: each password is tried anew
BINDER: Driver[Any] = Driver("LDAP", "ldapauth", (), _bind, _fileno, _close, lambda _link: False)


def _of(kind: Kind) -> Any:
    def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
        return _find(kind, scope, key)

    return find


def quote(text: str, option: str | None) -> str | None:
    """``${quote_ldap:...}`` for filters and ``${quote_ldap_dn:...}`` for names."""
    if option is None:
        return quote_filter(text)
    return quote_dn(text) if option == "dn" else None


lookups.register("ldap")(LookupType("ldap", "query", _of("ldap"), quote=quote, extra="ldap"))
lookups.register("ldapdn")(LookupType("ldapdn", "query", _of("ldapdn"), quote=quote, extra="ldap"))
lookups.register("ldapm")(LookupType("ldapm", "query", _of("ldapm"), quote=quote, extra="ldap"))

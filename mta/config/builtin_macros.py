"""The built-in macros of a configuration (manual chapter 6, "Builtin macros"), from what mta really has.

``builtin(name)`` answers one name and loads only the registry that it asks about; ``names()`` lists all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec

from mta.registry import Registry
from mta.scope.options import MainOptions
from mta.settings.options import option_fields

DEFINED = "y"


def _main_options() -> Iterable[str]:
    return option_fields(MainOptions)


def _generic(section: str) -> Iterable[str]:
    if section == "ROUTERS":
        from mta.route.base import RouterOptions

        return [*option_fields(RouterOptions), "verify", "fail_verify"]
    if section == "TRANSPORTS":
        from mta.transport.base import TransportOptions

        return option_fields(TransportOptions)
    from mta.sasl.base import AuthenticatorOptions

    return option_fields(AuthenticatorOptions)


def _drivers(kind: str) -> Registry[type]:
    if kind == "ROUTER":
        from mta.route.base import routers

        return routers
    if kind == "TRANSPORT":
        from mta.transport.base import transports

        return transports
    from mta.sasl.base import mechanisms

    found: Registry[type] = mechanisms
    return found


def _private(kind: str) -> Iterator[str]:
    registry = _drivers(kind)
    for driver in registry:
        for option in option_fields(registry[driver]):
            yield f"{driver}_{option}"


def _log_selectors() -> Iterable[str]:
    from mta.log.selectors import NAMES

    return {*NAMES, "all"}


def _language(name: str) -> Callable[[], Registry[object]]:
    def names() -> Registry[object]:
        from mta.expand import base

        registry: Registry[object] = getattr(base, name)
        return registry

    return names


def _acl(name: str) -> Callable[[], Registry[object]]:
    def names() -> Registry[object]:
        from mta.acl import statements

        registry: Registry[object] = getattr(statements, name)
        return registry

    return names


def _lookups() -> Iterable[str]:
    from mta.lookup.base import working

    return working()


def _in_acl(condition: str) -> Callable[[], bool]:
    return lambda: condition in _acl("conditions")()


def _module(name: str) -> Callable[[], bool]:
    return lambda: find_spec(name) is not None


# A facility is claimed only when the part that does it is there.
FACILITIES: dict[str, Callable[[], bool]] = {
    "IPV6": lambda: True,
    "ICONV": lambda: True,
    "TLS": _module("mta.tls.contexts"),
    "OPENSSL": _module("mta.tls.contexts"),
    "TLS1_3": _module("mta.tls.contexts"),
    "TLS_CA_CACHE": _module("mta.tls.contexts"),
    "DANE": lambda: "smtp_hosts_try_dane" in _private("TRANSPORT"),
    "DNSSEC": _module("mta.net.resolver"),
    "OCSP": _module("mta.tls.stapling"),
    "TLS_OCSP": _module("mta.tls.stapling"),
    "TLS_OCSP_LIST": _module("mta.tls.stapling"),
    "CRYPTEQ": lambda: "crypteq" in _language("conditions")(),
    "ARC": _module("mta.emailauth.arc"),
    "DKIM": _in_acl("dkim_status"),
    "SPF": _in_acl("spf"),
    "DMARC": _in_acl("dmarc_status"),
    "SRS": lambda: "srs_encode" in _language("items")(),
    "NATIVE_SRS": lambda: "inbound_srs" in _language("conditions")(),
    "CONTENT_SCANNING": _in_acl("malware"),
    "PRDR": lambda: "prdr_enable" in _main_options(),
    "TRANSPORT_APPEND_MAILDIR": lambda: "appendfile_maildir_format" in _private("TRANSPORT"),
    "TRANSPORT_APPEND_MAILSTORE": lambda: "appendfile_mailstore_format" in _private("TRANSPORT"),
    "TRANSPORT_APPEND_MBX": lambda: "appendfile_mbx_format" in _private("TRANSPORT"),
}


def _sign_headers() -> str:
    from mta.emailauth.dkim_sign import SIGN_HEADERS

    return SIGN_HEADERS


def _oversign_headers() -> str:
    from mta.emailauth.dkim_sign import OVERSIGN_HEADERS

    return OVERSIGN_HEADERS


# Macros with a value of their own (manual section 58.2).
VALUES: dict[str, Callable[[], str]] = {
    "_DKIM_SIGN_HEADERS": _sign_headers,
    "_DKIM_OVERSIGN_HEADERS": _oversign_headers,
    "_CRYPTO_SIGN_ED25519": lambda: DEFINED,
}

# Longer prefixes first where one begins another.
FAMILIES: tuple[tuple[str, Callable[[], Iterable[str]]], ...] = (
    ("_OPT_MAIN_", _main_options),
    ("_OPT_ROUTERS_", lambda: _generic("ROUTERS")),
    ("_OPT_TRANSPORTS_", lambda: _generic("TRANSPORTS")),
    ("_OPT_AUTHENTICATORS_", lambda: _generic("AUTHENTICATORS")),
    ("_OPT_ROUTER_", lambda: _private("ROUTER")),
    ("_OPT_TRANSPORT_", lambda: _private("TRANSPORT")),
    ("_OPT_AUTHENTICATOR_", lambda: _private("AUTHENTICATOR")),
    ("_DRIVER_ROUTER_", lambda: _drivers("ROUTER")),
    ("_DRIVER_TRANSPORT_", lambda: _drivers("TRANSPORT")),
    ("_DRIVER_AUTHENTICATOR_", lambda: _drivers("AUTHENTICATOR")),
    ("_LOG_", _log_selectors),
    ("_EXP_COND_", _language("conditions")),
    ("_EXP_ITEM_", _language("items")),
    ("_EXP_OP_", _language("operators")),
    ("_EXP_VAR_", _language("variables")),
    ("_ACL_COND_", _acl("conditions")),
    ("_ACL_MOD_", _acl("modifiers")),
    ("_HAVE_LOOKUP_", _lookups),
    ("_HAVE_", lambda: [name for name, there in FACILITIES.items() if there()]),
)


@lru_cache(maxsize=1024)
def builtin(name: str) -> str | None:
    """The value of a built-in macro, or None where there is none of this name."""
    if name in VALUES:
        return VALUES[name]()
    for prefix, members in FAMILIES:
        if name.startswith(prefix):
            rest = name[len(prefix) :]
            if prefix == "_HAVE_":
                there = FACILITIES.get(rest)
                return DEFINED if there is not None and there() else None
            return DEFINED if rest in {member.upper() for member in members()} else None
    return None


def names() -> list[str]:
    """Every built-in macro that is defined, by family."""
    return [*VALUES, *(prefix + member.upper() for prefix, members in FAMILIES for member in sorted(members()))]

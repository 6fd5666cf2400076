"""``-bV``: the version, and lists of what is there, laid out as Exim prints them."""

from __future__ import annotations

import sys
from typing import Any

from mta import __version__
from mta.cli.call import Call
from mta.config.builtin_macros import FACILITIES
from mta.config.load import DEFAULT_FILES
from mta.lookup.base import working
from mta.registry import Registry
from mta.route.base import routers
from mta.transport.base import transports

# How Exim writes a facility in its "Support for:" line.
WORDS = {
    "CRYPTEQ": "crypteq",
    "ICONV": "iconv()",
    "IPV6": "IPv6",
    "OPENSSL": "OpenSSL",
    "DANE": "DANE",
    "DNSSEC": "DNSSEC",
    "OCSP": "OCSP",
    "CONTENT_SCANNING": "Content_Scanning",
    "DKIM": "DKIM",
    "DMARC": "DMARC",
    "SPF": "SPF",
    "PRDR": "PRDR",
}


def run(call: Call) -> int:
    """Always checks the configuration too, as Exim does."""
    config = call.config()
    from mta import wire

    python = ".".join(str(number) for number in sys.version_info[:3])
    support = [word for name, word in WORDS.items() if FACILITIES[name]()]
    call.write(f"mta version {__version__}, Python {python}, {getattr(wire, 'IMPL', 'py')} speedups\n")
    call.write(f"Support for: {' '.join(support)}\n")
    call.write(f"Lookups (built-in): {' '.join(working())}\n")
    call.write(f"Authenticators: {_authenticators()}\n")
    call.write(f"Routers: {_listed(routers)}\n")
    call.write(f"Transports: {_transports()}\n")
    call.write("Fixed never_users: 0\n")
    call.write("Configure owner: 0:0\n")
    call.write("Size of off_t: 8\n")
    if call.arguments.config_file is None:
        call.write(f"Configuration file search path is {':'.join(DEFAULT_FILES)}\n")
    call.write(f"Configuration file is {config.file}\n")
    return 0


def _listed(registry: Registry[Any]) -> str:
    return " ".join(registry)


def _authenticators() -> str:
    from mta.sasl.base import mechanisms

    return _listed(mechanisms)


def _transports() -> str:
    found = []
    for name in transports:
        formats = [
            word
            for word in ("maildir", "mailstore", "mbx")
            if name == "appendfile" and FACILITIES[f"TRANSPORT_APPEND_{word.upper()}"]()
        ]
        found.append("/".join([name, *formats]))
    return " ".join(found)

"""Import what a process will need before it gives up its rights, or forks.

It needs to read no Python file afterwards (the interpreter may live where exim_user cannot look),
and what was imported before a fork is shared memory.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.util import find_spec

import mta

# rooms that a delivery may use, and those that the daemon's children need besides; cli and ctl run in neither
DELIVERING = (
    "text", "wire", "mail", "smtp", "settings", "net", "system", "hints", "scope", "lookup", "spool", "log", "tls",
    "match", "expand", "sasl", "transport", "filter", "route", "config", "deliver",
)  # fmt: skip
SERVING = ("emailauth", "scan", "acl", "receive", "daemon")
# what libraries import at the moment of first use
LATE = (
    "queue", "sqlite3", "smtplib", "email.message", "encodings.latin_1", "encodings.ascii", "encodings.utf_8",
    "encodings.idna", "encodings.punycode", "linecache", "dns.resolver", "dns.rdtypes.ANY",
    "dns.rdtypes.IN", "OpenSSL.SSL", "cryptography.x509", "cryptography.hazmat.primitives.asymmetric.ec",
    "mta.emailauth.dkim_sign", "mta.emailauth.arc_seal", "mta.emailauth.message_file",
)  # fmt: skip


def preload(rooms: tuple[str, ...] = DELIVERING + SERVING) -> None:
    """Import all modules of these rooms; optional client libraries only where they are installed."""
    for room in rooms:
        package = importlib.import_module(f"mta.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"mta.{room}."):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                # An extra's client library that is not installed; whoever needs it says so. Our own are never missing.
                if (error.name or "").startswith(mta.__name__):
                    raise
    for name in LATE:
        if find_spec(name.split(".")[0]) is None:
            continue
        found = importlib.import_module(name)
        for module in pkgutil.iter_modules(getattr(found, "__path__", [])):
            if name.startswith("dns.rdtypes"):
                importlib.import_module(f"{name}.{module.name}")

"""Every declared driver option is read somewhere in its room, or is harmless by nature: none is ignored in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mta.route.base import RouterOptions, routers
from mta.sasl.base import AuthenticatorOptions, mechanisms
from mta.settings import names
from mta.settings.options import option_fields
from mta.transport.base import TransportOptions, transports

ROOT = Path(__file__).parents[2] / "mta"
ROOMS = {
    "routers": ("route", "deliver", "config", "acl"),
    "transports": ("transport", "deliver", "tls", "config", "scope"),
    "authenticators": ("sasl", "tls", "receive", "transport"),
}
# Why nothing acts on them, and why that loses nothing.
HARMLESS = {
    "dnssec_request_domains": "every question to the DNS asks for DNSSEC",
    "maildir_retries": "file names come from the message id: one that is taken was left by ourselves",
    "same_domain_copy_routing": "saves look-ups that the resolver's cache saves anyway",
    "tls_dh_min_bits": "only GnuTLS can say how long the number is (manual chapter 30)",
}


# Names of the past that are still understood, which the manual's lists do not have.
OLDER = frozenset({"tpda_delivery_action", "tpda_host_defer_action"})
# mta's own.
OURS = frozenset({"event_log", "event_python", "hosts_try_mta_sts"})


def read_in(section: str) -> set[str]:
    """Names that some file of the section's rooms reads as an attribute, or holds as text outside a declaration."""
    found: set[str] = set()
    for room in ROOMS[section]:
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            text = re.sub(r"(?m)^    [a-z_0-9]+: [^\n]* = option\(.*$", "", text)
            found |= set(re.findall(r"\.([a-z][a-z_0-9]+?)_?\b", text)) | set(
                re.findall(r"[\"']([a-z][a-z_0-9]+)[\"']", text)
            )
    return found


def declared() -> list[tuple[str, str, type]]:
    generic = [
        ("routers", "", RouterOptions),
        ("transports", "", TransportOptions),
        ("authenticators", "", AuthenticatorOptions),
    ]
    private = [
        (section, name, registry[name])
        for section, registry in (("routers", routers), ("transports", transports), ("authenticators", mechanisms))
        for name in registry
    ]
    return [*generic, *private]


@pytest.mark.parametrize(("section", "driver", "cls"), declared(), ids=lambda value: str(value))
def test_every_option_is_read(section: str, driver: str, cls: type) -> None:
    unread = set(option_fields(cls)) - read_in(section) - set(HARMLESS)
    assert not unread


@pytest.mark.parametrize(("section", "driver", "cls"), declared(), ids=lambda value: str(value))
def test_declared_options_are_exims(section: str, driver: str, cls: type) -> None:
    assert set(option_fields(cls)) <= names.driver_options(section, driver) | OLDER | OURS

"""Real DNSSEC on loopback: nsd with signed zones, and unbound, which validates them.

``with validating_resolver(zones, folder) as (address, port):`` where ``zones`` are Zone values. Skips, by name,
where a program is missing. The zones are signed by dnspython, with one ECDSA key each.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.query
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from tests.peers.daemons import daemon, program
from tests.peers.nsd import SOA, free_port, name_server


@dataclass(slots=True)
class Zone:
    """``signed`` False: insecure. ``anchored`` False: the resolver has another key for it (all is bogus).

    ``broken``: owner names, relative, of which a signature is spoilt after signing: those alone are bogus.
    """

    name: str
    text: str
    signed: bool = True
    anchored: bool = True
    broken: Sequence[str] = ()
    anchor: str = field(default="", init=False)

    def master_file(self) -> str:
        """The zone as nsd serves it; sets ``anchor``."""
        if not self.signed:
            return SOA + self.text
        zone = dns.zone.from_text(SOA + self.text, origin=self.name, relativize=False)
        key, dnskey = _key()
        with zone.writer() as transaction:
            dns.dnssec.sign_zone(zone, transaction, keys=[(key, dnskey)], lifetime=86400)
        trusted = dnskey if self.anchored else _key()[1]
        self.anchor = f"{self.name}. IN DS {dns.dnssec.make_ds(f'{self.name}.', trusted, 'SHA256')}"
        text: str = zone.to_text(relativize=False)
        for owner in self.broken:
            text = _spoil(text, f"{owner}.{self.name}.")
        return text


def _key() -> tuple[ec.EllipticCurvePrivateKey, DNSKEY]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)


def _spoil(text: str, owner: str) -> str:
    """Turn one character of the signatures of TLSA (or other) records of a name."""

    def turn(match: re.Match[str]) -> str:
        return match[1] + ("B" if match[2] != "B" else "C")

    pattern = re.compile(rf"^({re.escape(owner)} \d+ IN RRSIG (?!NSEC).* )(.)", re.MULTILINE)
    changed, count = pattern.subn(turn, text)
    assert count, f"no signature of {owner}"
    return changed


@contextmanager
def validating_resolver(zones: Sequence[Zone], folder: Path) -> Iterator[tuple[str, int]]:
    """nsd and unbound while the block runs; gives unbound's (address, port)."""
    unbound = program("unbound", "unbound")
    files = {zone.name: zone.master_file() for zone in zones}
    with name_server(files, folder) as (address, port):
        ours = free_port()
        lines = [
            "server:",
            f"  interface: 127.0.0.1@{ours}",
            "  access-control: 127.0.0.0/8 allow",
            "  do-not-query-localhost: no",
            "  do-daemonize: no",
            "  use-syslog: no",
            "  num-threads: 1",
            '  module-config: "validator iterator"',
            '  username: ""',
            '  chroot: ""',
            '  pidfile: ""',
            f"  directory: {folder}",
            *(f'  trust-anchor: "{zone.anchor}"' for zone in zones if zone.anchor),
            "remote-control:",
            "  control-enable: no",
            *(
                line
                for zone in zones
                for line in ("stub-zone:", f"  name: {zone.name}", f"  stub-addr: {address}@{port}")
            ),
        ]
        configuration = folder / "unbound.conf"
        configuration.write_text("\n".join(lines) + "\n")
        with daemon([unbound, "-d", "-c", str(configuration)], folder, lambda: _answers(zones[0].name, ours)):
            yield "127.0.0.1", ours


def _answers(zone: str, port: int) -> bool:
    question = dns.message.make_query(zone, "SOA")
    try:
        dns.query.udp(question, "127.0.0.1", timeout=1.0, port=port)
    except (OSError, dns.exception.DNSException):
        time.sleep(0.02)
        return False
    return True

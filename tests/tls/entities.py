"""Certificates of any shape, made in memory: ``make("mx.example", issuer, names=[...])``."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mta.net.records import Tlsa
from mta.tls.dane import parse_record, to_publish

DAY = datetime.timedelta(days=1)
Extend = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


@dataclass
class Entity:
    key: Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def record(self, usage: int, selector: int, matching: int) -> Tlsa:
        text = to_publish(self.certificate, [(usage, selector, matching)])[0]
        record = parse_record(text)
        assert record is not None
        return record

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def save_key(self, path: Path) -> Path:
        path.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path


def make(
    name: str,
    issuer: Entity | None = None,
    *,
    ca: bool | None = False,
    names: list[str] | None = None,
    days: tuple[int, int] = (-1, 1),
    minutes: int = 0,  # until it expires, in place of days
    path_length: int | None = None,
    key: Any = None,
    extend: Extend = lambda builder: builder,
) -> Entity:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer.certificate.subject if issuer else subject, subject, key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(now + days[0] * DAY).not_valid_after(
        now + (datetime.timedelta(minutes=minutes) if minutes else days[1] * DAY)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    signer = issuer.key if issuer else key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Entity(key, extend(builder).sign(signer, algorithm))

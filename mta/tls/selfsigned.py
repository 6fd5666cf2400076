"""The certificate of a server that was given none: signed by itself, made when first needed, renewed in time."""

from __future__ import annotations

import datetime
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from OpenSSL import SSL

LIFE = datetime.timedelta(days=2)
RENEW = datetime.timedelta(days=1)


class SelfSigned:
    """One key and certificate a host name; ``current`` is a mark that changes when the certificate does."""

    __slots__ = ("_lock", "_made")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, tuple[datetime.datetime, Any, Any]] = {}

    def current(self, hostname: str) -> str:
        return self._get(hostname)[0].isoformat()

    def use(self, context: SSL.Context, hostname: str) -> None:
        """Give the context the certificate and its key."""
        _, certificate, key = self._get(hostname)
        context.use_certificate(certificate)
        context.use_privatekey(key)

    def _get(self, hostname: str) -> tuple[datetime.datetime, Any, Any]:
        now = datetime.datetime.now(datetime.UTC)
        with self._lock:
            found = self._made.get(hostname)
            if found is None or now - found[0] > RENEW:
                found = self._made[hostname] = (now, *_make(hostname, now))
            return found


def _make(hostname: str, now: datetime.datetime) -> tuple[Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shown = hostname[:64] or "localhost"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFE)
    )
    if shown.isascii():
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(shown)]), critical=False)
    return builder.sign(key, hashes.SHA256()), key

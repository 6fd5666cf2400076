"""Fetching OCSP proofs (RFC 6960 appendix A) for tls_ocsp_file: over HTTP, verified whole, replaced atomically.

``fetch`` raises FetchFailed and leaves the old file alone then. The file's modification time is when to fetch again,
so that a look at it tells what is due (as Exim's ocsp_fetch.pl has it).
"""

from __future__ import annotations

import contextlib
import os
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from mta.errors import MtaError
from mta.tls.ocsp import MAX_BYTES, Proof, examine, refresh_at
from mta.tls.paths import FAULTS, extension, issued_by

TIMEOUT = 30.0
TYPE = "application/ocsp-request"


class FetchFailed(MtaError):
    """No proof could be had; what was there is still there."""


@dataclass(slots=True)
class Order:
    """What to fetch. ``url`` "" takes the certificate's own (its AIA extension); ``margin`` is a share of the life."""

    leaf: x509.Certificate
    issuer: x509.Certificate
    output: str
    url: str = ""
    margin: float = 0.10
    anchors: tuple[x509.Certificate, ...] = ()  # the issuer must be one of them or signed by one; none: not asked


def read_certificates(path: str) -> list[x509.Certificate]:
    """The PEM or DER certificates of a file. Raises FetchFailed."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES)
        return (
            x509.load_pem_x509_certificates(data) if b"-----BEGIN" in data else [x509.load_der_x509_certificate(data)]
        )
    except OSError as error:
        raise FetchFailed(f"{path}: {error.strerror}") from None
    except FAULTS as error:
        raise FetchFailed(f"{path}: not a certificate: {error}") from None


def issuer_of(leaf: x509.Certificate, candidates: list[x509.Certificate]) -> x509.Certificate | None:
    """The one that signed the leaf."""
    return next((one for one in candidates if issued_by(leaf, one)), None)


def responder_url(leaf: x509.Certificate) -> str:
    """The certificate's own responder, "" for none."""
    access = extension(leaf, x509.AuthorityInformationAccess)
    for description in access or ():
        is_url = isinstance(description.access_location, x509.UniformResourceIdentifier)
        if description.access_method == AuthorityInformationAccessOID.OCSP and is_url:
            return str(description.access_location.value)
    return ""


def due(path: str, now: float) -> bool:
    """Whether the proof in a file is missing, or its time has come."""
    try:
        return os.stat(path).st_mtime <= now
    except OSError:
        return True


def fetch(order: Order, now: float) -> float:
    """Get a proof that is good and put it in place; when to fetch the next, in seconds since the epoch."""
    if order.anchors and not any(order.issuer == one or issued_by(order.issuer, one) for one in order.anchors):
        raise FetchFailed("the issuer does not lead to the CA certificates")
    url = order.url or responder_url(order.leaf)
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise FetchFailed(f"no URL of a responder{f': {url}' if url else ' in the certificate'}")
    data = _ask(url, order)
    found = examine(data, order.leaf, order.issuer, now)
    if not isinstance(found, Proof):
        raise FetchFailed(f"{url}: {found}")
    end = found.expires()
    if found.next_update is None or end is None:
        raise FetchFailed(f"{url}: the response has no nextUpdate")
    if end < found.next_update:
        # A proof outlived by its signer would be refused before it runs out.
        raise FetchFailed(f"{url}: the signer's certificate expires on {end:%Y-%m-%d %H:%M} UTC, before the proof does")
    again = refresh_at(found, now, order.margin)
    _put(order.output, data, again)
    return again


def _ask(url: str, order: Order) -> bytes:
    # SHA-1 names the certificate and protects nothing; responders of RFC 5019 know nothing else.
    algorithm = hashes.SHA1()  # noqa: S303
    body = ocsp.OCSPRequestBuilder().add_certificate(order.leaf, order.issuer, algorithm).build()
    request = urllib.request.Request(  # noqa: S310
        url, body.public_bytes(Encoding.DER), {"Content-Type": TYPE, "Accept": "application/ocsp-response"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            data: bytes = answer.read(MAX_BYTES)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise FetchFailed(f"{url}: {getattr(error, 'reason', '') or error}") from None
    return data


def _put(path: str, data: bytes, mtime: float) -> None:
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.utime(file.fileno(), (mtime, mtime))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise FetchFailed(f"{path}: {error.strerror}") from None

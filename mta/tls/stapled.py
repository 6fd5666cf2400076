"""OCSP stapling as a client: what a server stapled, judged once the handshake is done (OCSP-08, -10..-13).

Raises TlsFailed where hosts_require_ocsp wants more than there is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from mta.scope.scope import Scope
from mta.tls.errors import TlsFailed
from mta.tls.ocsp import FAILED, NO_RESPONSE, NOT_REQUESTED, NOT_VERIFIED, VERIFIED, Proof, examine
from mta.tls.paths import issued_by


@dataclass(frozen=True, slots=True)
class Wish:
    """hosts_request_ocsp (or require), hosts_require_ocsp."""

    request: bool
    required: bool


def capture(made: SSL.Context) -> None:
    """Make a client context keep what servers staple in the ``staple`` of the connection's session object."""
    made.set_ocsp_client_callback(_keep)


def _keep(connection: SSL.Connection, data: bytes, _given: Any) -> bool:
    session: Any = connection.get_app_data()
    if session is not None:
        session.staple = data
    return True


def judge(connection: SSL.Connection, staple: bytes | None, wish: Wish, scope: Scope, *, verified: bool) -> int:
    """``$tls_out_ocsp`` of a finished handshake. ``verified``: the certificate itself holds.

    A response is believed only when the path to the certificate is: its signer comes from there.
    """
    if staple is None:
        return NOT_REQUESTED
    if not staple:
        if wish.required:
            raise TlsFailed("(SSL_connect): Received TLS status callback, null content", "validation-failure")
        return NO_RESPONSE
    chain = _path(connection, verified=verified)
    if len(chain) < 2:
        if wish.required:
            raise TlsFailed("(SSL_connect): OCSP response cannot be verified: no issuer that is trusted")
        return NOT_VERIFIED
    found = examine(staple, chain[0], chain[1], time.time())
    if isinstance(found, Proof):
        return VERIFIED
    if wish.required:
        raise TlsFailed(f"(SSL_connect): {found}", "certificate-revoked" if "revoked" in found else "")
    scope.services.log_main(f"OCSP: {found}")
    return FAILED


def _path(connection: SSL.Connection, *, verified: bool) -> list[x509.Certificate]:
    """Leaf and issuer, where they can be trusted; OpenSSL's path, or what was sent where DANE held for it."""
    if not verified:
        return []
    chain = connection.get_verified_chain(as_cryptography=True) or []
    if len(chain) >= 2:
        return list(chain)
    sent = connection.get_peer_cert_chain(as_cryptography=True) or []
    issuers = [certificate for certificate in sent[1:20] if issued_by(sent[0], certificate)]
    return [sent[0], *issuers[:1]] if sent else []

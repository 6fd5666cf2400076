"""Variables of TLS sessions: ``tls_in_...`` of the peer's, ``tls_out_...`` of the one to the next host.

A certificate's value is its PEM text. The old names without direction mean the outgoing session in a
transport and the incoming one elsewhere (manual 11.9, "tls_cipher").
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from mta.expand.base import variable
from mta.mail.peer import TlsInfo
from mta.scope.scope import Scope

_NONE = TlsInfo()  # never written to
# of bits 0-4 (manual 43.17): support built, client asked for a ticket, offered a session, ticket issued, resumed
_RESUMED = 0x15


def pem(der: bytes) -> str:
    """DER bytes as PEM text, "" of none."""
    if not der:
        return ""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def _inward(scope: Scope) -> TlsInfo:
    return scope.peer.tls


def _outward(scope: Scope) -> TlsInfo:
    return scope.tls_out or _NONE


def _either(scope: Scope) -> TlsInfo:
    return scope.tls_out or scope.peer.tls


# (name, value, a peer's)
_FACTS: tuple[tuple[str, Callable[[TlsInfo], str], bool], ...] = (
    ("bits", lambda t: str(t.bits), False),
    ("certificate_verified", lambda t: "1" if t.certificate_verified else "0", False),
    ("cipher", lambda t: t.cipher, False),
    ("cipher_std", lambda t: t.cipher_std, False),
    ("ocsp", lambda t: str(t.ocsp), False),
    ("ourcert", lambda t: pem(t.our_certificate), False),
    ("peercert", lambda t: pem(t.peer_certificate), True),
    ("peerdn", lambda t: t.peer_dn, True),
    ("resumption", lambda t: str(_RESUMED) if t.resumed else "0", False),
    ("sni", lambda t: t.sni, True),
    ("ver", lambda t: t.version, False),
)
_OLD_NAMES = ("bits", "certificate_verified", "cipher", "peerdn", "sni")


def _reading(session: Callable[[Scope], TlsInfo], fact: Callable[[TlsInfo], str]) -> Callable[[Scope], str]:
    return lambda s: fact(session(s))


for _name, _fact, _tainted in _FACTS:
    variable(f"tls_in_{_name}", _reading(_inward, _fact), tainted=_tainted)
    variable(f"tls_out_{_name}", _reading(_outward, _fact), tainted=_tainted and _name != "sni")
    if _name in _OLD_NAMES:
        variable(f"tls_{_name}", _reading(_either, _fact), tainted=_tainted)
variable("tls_out_dane", lambda s: _outward(s).dane or "no")
variable("tls_out_tlsa_usage", lambda s: str(_outward(s).tlsa_usage))

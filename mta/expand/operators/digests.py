"""Digest operators: md5, sha1, sha256, sha2, sha3; of a certificate, the fingerprint of its DER form.

A certificate variable's value is its PEM text, and a text that is exactly one PEM certificate is taken as such.
"""

from __future__ import annotations

import binascii
import hashlib

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.scope.scope import Scope

_BEGIN = "-----BEGIN CERTIFICATE-----\n"
_END = "-----END CERTIFICATE-----\n"


def certificate_der(text: str) -> bytes | None:
    """The DER bytes of a text that is one PEM certificate, None for any other text."""
    if not text.startswith(_BEGIN) or not text.endswith(_END):
        return None
    try:
        return binascii.a2b_base64(text[len(_BEGIN) : -len(_END)])
    except (binascii.Error, ValueError):
        return None


def _digest(algorithm: str, text: str) -> str:
    """Upper case hex, as Exim writes all but plain md5."""
    der = certificate_der(text)
    return hashlib.new(algorithm, text.encode("latin-1") if der is None else der).hexdigest().upper()


@operator("md5")
def md5(_scope: Scope, text: str, _argument: str | None) -> str:
    hexed = _digest("md5", text)
    return hexed if certificate_der(text) is not None else hexed.lower()


@operator("sha1")
def sha1(_scope: Scope, text: str, _argument: str | None) -> str:
    return _digest("sha1", text)


@operator("sha256", "sha2")
def sha2(_scope: Scope, text: str, argument: str | None) -> str:
    if argument not in (None, "256", "384", "512"):
        raise ExpansionFailed("unrecognised sha2 variant")
    return _digest(f"sha{argument or '256'}", text)


@operator("sha3")
def sha3(_scope: Scope, text: str, argument: str | None) -> str:
    if argument not in (None, "224", "256", "384", "512"):
        raise ExpansionFailed("unrecognised sha3 variant")
    return _digest(f"sha3_{argument or '256'}", text)

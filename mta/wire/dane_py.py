"""TLSA records against certificates (RFC 6698 2.1, RFC 7671): the specification of ``_speedups/dane.pyx``.

Works on DER bytes; a certificate that cannot be parsed far enough matches nothing.
"""

from __future__ import annotations

import hashlib
import hmac

CERT, SPKI = 0, 1  # selectors
FULL, SHA256, SHA512 = 0, 1, 2  # matching types


def spki(certificate: bytes) -> bytes | None:
    """The SubjectPublicKeyInfo, DER with its header, of a DER certificate (RFC 5280 4.1); None when malformed."""
    outer = _element(certificate, 0, len(certificate))
    if outer is None or certificate[0] != 0x30 or outer[1] != len(certificate):
        return None
    inner = _element(certificate, outer[0], outer[1])
    if inner is None or certificate[outer[0]] != 0x30:
        return None
    position, end = inner
    if position < end and certificate[position] == 0xA0:  # version, optional
        skipped = _element(certificate, position, end)
        if skipped is None:
            return None
        position = skipped[1]
    for _ in range(5):  # serial, signature, issuer, validity, subject
        skipped = _element(certificate, position, end)
        if skipped is None:
            return None
        position = skipped[1]
    key = _element(certificate, position, end)
    if key is None or certificate[position] != 0x30:
        return None
    return certificate[position : key[1]]


def _element(data: bytes, position: int, end: int) -> tuple[int, int] | None:
    """(start of content, end) of the DER element at ``position``; definite lengths of at most four bytes."""
    if position + 2 > end:
        return None
    if data[position] & 0x1F == 0x1F:
        return None
    length = data[position + 1]
    start = position + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > end:
            return None
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > end:
        return None
    return start, start + length


def association(selector: int, mtype: int, certificate: bytes) -> bytes | None:
    """The association data that a record of this kind holds for a certificate; None when there is none."""
    if selector == CERT:
        subject: bytes | None = certificate
    elif selector == SPKI:
        subject = spki(certificate)
    else:
        return None
    return None if subject is None else digest(mtype, subject)


def digest(mtype: int, subject: bytes) -> bytes | None:
    """``subject`` as the matching type has it; None for an unknown type."""
    if mtype == FULL:
        return subject
    if mtype == SHA256:
        return hashlib.sha256(subject).digest()
    if mtype == SHA512:
        return hashlib.sha512(subject).digest()
    return None


def match(selector: int, mtype: int, data: bytes, certificate: bytes) -> bool:
    """Whether a TLSA record's (selector, matching type, data) is this DER certificate's; unknown numbers: no."""
    expected = association(selector, mtype, certificate)
    return expected is not None and bool(expected) and hmac.compare_digest(expected, data)


def match_spki(mtype: int, data: bytes, key: bytes) -> bool:
    """Whether a record of selector 1 is this bare DER SubjectPublicKeyInfo's."""
    expected = digest(mtype, key)
    return expected is not None and bool(expected) and hmac.compare_digest(expected, data)


def record(usage: int, selector: int, mtype: int, certificate: bytes) -> str | None:
    """The record's presentation form, ``3 1 1 <hex>``, for a certificate; None when there is none."""
    data = association(selector, mtype, certificate)
    return None if data is None else f"{usage} {selector} {mtype} {data.hex()}"

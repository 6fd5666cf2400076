"""SRS, the Sender Rewriting Scheme, in Exim's own form (manual section 58.5), and SRS1 for chains of forwarders.

``encode`` makes the sender of a forwarded message, ``decode`` reads the local part that a bounce comes back to.
The hash is the first four hex digits of HMAC-MD5 over the lower-cased return path; the stamp is the day modulo 1024.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from mta.mail.address import AddressError, parse_address
from mta.text.ascii import lower, to_bytes

DAY = 86_400
DAYS = 1_024  # the stamp's cycle
MAX_AGE = 10  # days that a rewritten address is good for
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_HASH = 4
_SRS0 = re.compile(r"SRS0=([^=]+)=([A-Z2-7]{2})=([^=]*)=(.*)\Z", re.IGNORECASE)
# SRS1=hash=first forwarder=(separator and rest of the SRS0 that it made)
_SRS1 = re.compile(r"SRS1=([^=]+)=([^=]*)=([=+-].*)\Z", re.IGNORECASE)
_NESTED = re.compile(r"SRS0([=+-].*)\Z", re.IGNORECASE)
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+\-./=?^_`{|}~]*\Z")


class NotAnAddress(Exception):
    """The return path cannot be read; ``str()`` is the parser's sentence."""


@dataclass(slots=True)
class Decoded:
    """An address that has SRS's form. ``valid``: the hash is ours and the stamp not too old."""

    recipient: str
    valid: bool


def encode(secret: str, return_path: str, domain: str, *, now: float, chains: bool = False) -> str:
    """The new sender; "" for the null sender. ``now`` is in seconds since the epoch; raises NotAnAddress.

    Without ``chains`` an SRS sender is wrapped like any other, as Exim does.
    """
    if not return_path:
        return ""
    address = parse_address(return_path, allow_domain_literals=True)
    if isinstance(address, AddressError):
        raise NotAnAddress(address.message)
    local, quoted = address.local_part, address.local_part.startswith('"')
    if quoted:
        local = local[1:-1]
    chained = _chain(secret, local, address.domain) if chains else ""
    local = chained or f"SRS0={_hash(secret, return_path)}={_stamp(now)}={address.domain}={local}"
    return f'"{local}"@{domain}' if quoted else f"{local}@{domain}"


def decode(local_part: str, secret: str, *, now: float) -> Decoded | None:
    """What a recipient's local part (unquoted) stands for; None when it has not the form.

    Without a secret only the form is looked at.
    """
    found = _SRS0.match(local_part)
    if found is None or "\n" in local_part:
        return _decode_chain(local_part, secret)
    digest, stamp, domain, local = found.groups()
    local = lower(local)
    recipient = f"{local if _ATOM.match(local) else _quoted(local)}@{lower(domain)}"
    if not secret:
        return Decoded(recipient, True)
    age = _age(stamp, now)
    good = hmac.compare_digest(to_bytes(_hash(secret, recipient)), to_bytes(digest))
    return Decoded(recipient, good and age is not None and age <= MAX_AGE)


def _chain(secret: str, local: str, domain: str) -> str:
    """SRS1 for a sender that another forwarder has made; "" for any other. The first forwarder's name is kept."""
    nested = _NESTED.match(local)
    if nested is not None:
        first, rest = domain, nested.group(1)
    else:
        again = _SRS1.match(local)
        if again is None:
            return ""
        first, rest = again.group(2), again.group(3)
    return f"SRS1={_hash(secret, first + rest)}={first}={rest}"


def _decode_chain(local_part: str, secret: str) -> Decoded | None:
    found = _SRS1.match(local_part)
    if found is None or "\n" in local_part:
        return None
    digest, first, rest = found.groups()
    local = f"SRS0{rest}"  # goes back as it came: its case is another system's
    recipient = f"{local if _ATOM.match(local) else _quoted(local)}@{lower(first)}"
    good = not secret or hmac.compare_digest(to_bytes(_hash(secret, first + rest)), to_bytes(lower(digest)))
    return Decoded(recipient, good)


def _quoted(local: str) -> str:
    """Only wrapped: a backslash or quote of the quoted form is still in the text that came."""
    return f'"{local}"'


def _hash(secret: str, text: str) -> str:
    return hmac.new(to_bytes(secret), to_bytes(lower(text)), hashlib.md5).hexdigest()[:_HASH]


def _stamp(now: float) -> str:
    day = int(now) // DAY % DAYS
    return _BASE32[day >> 5] + _BASE32[day & 31]


def _age(stamp: str, now: float) -> int | None:
    """Days since the stamp; None for capitals, which Exim never writes and takes for no day."""
    if any(char not in _BASE32 for char in stamp):
        return None
    return (int(now) // DAY - (_BASE32.index(stamp[0]) << 5 | _BASE32.index(stamp[1]))) % DAYS

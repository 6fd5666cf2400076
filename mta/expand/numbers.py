"""Numbers in texts: what numeric conditions, items and expanded integer options accept (manual 11.7)."""

from __future__ import annotations

import re

from mta.errors import ExpansionFailed
from mta.text.ascii import WHITESPACE

_INTEGER = re.compile(r"([+-]?)([0-9]+)")
_FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MAXIMUM = 2**63 - 1


def integer(text: str) -> int:
    """A decimal number, maybe signed, with K, M or G behind it; an empty text is 0. 64 bits signed."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    bare = text.lstrip(WHITESPACE)
    if not bare:
        return 0
    found = _INTEGER.match(bare)
    if found is None:
        raise ExpansionFailed(f'integer expected but "{text}" found')
    tail = bare[found.end() :]
    factor = _FACTORS.get(tail[:1].upper(), 0)
    if factor:
        tail = tail[1:]
    if tail.lstrip(WHITESPACE):
        raise ExpansionFailed(f'invalid integer "{text}"')
    digits = found.group(2).lstrip("0") or "0"
    value = int(digits) * (factor or 1) if len(digits) <= 19 else _MAXIMUM + 1
    if value > _MAXIMUM:
        raise ExpansionFailed(f'absolute value of integer "{text}" is too large (overflow)')
    return -value if found.group(1) == "-" else value


def signed(text: str) -> int | None:
    """A decimal number with nothing but white space in front and a sign; None for anything else."""
    bare = text.lstrip(WHITESPACE)
    found = _INTEGER.fullmatch(bare)
    if found is None or len(found.group(2)) > 18:
        return None
    return int(bare)

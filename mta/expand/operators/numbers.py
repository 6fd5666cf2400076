"""Operators on numbers and times: base32, base62, randint, time_interval, time_eval."""

from __future__ import annotations

import random
import re

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.expand.numbers import integer
from mta.scope.scope import Scope
from mta.text import encodings
from mta.text.ascii import WHITESPACE, is_digits
from mta.text.units import format_time

_UNSIGNED = re.compile(rf"[{WHITESPACE}]*([+-]?)([0-9]+)\Z")
_INTERVAL = re.compile(r"(?:[0-9]{1,12}[wdhms])+\Z")
_INTERVAL_PART = re.compile(r"([0-9]+)([wdhms])")
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_MASK64 = 2**64 - 1


def _unsigned(name: str, text: str) -> int:
    """C's strtoul: signs wrap, what is too large is the largest; no digits at all is zero."""
    if not text:
        return 0
    found = _UNSIGNED.match(text)
    if found is None:
        raise ExpansionFailed(f'argument for {name} operator is "{text}", which is not a decimal number')
    value = _MASK64 if len(found.group(2)) > 40 else min(int(found.group(2)), _MASK64)
    return -value & _MASK64 if found.group(1) == "-" else value


@operator("base32")
def base32(_scope: Scope, text: str, _argument: str | None) -> str:
    return encodings.to_base32(_unsigned("base32", text))


@operator("base32d")
def base32d(_scope: Scope, text: str, _argument: str | None) -> str:
    value = encodings.from_digits(text, encodings.BASE32)
    if value is None:
        raise ExpansionFailed(f'argument for base32d operator is "{text}", which is not a base 32 number')
    return str(value)


@operator("base62")
def base62(_scope: Scope, text: str, _argument: str | None) -> str:
    return encodings.to_base62(_unsigned("base62", text))


@operator("base62d")
def base62d(_scope: Scope, text: str, _argument: str | None) -> str:
    value = encodings.from_digits(text, encodings.BASE62)
    if value is None:
        raise ExpansionFailed(f'argument for base62d operator is "{text}", which is not a base 62 number')
    return str(value)


@operator("randint", pure=False)
def randint(_scope: Scope, text: str, _argument: str | None) -> str:
    limit = integer(text) if text else None
    if limit is None or limit < 0:
        raise ExpansionFailed(f'{"integer" if limit is None else "non-negative integer"} expected but "{text}" found')
    return str(random.randrange(limit)) if limit > 0 else "0"


@operator("time_interval")
def time_interval(_scope: Scope, text: str, _argument: str | None) -> str:
    if text and not is_digits(text):
        raise ExpansionFailed(f'string "{text}" is not a positive number in "time_interval" operator')
    return format_time(int(text[:30]) if text else 0)


@operator("time_eval")
def time_eval(_scope: Scope, text: str, _argument: str | None) -> str:
    if not _INTERVAL.match(text):
        raise ExpansionFailed(f'string "{text}" is not an Exim time interval in "time_eval" operator')
    return str(sum(int(count) * _SECONDS[unit] for count, unit in _INTERVAL_PART.findall(text)))

"""Operators on letters, lengths and pieces of text: lc, uc, strlen, substr, length, hash, nhash."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from mta.errors import ExpansionFailed
from mta.expand.base import bound_operator
from mta.text import ascii

HASH_CODES = "abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PRIMES = (
    3,
    5,
    7,
    11,
    13,
    17,
    19,
    23,
    29,
    31,
    37,
    41,
    43,
    47,
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
    89,
    97,
    101,
    103,
    107,
    109,
    113,
)


@bound_operator("lc")
def lc(_name: str, _argument: str | None) -> Callable[[str], str]:
    return ascii.lower


@bound_operator("uc")
def uc(_name: str, _argument: str | None) -> Callable[[str], str]:
    return ascii.upper


@bound_operator("strlen")
def strlen(_name: str, _argument: str | None) -> Callable[[str], str]:
    return lambda text: str(len(text))


def numbers_of(name: str, argument: str | None, most: int, *, signed: bool = False) -> list[int]:
    """The numbers after an operator's underscore, at most ``most``; ``signed`` lets the first be negative.

    Nothing after the underscore is a zero.
    """
    if argument is None:
        raise ExpansionFailed(f"missing values after {name}")
    if argument == "" or (signed and argument == "-"):
        return [0]
    parts = argument.split("_", most - 1)
    out = []
    for number, part in enumerate(parts):
        digits = part[1:] if signed and number == 0 and part.startswith("-") else part
        if not ascii.is_digits(digits):
            raise ExpansionFailed(f'non-digit after underscore in "{name}_{argument}"')
        value = min(int(digits[-19:]), 2**31 - 1) if len(digits) < 20 else 2**31 - 1
        out.append(-value - 1 if digits is not part and value == 0 else -value if digits is not part else value)
    return out


@bound_operator("length", "l")
def length(name: str, argument: str | None) -> Callable[[str], str]:
    (size,) = numbers_of(name, argument, 1)
    return lambda text: text[:size]


@bound_operator("substr", "s")
def substr_operator(name: str, argument: str | None) -> Callable[[str], str]:
    if argument is not None and (argument.startswith("-0_") or argument == "-0"):
        argument = argument[1:]
    start, *rest = numbers_of(name, argument, 2, signed=True)
    size = rest[0] if rest else None
    return lambda text: substr(text, start, size)


def substr(text: str, start: int, size: int | None) -> str:
    """``size`` bytes from ``start``; a negative start counts from the end, and then no size means "what precedes"."""
    whole = len(text)
    if start >= 0:
        return text[start:] if size is None else text[start : start + size]
    if size is None:
        return text[: max(whole + start, 0)]
    begin = whole + start
    if begin < 0:
        size, begin = size + begin, 0
    return text[begin : begin + size] if size > 0 else ""


@bound_operator("hash", "h")
def hash_operator(name: str, argument: str | None) -> Callable[[str], str]:
    size, *rest = numbers_of(name, argument, 2)
    symbols = rest[0] if rest else 26
    return lambda text: text_hash(text, size, symbols)


def text_hash(text: str, size: int, symbols: int) -> str:
    """Exim's textual hash: ``size`` characters of the first ``symbols`` of HASH_CODES; short text as it is."""
    if symbols > len(HASH_CODES):
        raise ExpansionFailed(f'hash count "{symbols}" too big')
    if size >= len(text):
        return text
    if size == 0 or symbols == 0:
        return ""
    data = text.encode("latin-1")
    turned = bytearray(data[size:])
    for place in range(8):  # by slices and tables, since a value may have megabytes
        turned[place::8] = turned[place::8].translate(_turns((size + place) & 7))
    state = _folded(data[:size] + turned, size)
    return "".join([HASH_CODES[value % symbols] for value in state])


@lru_cache(maxsize=8)
def _turns(place: int) -> bytes:
    """Each byte turned left by itself and its place in the text."""
    turn = [(byte + place) & 7 for byte in range(256)]
    return bytes([(byte << turn[byte] | byte >> (8 - turn[byte])) & 0xFF for byte in range(256)])


def _folded(data: bytes, size: int) -> bytes:
    """The exclusive or of the pieces of ``size`` bytes; one half on the other until a piece is left."""
    count = -(-len(data) // size)
    while count > 1:
        count = (count + 1) // 2
        upper, lower = data[: count * size], data[count * size :].ljust(count * size, b"\0")
        data = (int.from_bytes(upper, "big") ^ int.from_bytes(lower, "big")).to_bytes(count * size, "big")
    return data


@bound_operator("nhash", "nh")
def nhash_operator(name: str, argument: str | None) -> Callable[[str], str]:
    first, *rest = numbers_of(name, argument, 2)
    second = rest[0] if rest else None
    return lambda text: number_hash(text, first, second)


def number_hash(text: str, first: int, second: int | None) -> str:
    """Exim's numeric hash: one number below ``first``, or two as ``n/m``."""
    if first == 0 or second == 0:
        raise ExpansionFailed("zero is no limit for a numeric hash")
    count = len(_PRIMES)
    data = text.encode("latin-1")
    total = sum(_PRIMES[-1 - place] * sum(data[place::count]) for place in range(count))
    if second is None:
        return str(total % first)
    high, low = divmod(total % (first * second), second)
    return f"{high}/{low}"

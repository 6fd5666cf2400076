"""Exim's own hashes, and the cutting of strings (manual 11.5), for items and operators alike.

All refuse with ExpansionFailed in Exim's words; also where Exim would crash (zero as a limit).
"""

from __future__ import annotations

from mta.errors import ExpansionFailed

_LETTERS = "abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PRIMES = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101]
_PRIMES += [103, 107, 109, 113]


def text_hash(text: str, length: int, letters: int = 26) -> str:
    """``length`` characters out of the first ``letters`` of the alphabet, made of all of ``text``; short text as is."""
    if letters > len(_LETTERS):
        raise ExpansionFailed(f'hash count "{letters}" too big')
    if length >= len(text):
        return text
    if length <= 0 or letters <= 0:
        return ""
    data = text.encode("latin-1")
    state = bytearray(data[:length])
    for place in range(length, len(data)):
        byte = data[place]
        turn = (byte + place) & 7
        state[(place - length) % length] ^= (byte << turn | byte >> (8 - turn)) & 0xFF
    return "".join([_LETTERS[value % letters] for value in state])


def number_hash(text: str, first: int, second: int | None = None) -> str:
    """A number below ``first``; with ``second`` two numbers and a slash between, the second below ``second``."""
    if first == 0 or second == 0:
        raise ExpansionFailed("zero is no limit for a numeric hash")
    count = len(_PRIMES)
    total = sum(_PRIMES[-1 - place % count] * byte for place, byte in enumerate(text.encode("latin-1")))
    if second is None:
        return str(total % first)
    high, low = divmod(total % (first * second), second)
    return f"{high}/{low}"


def substring(text: str, start: int, length: int | None) -> str:
    """``length`` bytes from ``start``; a negative start counts from the end, and no length then means what precedes."""
    if start >= 0:
        return text[start:] if length is None else text[start : start + length]
    begin = len(text) + start
    if length is None:
        return text[: max(begin, 0)]
    if begin < 0:
        length, begin = length + begin, 0
    return text[begin : begin + length] if length > 0 else ""

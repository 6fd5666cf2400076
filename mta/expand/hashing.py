"""Exim's own hashes and cuts of strings (manual 11.5: hash, nhash, length, substr); also for the operators of these names.

All refuse with ExpansionFailed in Exim's words; where Exim would crash (a modulus of zero) so do these.
"""

from __future__ import annotations

from mta.errors import ExpansionFailed

_HASH_LETTERS = "abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PRIMES = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107]
_PRIMES += [109, 113]
_WORD = 2**64


def text_hash(text: str, length: int, letters: int = 26) -> str:
    """``length`` characters made of all of ``text`` out of the first ``letters`` of the alphabet of ``${hash``."""
    if letters > len(_HASH_LETTERS):
        raise ExpansionFailed(f'hash count "{letters}" too big')
    if len(text) <= length:
        return text
    if length <= 0 or letters <= 0:
        return ""
    data = bytearray(text.encode("latin-1"))
    target = 0
    for position in range(len(data)):
        char = data[position]
        shift = (char + position) & 7
        data[target] ^= ((char << shift) | (char >> (8 - shift))) & 0xFF
        target = (target + 1) % length
    return "".join(_HASH_LETTERS[byte % letters] for byte in data[:length])


def number_hash(text: str, first: int, second: int | None = None) -> str:
    """A number below ``first``; with ``second`` two numbers with a slash, the second below ``second``."""
    total = at = 0
    for byte in text.encode("latin-1"):
        at = at or len(_PRIMES)
        at -= 1
        total += _PRIMES[at] * byte
    if first == 0 or second == 0:
        raise ExpansionFailed("division by zero in nhash")
    if second is None:
        return str(total % (first % _WORD))
    total %= (first * second) % _WORD or 1
    return f"{total // second}/{total % second}"


def substring(text: str, start: int, length: int | None) -> str:
    """``length`` characters from ``start``; a negative start counts from the end. None: as manual ``substr`` says."""
    size = len(text)
    if length is None:
        if start >= 0:
            return text[start:]
        return text[: max(size + start, 0)]
    if start < 0:
        start += size
        if start < 0:
            length += start
            start = 0
    return text[start : start + length] if length > 0 else ""

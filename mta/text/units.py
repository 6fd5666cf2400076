"""Time intervals, sizes and fixed-point numbers as Exim writes them (manual chapter 6, "Data types")."""

from __future__ import annotations

_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_time(text: str) -> float | None:
    """Seconds of ``3h20m`` or ``1.5s``, units w d h m s, a lone number is seconds; None when it is no interval."""
    if not text.isascii() or not text:
        return None
    total, position, size = 0.0, 0, len(text)
    while position < size:
        start = position
        while position < size and (text[position].isdigit() or text[position] == "."):
            position += 1
        digits = text[start:position]
        if not digits or digits.count(".") > 1 or digits == "." or len(digits) > 15:
            return None
        if position == size:
            return total + float(digits) if start == 0 else None
        unit = _SECONDS.get(text[position])
        if unit is None:
            return None
        total += float(digits) * unit
        position += 1
    return total


def format_time(seconds: float) -> str:
    """``3h20m`` of a number of seconds, the way of ``-bP`` and ``${time_interval:``; zero is ``0s``."""
    left = int(seconds)
    if left <= 0:
        return "0s"
    out = []
    for unit, length in _SECONDS.items():
        count, left = divmod(left, length)
        if count:
            out.append(f"{count}{unit}")
    return "".join(out)


def parse_size(text: str) -> int | None:
    """A number with K, M, G or T after it (either case), also 0x and 0 prefixes; None when it is none."""
    if not text or not text.isascii():
        return None
    factor = _SIZES.get(text[-1].upper())
    digits = text[:-1] if factor else text
    sign = 1
    if digits[:1] in "+-":
        sign, digits = (-1 if digits[:1] == "-" else 1), digits[1:]
    value = parse_number(digits)
    return None if value is None else sign * value * (factor or 1)


def parse_number(digits: str) -> int | None:
    """C's strtol with base 0: decimal, 0x hexadecimal, 0 octal; at most 20 digits."""
    if not digits or len(digits) > 20 or not digits.isalnum() or not digits.isascii():
        return None
    try:
        if digits[:2] in ("0x", "0X"):
            return int(digits[2:], 16)
        if digits[0] == "0" and len(digits) > 1:
            return int(digits, 8)
        return int(digits)
    except ValueError:
        return None


def format_size(value: int) -> str:
    """``50M`` where it divides, as ``-bP`` prints sizes."""
    for unit in ("G", "M", "K"):
        if value and value % _SIZES[unit] == 0:
            return f"{value // _SIZES[unit]}{unit}"
    return str(value)

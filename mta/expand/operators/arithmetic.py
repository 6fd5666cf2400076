"""``${eval:`` and ``${eval10:``: C-like arithmetic in 64 bits (manual chapter 11, "eval").

From weakest to tightest: ``|``, ``^``, ``&``, ``<< >>``, ``+ -``, ``* / %``; unary ``+ - ~``; parentheses.
"""

from __future__ import annotations

import re

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE

MAX_DEPTH = 50  # of parentheses and signs; each may cost eight frames of Python's stack
_MAXIMUM = 2**63 - 1
_HALF = float(2**63)
_ANY_BASE = re.compile(r"0[xX]([0-9A-Fa-f]*)|0([0-7]*)|([1-9][0-9]*)")
_DECIMAL = re.compile(r"()()([0-9]+)")
_FACTORS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEVEL_OF = {"|": 0, "^": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}


@operator("eval")
def evaluate(_scope: Scope, text: str, _argument: str | None) -> str:
    return str(evaluate_expression(text, decimal=False))


@operator("eval10")
def evaluate_decimal(_scope: Scope, text: str, _argument: str | None) -> str:
    return str(evaluate_expression(text, decimal=True))


def evaluate_expression(text: str, *, decimal: bool = False) -> int:
    """The value, wrapped to 64 bits; ExpansionFailed with the part that was read. ``decimal``: 08 is eight."""
    reader = _Reader(text, _DECIMAL if decimal else _ANY_BASE)
    try:
        value = reader.level(0, 0)
        if reader.at < len(text):
            raise _Fault("expecting operator")
    except _Fault as fault:
        done = text[: reader.at]
        raise ExpansionFailed(f'error in expression evaluation: {fault} (after processing "{done}")') from None
    return value


class _Fault(Exception):
    """Leaves the descent with Exim's words."""


class _Reader:
    __slots__ = ("at", "number", "text")

    def __init__(self, text: str, number: re.Pattern[str]) -> None:
        self.text = text
        self.number = number
        self.at = 0

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in WHITESPACE:
            self.at += 1

    def level(self, weakest: int, depth: int) -> int:
        """An expression whose operators are of level ``weakest`` or tighter."""
        value = self.unary(depth)
        while True:
            sign = next((sign for sign in _LEVEL_OF if self.text.startswith(sign, self.at)), "")
            level = _LEVEL_OF.get(sign, -1)
            if level < weakest:
                return value
            self.at += len(sign)
            value = _combine(sign, value, self.level(level + 1, depth))

    def unary(self, depth: int) -> int:
        """A number, a parenthesis, or either behind signs."""
        self.skip()
        if depth > MAX_DEPTH:
            raise _Fault("expression is nested too deeply")
        char = self.text[self.at : self.at + 1]
        if char in ("+", "-", "~") and char:
            self.at += 1
            value = self.unary(depth + 1)
            return value if char == "+" else _wrap(-value if char == "-" else ~value)
        if char == "(":
            self.at += 1
            value = self.level(0, depth + 1)
            if self.text[self.at : self.at + 1] != ")":
                raise _Fault("expecting closing parenthesis")
            self.at += 1
            self.skip()
            return value
        return self._number()

    def _number(self) -> int:
        found = self.number.match(self.text, self.at)
        if found is None:
            raise _Fault("expecting number or opening parenthesis")
        self.at = found.end()
        value = _clamped(found)
        factor = _FACTORS.get(self.text[self.at : self.at + 1].lower())
        if factor is not None:
            value = _wrap(value * factor)
            self.at += 1
        self.skip()
        return value


def _clamped(found: re.Match[str]) -> int:
    hexadecimal, octal, decimal = found.groups()
    digits, base = (decimal, 10) if decimal else (octal, 8) if octal else (hexadecimal, 16)
    if len(digits or "") > 40:
        return _MAXIMUM
    return min(int(digits or "0", base), _MAXIMUM)


def _wrap(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def _combine(sign: str, left: int, right: int) -> int:
    """Shifts take their count modulo 64; a sum or difference near the upper end is refused, as in Exim."""
    if sign in ("+", "-"):
        value = left + right if sign == "+" else left - right
        if left >= 2**62:  # only then does Exim look for an overflow
            rough = float(left) + float(right) if sign == "+" else float(left) - float(right)
            if rough >= _HALF:
                raise _Fault("overflow in sum" if sign == "+" else "overflow in difference")
        return _wrap(value)
    if sign in ("/", "%"):
        if right == 0:
            raise _Fault("divide by zero" if sign == "/" else "modulo by zero")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return min(quotient, _MAXIMUM) if sign == "/" else left - quotient * right
    return {
        "|": lambda: left | right,
        "^": lambda: left ^ right,
        "&": lambda: left & right,
        "*": lambda: _wrap(left * right),
        "<<": lambda: _wrap(left << (right & 63)),
        ">>": lambda: left >> (right & 63),
    }[sign]()

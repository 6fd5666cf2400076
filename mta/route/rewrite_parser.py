"""Lines of the rewrite section and items of headers_rewrite, as rules (manual chapter 31).

A rule is ``pattern replacement flags``; pattern and replacement end at white space unless in double quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mta.errors import NOWHERE, ConfigError, ExpansionFailed, Where
from mta.expand.compiler import compile_text
from mta.match.compile import AddressListOf, address_list
from mta.scope.expansion import Expansion
from mta.text.ascii import WHITESPACE

HEADER_FLAGS = "bcfrst"  # the header lines, by their first letters
ENVELOPE_FLAGS = "FT"
MAX_REPEATS = 10  # of a rule with the R flag
_KNOWN = frozenset("EFTbcfhrstSQqRw ")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("|\Z)', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_SEPARATOR = "\x1f"  # makes any pattern a list of one item


@dataclass(frozen=True, slots=True)
class Rule:
    """``contexts`` holds the letters of HEADER_FLAGS, ENVELOPE_FLAGS and "S" that the rule is for.

    ``replacement`` None is the lone asterisk: leave the address, and try no more rules.
    """

    pattern: Expansion
    addresses: AddressListOf
    replacement: Expansion | None
    contexts: frozenset[str]
    repeat: bool = False  # R
    stop: bool = False  # q
    whole: bool = False  # w
    qualify: bool = False  # Q


def parse_rule(text: str, where: Where = NOWHERE, *, transport: bool = False) -> Rule:
    """One rule; ConfigError in Exim's words. ``transport``: of headers_rewrite, for header lines only."""
    pattern, rest = _word(text.strip(WHITESPACE))
    if not rest:
        raise ConfigError("missing rewrite replacement string", where)
    replacement, flags = _word(rest)
    for char in flags:
        if char not in _KNOWN and char not in WHITESPACE:
            raise ConfigError(
                f"unknown rewrite flag character '{char}' (could be missing quotes round replacement item)", where
            )
    if "S" in flags and not pattern.startswith(("^", "\\N^")):
        raise ConfigError("rewrite rule has the S flag but is not a regular expression", where)
    if transport and any(flag in flags for flag in "EFTS"):
        raise ConfigError(
            f"rewrite rule specifies a non-header rewrite - not allowed at transport time - {text}", where
        )
    return _rule(pattern, replacement, flags, where)


def _rule(pattern: str, replacement: str, flags: str, where: Where) -> Rule:
    contexts = _contexts(flags)
    try:
        compiled = compile_text(pattern)
        addresses = address_list(compile_text(f"<{_SEPARATOR} {pattern}"))
        new = None if replacement == "*" else compile_text(replacement)
    except ExpansionFailed as error:
        raise ConfigError(error.message, where, error) from None
    return Rule(compiled, addresses, new, contexts, "R" in flags, "q" in flags, "w" in flags, "Q" in flags)


def _contexts(flags: str) -> frozenset[str]:
    chosen = {flag for flag in flags if flag in HEADER_FLAGS + ENVELOPE_FLAGS + "S"}
    if "E" in flags:
        chosen |= set(ENVELOPE_FLAGS)
    if "h" in flags:
        chosen |= set(HEADER_FLAGS)
    return frozenset(chosen or HEADER_FLAGS + ENVELOPE_FLAGS)


def _word(text: str) -> tuple[str, str]:
    """The first word, quotes and their escapes resolved, and what follows it."""
    if text.startswith('"'):
        found = _QUOTED.match(text)
        assert found is not None  # an open quote runs to the end
        return _ESCAPE.sub(_resolve, found.group(1)), text[found.end() :].lstrip(WHITESPACE)
    end = 0
    while end < len(text) and text[end] not in WHITESPACE:
        end += 1
    return text[:end], text[end:].lstrip(WHITESPACE)


def _resolve(found: re.Match[str]) -> str:
    digits, octal, other = found.groups()
    if digits:
        return chr(int(digits, 16))
    return chr(int(octal, 8) & 0xFF) if octal else _ESCAPED.get(other, other)

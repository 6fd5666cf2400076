"""The tests of a Sieve script (RFC 5228 section 5 and the extensions' own): ``TestParser.test``."""

from __future__ import annotations

import re

from mta.filter.sieve import variables
from mta.filter.sieve.lexer import Lexer
from mta.filter.sieve.tree import (
    AddressPart,
    AddressTest,
    Constant,
    Exists,
    HeaderTest,
    Match,
    MatchType,
    Not,
    NotifyCapability,
    Several,
    Size,
    StringTest,
    Test,
    ValidNotify,
)
from mta.text.ascii import lower

MAX_DEPTH = 32  # of tests in each other
_FIELD = re.compile(r"[!-9;-~\x80-\xff]+\Z")
# header fields that hold addresses (RFC 5322, 3798, 2156 and what is common)
_ADDRESS_FIELDS = frozenset(
    {
        "from", "to", "cc", "bcc", "sender", "reply-to", "resent-from", "resent-to", "resent-cc", "resent-bcc",
        "resent-sender", "return-path", "errors-to", "delivered-to", "envelope-to", "disposition-notification-to",
        "mail-followup-to", "mail-reply-to", "x-original-to",
    }
)  # fmt: skip
_COMPARATORS = {"i;octet": True, "i;ascii-casemap": True, "i;ascii-numeric": False}  # whether substrings can be sought
_PARTS: tuple[AddressPart, ...] = ("all", "localpart", "domain", "user", "detail")
_TYPES: tuple[MatchType, ...] = ("is", "contains", "matches")
_TESTS = (
    "true", "false", "not", "allof", "anyof", "exists", "size", "header", "address", "envelope", "string",
    "valid_notify_method", "notify_method_capability",
)  # fmt: skip


class TestParser:
    """``required``: the capabilities named so far."""

    def __init__(self, lexer: Lexer) -> None:
        self.lexer = lexer
        self.required: set[str] = set()

    # -- what commands use, too

    def need(self, capability: str) -> None:
        if capability not in self.required:
            raise self.lexer.error(f'missing previous require "{capability}";')

    def semicolon(self) -> None:
        if not self.lexer.take(";"):
            raise self.lexer.error("missing semicolon")

    def is_dynamic(self, text: str) -> bool:
        """Known only when the script runs."""
        return "variables" in self.required and variables.has_references(text)

    def required_string(self, complaint: str) -> str:
        found = self.lexer.string()
        if found is None:
            raise self.lexer.error(complaint)
        return found

    def string_list(self) -> tuple[str, ...]:
        found = self.lexer.strings()
        if found is None:
            raise self.lexer.error("missing string list")
        return found

    # -- tests

    def test(self, depth: int) -> Test:
        lexer = self.lexer
        if depth >= MAX_DEPTH:
            raise lexer.error("tests are nested too deeply")
        name = lexer.word(*_TESTS)
        if not name:
            raise lexer.error("missing test")
        if name in ("true", "false"):
            return Constant(name == "true")
        if name == "not":
            return Not(self.test(depth + 1))
        if name in ("allof", "anyof"):
            return Several(name == "allof", self._list(depth))
        if name == "exists":
            return Exists(self._fields(self.string_list()))
        if name == "size":
            return self._size()
        if name == "valid_notify_method":
            self.need("enotify")
            return ValidNotify(self.string_list())
        return self._comparison(name)

    def _list(self, depth: int) -> tuple[Test, ...]:
        lexer = self.lexer
        if not lexer.take("("):
            raise lexer.error("missing test list")
        found = [self.test(depth + 1)]
        while lexer.take(","):
            found.append(self.test(depth + 1))
        if not lexer.take(")"):
            raise lexer.error("missing closing paren")
        return tuple(found)

    def _size(self) -> Size:
        lexer = self.lexer
        tag = lexer.tag("over", "under")
        if not tag:
            raise lexer.error("missing :over or :under")
        limit = lexer.number()
        if limit is None:
            raise lexer.error("missing number")
        return Size(tag == "over", limit)

    def _comparison(self, name: str) -> Test:
        if name == "envelope":
            self.need("envelope")
        elif name == "string":
            self.need("variables")
        elif name == "notify_method_capability":
            self.need("enotify")
        line = self.lexer.line
        match, part = self._arguments(with_part=name in ("address", "envelope"))
        if name == "notify_method_capability":
            method = self.required_string("missing method string")
            capability = self.required_string("missing capability string")
            return NotifyCapability(match, method, capability, self.string_list())
        names, keys = self.string_list(), self.string_list()
        if name == "header":
            return HeaderTest(match, self._fields(names), keys)
        if name == "string":
            return StringTest(match, names, keys)
        if name == "address":
            for one in self._fields(names):
                if lower(one) not in _ADDRESS_FIELDS and not self.is_dynamic(one):
                    raise self.lexer.error("invalid header field")
            return AddressTest(match, part, names, keys, False, line)
        for one in names:
            if lower(one) not in ("from", "to") and not self.is_dynamic(one):
                raise self.lexer.error("invalid envelope string")
        return AddressTest(match, part, names, keys, True, line)

    def _arguments(self, *, with_part: bool) -> tuple[Match, AddressPart]:
        """Comparator, match type and address part, in any order, each once."""
        lexer = self.lexer
        comparator: str | None = None
        kind: MatchType | None = None
        part: AddressPart | None = None
        parts = _PARTS if with_part else ()
        while tag := lexer.tag("comparator", *_TYPES, *parts):
            if tag == "comparator":
                if comparator is not None:
                    raise lexer.error("comparator already specified")
                comparator = lower(self.required_string("missing comparator"))
                if comparator not in _COMPARATORS:
                    raise lexer.error("invalid comparator")
            elif tag in _TYPES:
                if kind is not None:
                    raise lexer.error("match type already specified")
                kind = tag
            else:
                if part is not None:
                    raise lexer.error("address part already specified")
                if tag in ("user", "detail"):
                    self.need("subaddress")
                part = tag  # type: ignore[assignment]
        match = Match(kind or "is", comparator or "i;ascii-casemap")
        if match.type != "is" and not _COMPARATORS[match.comparator]:
            raise lexer.error("comparator does not offer specified matchtype")
        return match, part or "all"

    def _fields(self, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not self.is_dynamic(name) and not _FIELD.match(name):
                raise self.lexer.error("invalid header field")
        return names

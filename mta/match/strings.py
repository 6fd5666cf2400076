"""Domain, local part and plain string lists (manual sections 10.9 and 10.22)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mta.errors import ExpansionFailed
from mta.lookup.find import Search, parse_type, search
from mta.lookup.index import NameIndex
from mta.match.core import Hit, Items, Modes, Test, item_text, match_named, unnegated
from mta.match.files import file_item
from mta.match.mx import MX_ITEMS, mx_matches, parse_mx_item
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.text.lists import split_list
from mta.text.patterns import pattern

Kind = Literal["domain", "local_part", "string"]
NO_MODES = Modes()


class Subject(NamedTuple):
    """``caseful`` starts a local part list with case, as caseful_local_part does."""

    text: str
    low: str
    caseful: bool = False


def subject_of(text: str, caseful: bool = False) -> Subject:
    return Subject(text, lower(text), caseful)


def captured(subject: str, *parts: str) -> list[str]:
    """Captures of a subject, as tainted as the subject."""
    if isinstance(subject, Tainted):
        return [Tainted(part) for part in (subject, *parts)]
    return [subject, *parts]


@dataclass(slots=True)
class StringItems:
    """Collects the items of one list. With case and without are two indexes, as ``+caseful`` divides the list."""

    kind: Kind
    whole: str
    in_file: bool = False
    caseful: bool = False
    low: NameIndex = field(default_factory=NameIndex)
    exact: NameIndex = field(default_factory=NameIndex)
    data: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)  # of the end after "*", -1 for whole names

    def quick(self, subject: Subject) -> tuple[int, Hit | None]:
        text = subject.text if subject.caseful else subject.low
        place = (self.exact if subject.caseful else self.low).first(text)
        if self.caseful:
            other = self.exact.first(subject.text)
            if other >= 0 and (place < 0 or other < place):
                text, place = subject.text, other
        if place < 0:
            return -1, None
        if isinstance(subject.text, Tainted):
            text = Tainted(text)
        length = self.lengths[place]
        captures = captured(text) if length < 0 else captured(text, text[: len(text) - length])
        return place, Hit(self.data[place], captures)

    def build(self, raw_items: list[str]) -> Items[Subject]:
        items: Items[Subject] = Items(self.quick)
        caseful_from = False
        for raw in raw_items:
            if raw == "+caseful" and self.kind == "local_part" and not self.in_file:
                self.caseful = caseful_from = True
                continue
            negated, item = unnegated(raw)
            place = len(items.negated)
            items.negated.append(negated)
            self.data.append(item_text(item, self.whole))
            self.lengths.append(-1)
            try:
                self._add(items, place, item, caseful_from)
            except ExpansionFailed as failure:
                items.fault = items.fault or failure.message
        return items

    def _add(self, items: Items[Subject], place: int, item: str, caseful: bool) -> None:
        test = self._special(items, item, self.data[place], caseful)
        if test is not None:
            items.slow.append((place, test, NO_MODES))
            return
        end = item[1:] if item.startswith("*") else None
        if end is not None:
            self.lengths[place] = len(end)
        if not caseful:
            _add(self.low, lower(item if end is None else end), place, end is not None)
        if self.kind == "local_part":  # for items after +caseful, and for whoever starts with case
            _add(self.exact, item if end is None else end, place, end is not None)

    def _special(self, items: Items[Subject], item: str, data: str, caseful: bool) -> Test[Subject] | None:
        """The test for an item that no index can hold; None for names and ``*`` ends."""
        if item.startswith("^"):
            return _regex(item, data, caseful)
        if item.startswith("*"):
            return None
        if not self.in_file:
            if item.startswith("+") and self.kind != "string":
                items.references.append(f"{self.kind}:{item[1:]}")
                return _named(self.kind, item[1:], caseful)
            if item.startswith("/"):
                return self._file(item_text(item, self.whole), caseful)
        if self.kind == "domain" and item.startswith("@"):
            found = _at_item(item, data if self.in_file else None)
            if found is not None:
                return found
        if ";" in item and self.kind != "string":
            return _lookup(item, data if self.in_file else None, self.whole)
        return None

    def _file(self, path: str, caseful: bool) -> Test[Subject]:
        kind = self.kind

        def build(lines: list[str]) -> Items[Subject]:
            return StringItems(kind, "", in_file=True).build(lines)

        inner = file_item(path, kind, self.whole, build, hash_anywhere=kind == "domain")
        return lambda scope, subject, depth: inner(scope, subject._replace(caseful=subject.caseful or caseful), depth)


def _add(index: NameIndex, text: str, place: int, is_end: bool) -> None:
    if is_end:
        index.add_end(text, place)
    else:
        index.add(text, place)


def _regex(item: str, data: str, caseful: bool) -> Test[Subject]:
    caseless_pattern, caseful_pattern = pattern(item, not caseful), pattern(item, False)

    def test(_scope: Scope, subject: Subject, _depth: int) -> Hit | None:
        groups = (caseful_pattern if subject.caseful else caseless_pattern).search(subject.text)
        if groups is None:
            return None
        # Not the matched part: Exim's $0 is the whole subject here, whatever its manual says.
        return Hit(data, captured(subject.text, *groups[1:]))

    return test


def _named(kind: Kind, name: str, caseful: bool) -> Test[Subject]:
    def test(scope: Scope, subject: Subject, depth: int) -> Hit | None:
        inner = subject._replace(caseful=True) if caseful else subject
        key = f"c{subject.text}" if inner.caseful else f"l{subject.text if kind == 'local_part' else subject.low}"
        return match_named(kind, name, scope, inner, key, depth)

    return test


def _at_item(item: str, line: str | None) -> Test[Subject] | None:
    """``@``, ``@[]`` and ``@mx_...`` of domain lists. ``line`` is the value in a file."""
    if item == "@":

        def is_our_name(scope: Scope, subject: Subject, _depth: int) -> Hit | None:
            name = scope.site.options.primary_hostname
            if subject.low != lower(name):
                return None
            return Hit(name if line is None else line, captured(subject.text))

        return is_our_name
    if item == "@[]":

        def is_our_literal(scope: Scope, subject: Subject, _depth: int) -> Hit | None:
            text = subject.low
            if not (text.startswith("[") and text.endswith("]")):
                return None
            address = text[1:-1].removeprefix("ipv6:")
            if address not in scope.site.interface_addresses():
                return None
            return Hit(item if line is None else line, captured(subject.text))

        return is_our_literal
    if item.partition("/")[0] in MX_ITEMS:
        wanted = parse_mx_item(item)
        return lambda scope, subject, _depth: (
            Hit(item if line is None else line, captured(subject.text))
            if mx_matches(scope, wanted, subject.low)
            else None
        )
    return None


def _lookup(item: str, line: str | None, whole: str) -> Test[Subject]:
    type_text, _, rest = item.partition(";")
    wanted = parse_type(type_text.rstrip())
    rest = item_text(rest.lstrip(), whole)

    def test(scope: Scope, subject: Subject, _depth: int) -> Hit | None:
        return lookup_hit(scope, wanted, rest, subject, line)

    return test


def lookup_hit(scope: Scope, wanted: Search, rest: str, subject: Subject, line: str | None) -> Hit | None:
    """A lookup item: the subject is the key of a single-key type, a query is obeyed as it stands."""
    key = subject.text if subject.caseful else subject.low
    if isinstance(subject.text, Tainted):
        key = Tainted(key)
    found = search(scope, wanted, rest, key) if wanted.single else search(scope, wanted, "", rest)
    if found is None:
        return None
    parts = [part for part in (found.wild, found.fixed) if part is not None]
    return Hit(found.value if line is None else line, captured(key, *parts))


def build_strings(kind: Kind, text: str) -> Items[Subject]:
    """Compile a list's text."""
    return StringItems(kind, text).build(split_list(text))


def build_one(kind: Kind, item: str, whole: str) -> Items[Subject]:
    """Compile one item that is not to be split, as the domain in an address list's item."""
    return StringItems(kind, whole).build([item])

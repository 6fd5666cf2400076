"""Address lists (manual sections 10.20 and 10.21). The subject is a whole address, "" the null sender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.base import lookups
from mta.lookup.find import Search, parse_type, search
from mta.lookup.index import NameIndex
from mta.match.core import Hit, Items, Modes, Test, item_text, match_named, unnegated
from mta.match.files import file_item
from mta.match.strings import Subject, build_one, subject_of
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import lower
from mta.text.lists import split_list
from mta.text.patterns import pattern

NO_MODES = Modes()
CHAIN = 50  # links of the >key kind that a @@ lookup may follow


class AddressSubject(NamedTuple):
    """``text`` keeps the case of the local part, the domain is lower case; ``low`` is all lower case."""

    text: str
    low: str
    local: str
    domain: str
    has_domain: bool
    caseful: bool = False

    def in_case(self, caseful: bool) -> tuple[str, str]:
        """The whole address and the local part to compare."""
        if caseful or self.caseful:
            return self.text, self.local
        return self.low, lower(self.local)


def address_subject(address: str, caseful: bool = False) -> AddressSubject:
    """Split at the last ``@``."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    domain = lower(domain)
    text = f"{local}@{domain}" if at else local
    if isinstance(address, Tainted):
        text = Tainted(text)
    return AddressSubject(text, lower(text), local, domain, bool(at), caseful)


@dataclass(slots=True)
class AddressItems:
    """Collects the items of one list: whole addresses and bare domains go into indexes."""

    whole: str
    in_file: bool = False
    caseful: bool = False
    empty: int = -1
    low: NameIndex = field(default_factory=NameIndex)  # whole addresses, without case
    exact: NameIndex = field(default_factory=NameIndex)  # and with
    domains: NameIndex = field(default_factory=NameIndex)
    exact_domains: NameIndex = field(default_factory=NameIndex)
    data: list[str] = field(default_factory=list)

    def quick(self, subject: AddressSubject) -> tuple[int, Hit | None]:
        if not subject.text:
            return (self.empty, Hit()) if self.empty >= 0 else (-1, None)
        if not subject.has_domain:
            return -1, None
        places = [
            self.exact.first(subject.text) if self.caseful or subject.caseful else -1,
            -1 if subject.caseful else self.low.first(subject.low),
            self.exact_domains.first(subject.domain) if subject.caseful else self.domains.first(subject.domain),
        ]
        found = [place for place in places if place >= 0]
        if not found:
            return -1, None
        best = min(found)
        return best, Hit(self.data[best])

    def build(self, raw_items: list[str]) -> Items[AddressSubject]:
        items: Items[AddressSubject] = Items(self.quick)
        caseful = False
        for raw in raw_items:
            if raw == "+caseful" and not self.in_file:
                self.caseful = caseful = True
                continue
            negated, item = unnegated(raw)
            place = len(items.negated)
            items.negated.append(negated)
            self.data.append(item_text(item, self.whole))
            try:
                test = self._test(items, place, item, caseful)
            except ExpansionFailed as failure:
                items.fault = items.fault or failure.message
                continue
            if test is not None:
                items.slow.append((place, test, NO_MODES))
        return items

    def _test(self, items: Items[AddressSubject], place: int, item: str, caseful: bool) -> Test[AddressSubject] | None:
        """The test for an item; None when an index holds it."""
        line = self.data[place] if self.in_file else None
        if not item:
            self.empty = place if self.empty < 0 else self.empty
            return None
        if item.startswith("^"):
            return _regex(item, line, caseful)
        if item.startswith("@@"):
            return _by_domain(item_text(item[2:], self.whole), item, line)
        if not self.in_file and item.startswith("+"):
            items.references.append(f"address:{item[1:]}")
            return _named(item[1:], caseful)
        if not self.in_file and item.startswith("/"):
            return self._file(item_text(item, self.whole), caseful)
        wanted = _whole_lookup(item)
        if wanted is not None:
            return _lookup(wanted, item_text(item.partition(";")[2].lstrip(), self.whole), line, caseful)
        return self._address(items, place, item, caseful, line)

    def _address(
        self, items: Items[AddressSubject], place: int, item: str, caseful: bool, line: str | None
    ) -> Test[AddressSubject] | None:
        local, domain = split_pattern(item)
        simple = not (domain.startswith(("@", "+", "^", "!", "/")) or ";" in domain)
        if local is None:
            if not simple:
                return None  # only a name or a * end may stand for a domain here
            if line is None:
                self.data[place] = item_text("@" + item, self.whole)
            self._index_domain(place, domain, caseful)
            return None
        if simple and local == "*":
            self._index_domain(place, domain, caseful)
            return None
        if simple and not local.startswith("*") and not domain.startswith("*"):
            if not caseful:
                self.low.add(lower(item), place)
            self.exact.add(item, place)
            return None
        if caseful and simple and domain != lower(domain):
            return None  # as in _index_domain
        inner = build_one("domain", domain, self.whole)
        items.references.extend(inner.references)
        if inner.fault:
            raise ExpansionFailed(inner.fault)
        return _parts(item_text(local, self.whole), inner, line, caseful)

    def _index_domain(self, place: int, domain: str, caseful: bool) -> None:
        # After +caseful Exim compares the pattern's domain with case to the lower-cased domain of the subject.
        for index, text in ((self.domains, domain if caseful else lower(domain)), (self.exact_domains, domain)):
            if text.startswith("*"):
                index.add_end(text[1:], place)
            else:
                index.add(text, place)

    def _file(self, path: str, caseful: bool) -> Test[AddressSubject]:
        def build(lines: list[str]) -> Items[AddressSubject]:
            return AddressItems("", in_file=True).build(lines)

        inner = file_item(path, "address", self.whole, build, hash_anywhere=False)
        return lambda scope, subject, depth: inner(scope, subject._replace(caseful=subject.caseful or caseful), depth)


def split_pattern(item: str) -> tuple[str | None, str]:
    """Local part and domain of a pattern; a domain may itself be ``@``, ``@[]`` or ``@mx_any``."""
    head = item.partition(";")[0]  # file names and queries may hold any number of @
    position = head.rfind("@")
    if position < 0:
        return None, item
    if position > 0 and item[position - 1] == "@":
        position -= 1
    return item[:position], item[position + 1 :]


def _whole_lookup(item: str) -> Search | None:
    """The lookup type that the item starts with, when it is a lookup of whole addresses."""
    type_text, semicolon, _ = item.partition(";")
    if not semicolon:
        return None
    type_text = type_text.rstrip()
    if "@" in type_text.replace("*@", "", 1) or type_text.startswith("*@"):
        return None
    if "@" in type_text and type_text.partition("*@")[0].rpartition("-")[2] not in lookups:
        return None
    return parse_type(type_text)


def _regex(item: str, line: str | None, caseful: bool) -> Test[AddressSubject]:
    caseless_pattern, caseful_pattern = pattern(item, not caseful), pattern(item, False)

    def test(_scope: Scope, subject: AddressSubject, _depth: int) -> Hit | None:
        used = caseful_pattern if subject.caseful else caseless_pattern
        return Hit(line) if used.matches(subject.text) else None

    return test


def _named(name: str, caseful: bool) -> Test[AddressSubject]:
    def test(scope: Scope, subject: AddressSubject, depth: int) -> Hit | None:
        inner = subject._replace(caseful=True) if caseful else subject
        return match_named("address", name, scope, inner, f"{'c' if inner.caseful else 'l'}{subject.text}", depth)

    return test


def _lookup(wanted: Search, rest: str, line: str | None, caseful: bool) -> Test[AddressSubject]:
    """A lookup of the whole address; without partial matching, and never for the null sender unless a query."""
    plain = _without_partial(wanted)

    def test(scope: Scope, subject: AddressSubject, _depth: int) -> Hit | None:
        if plain.single:
            if not subject.text:
                return None
            found = search(scope, plain, rest, subject.in_case(caseful)[0])
        else:
            found = search(scope, plain, "", rest)
        return None if found is None else Hit(found.value if line is None else line)

    return test


def _without_partial(wanted: Search) -> Search:
    if wanted.partial < 0:
        return wanted
    return parse_type(wanted.text[wanted.text.index(wanted.type.name) :])


def _parts(local: str, domain: Items[Subject], line: str | None, caseful: bool) -> Test[AddressSubject]:
    """``*end@domain pattern``: the local part, then the domain as in a domain list."""
    wild = local.startswith("*")
    bare = local[1:] if wild else local
    low = lower(bare)

    def test(scope: Scope, subject: AddressSubject, depth: int) -> Hit | None:
        if not subject.has_domain:
            return None
        mine = subject.in_case(caseful)[1]
        wanted = bare if caseful or subject.caseful else low
        if not (mine.endswith(wanted) if wild else mine == wanted):
            return None
        first = domain.first(scope, subject_of(subject.domain), depth)
        if first is None:
            return Hit(_joined(local, None, line)) if domain.negated[-1] else None
        hit, negative = first
        return None if negative else Hit(_joined(local, hit.data, line))

    return test


def _joined(local: str, domain_data: str | None, line: str | None) -> str:
    if line is not None:
        return line
    text = f"{local}@{domain_data or ''}"
    return Tainted(text) if isinstance(local, Tainted) or isinstance(domain_data, Tainted) else text


def _by_domain(lookup_text: str, item: str, line: str | None) -> Test[AddressSubject]:
    """``@@type;file``: the domain's entry is a list of local parts, ``>key`` at its end leads on."""
    type_text, _, rest = lookup_text.partition(";")
    wanted = parse_type(type_text.rstrip())
    rest = item_text(rest.lstrip(), lookup_text)

    def test(scope: Scope, subject: AddressSubject, depth: int) -> Hit | None:
        if not subject.has_domain:
            return None
        key = Tainted(subject.domain) if isinstance(subject.text, Tainted) else subject.domain
        for _ in range(CHAIN):
            found = search(scope, wanted, rest, key) if wanted.single else search(scope, wanted, "", rest)
            if found is None:
                return None
            entries = split_list(found.value)
            onward = entries.pop()[1:].lstrip() if entries and entries[-1].startswith(">") and wanted.single else ""
            first = _local_parts(scope, entries, subject, depth)
            if first is not None:
                hit, negative = first
                return None if negative else Hit(hit.data if line is None else line)
            if not onward:
                return None
            key = onward
        raise Deferred(f"Loop detected in lookup of local part of {subject.text} in {item}")

    return test


def _local_parts(scope: Scope, entries: list[str], subject: AddressSubject, depth: int) -> tuple[Hit, bool] | None:
    """The first of the looked-up patterns that matches the local part; no named lists and no files among them."""
    if not entries:
        return None
    from mta.match.strings import StringItems

    items = StringItems("local_part", "", in_file=True).build(entries)
    if items.fault:
        raise Deferred(items.fault)
    local = Tainted(subject.local) if isinstance(subject.text, Tainted) else subject.local
    first = items.first(scope, subject_of(local, subject.caseful), depth)
    if first is None:
        return None
    return first


def build_addresses(text: str) -> Items[AddressSubject]:
    """Compile a list's text."""
    return AddressItems(text).build(split_list(text))


Build = Callable[[str], Items[AddressSubject]]

"""How every kind of list is walked (manual sections 10.1 to 10.8): order, negation, expansion, named lists, caching.

A kind compiles its items into Items; ``CompiledList.found`` walks them. Items that a hash finds cost nothing:
only the others that stand before the hash's find are tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.lookup.find import message_cache
from mta.scope.expansion import MATCHED, Expansion, Matched, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.lists import split_list

S = TypeVar("S")
KEPT_TEXTS = 32  # compiled forms kept of a list whose text is expanded
DEPTH = 30  # named lists in named lists; Exim has no limit and dies of a loop


class Hit(NamedTuple):
    """An item matched. ``negative``: a negated line of a file did. ``captures`` become $0, $1 ... when not None."""

    data: str | None = None
    captures: list[str] | None = None
    negative: bool = False


class Unknown(Exception):
    """A host item needs a name or an address that does not exist; caught in ``CompiledList.found``."""


@dataclass(frozen=True, slots=True)
class Modes:
    """What ``+include_unknown`` and kin made of the items after them."""

    unknown: str = "fail"  # fail, include, ignore; in a file also raise
    defer: str = "defer"  # defer, include, ignore


Test = Callable[[Scope, S, int], Hit | None]  # the number is the depth of nested lists


@dataclass(slots=True)
class Items(Generic[S]):
    """One list's items by place. ``quick`` gives the place of the first hashed item that matches, and its hit."""

    quick: Callable[[S], tuple[int, Hit | None]]
    negated: list[bool] = field(default_factory=list)
    slow: list[tuple[int, Test[S], Modes]] = field(default_factory=list)
    references: list[str] = field(default_factory=list)  # named lists used, "domain:name"
    fault: str = ""  # why the list cannot work, in words for the operator
    text: str = ""  # the list, for the narrative of -bh

    def first(self, scope: Scope, subject: S, depth: int) -> tuple[Hit, bool] | None:
        """The first item that matches and whether it was negated; a hit with modes applied may end the walk early."""
        best, hit = self.quick(subject)
        for place, test, modes in self.slow:
            if 0 <= best < place:
                break
            found = self._try(test, modes, scope, subject, depth)
            if found is _ENDS or found is _INCLUDED:
                if scope.trace is not None:
                    scope.vars[_PLACE] = str(_NO_NAME)
                return _EMPTY, found is _ENDS
            if found is not None:
                best, hit = place, found
                break
        if scope.trace is not None:
            scope.vars[_PLACE] = str(best)
        if hit is None:
            return None
        return hit, self.negated[best] != hit.negative

    def _try(self, test: Test[S], modes: Modes, scope: Scope, subject: S, depth: int) -> Hit | None:
        try:
            return test(scope, subject, depth)
        except Unknown:
            if modes.unknown == "raise":
                raise
            if modes.unknown == "ignore":
                return None
            return _INCLUDED if modes.unknown == "include" else _ENDS
        except ForcedFail:
            return None
        except ExpansionFailed as failure:
            raise Deferred(failure.message) from None
        except Deferred:
            if modes.defer == "defer":
                raise
            return None if modes.defer == "ignore" else _INCLUDED


_PLACE, _CACHED = "match.place", "match.cached"  # scope.vars of the narrative: the item that matched, and how
_NO_NAME = -2  # in place of an item's place
_SETTINGS = ("+include_", "+ignore_", "+caseful")  # items that no subject is compared with
_EMPTY = Hit()
_ENDS = Hit("ends")  # compared by identity: the item's fact cannot be found out, the subject is not in the list
_INCLUDED = Hit("included")


class CompiledList(Generic[S]):
    """A list of one kind: compiled at once where its text is constant, else for each text that it expands to."""

    __slots__ = ("_build", "_cacheable", "_constant", "_expansion", "_kept", "kind", "source")

    def __init__(self, kind: str, text: Expansion | str, build: Callable[[str], Items[S]], cache: bool = False) -> None:
        self.kind = kind
        self._build = build
        self._kept: dict[tuple[str, bool], Items[S]] = {}
        self._cacheable: bool | None = True if cache else None
        self._expansion: Expansion | None = None
        self._constant: Items[S] | None = None
        if isinstance(text, str):
            self.source = text
            self._constant = build(text)
            self._constant.text = text
            return
        self.source = text.source
        if text.constant is not None:
            self._constant = build(text.constant)
            self._constant.text = text.constant
        else:
            self._expansion = text

    def items(self, scope: Scope) -> Items[S] | None:
        """The items as of now; None when the expansion was forced to fail. Other failures are Deferred."""
        if self._constant is not None:
            return self._constant
        assert self._expansion is not None
        try:
            text = expand_with_taint(self._expansion, scope)
        except ForcedFail:
            return None
        except ExpansionFailed as failure:
            raise Deferred(f'failed to expand "{self.source}" while checking a list: {failure.message}') from None
        key = (text, isinstance(text, Tainted))
        kept = self._kept.get(key)
        if kept is None:
            kept = self._build(text)
            kept.text = text
            if len(self._kept) >= KEPT_TEXTS:
                self._kept.clear()
            self._kept[key] = kept
        return kept

    def found(self, scope: Scope, subject: S, depth: int = 0) -> Hit | None:
        """The item that a subject matches first; told of when debugging."""
        if scope.trace is None:
            return self._found(scope, subject, depth, None)
        seen: list[Items[S]] = []
        scope.vars.pop(_PLACE, None)
        scope.vars.pop(_CACHED, None)
        hit = self._found(scope, subject, depth, seen)
        place, cached = int(scope.vars.pop(_PLACE, "-1")), scope.vars.pop(_CACHED, "")
        text = seen[0].text if seen else self.source
        why = f'matched "{_item(text, place)}"{cached}' if place >= 0 else "end of list"
        if place == _NO_NAME:
            why = f"failed to find host name for {scope.peer.address}"
        who = getattr(subject, "text", subject)
        who = "host" if self.kind == "host" and who == scope.peer.address else who
        scope.trace("lists", f'{who} in "{text}"? {"no" if hit is None else "yes"} ({why})')
        return hit

    def _found(self, scope: Scope, subject: S, depth: int, seen: list[Items[S]] | None) -> Hit | None:
        """The hit that puts the subject into the list, or None; the items go into ``seen``. Raises Deferred."""
        if depth > DEPTH:
            raise Deferred(f"named lists are nested too deeply, or in a loop, at {self.source}")
        items = self.items(scope)
        if items is None:
            return None
        if seen is not None:
            seen.append(items)
        if items.fault:
            raise Deferred(items.fault)
        first = items.first(scope, subject, depth)
        if first is None:
            return _EMPTY if items.negated and items.negated[-1] else None
        hit, negative = first
        return None if negative else hit

    def constant(self) -> Items[S] | None:
        """The items of a list that nothing expands in, or None."""
        return self._constant

    def cacheable(self, site_list: Callable[[str], object], depth: int = 0) -> bool:
        """Whether results may be kept for a message: nothing expands here or in the lists that it names."""
        if self._cacheable is None:
            items = self._constant
            self._cacheable = (
                items is not None
                and depth < DEPTH
                and all(
                    isinstance(inner := site_list(name), CompiledList) and inner.cacheable(site_list, depth + 1)
                    for name in items.references
                )
            )
        return self._cacheable


def named_list(scope_or_site_lists: object, kind: str, name: str) -> object | None:
    """A named list of the site by kind and name."""
    table: dict[str, object] = getattr(scope_or_site_lists, kind)
    return table.get(name)


def match_named(kind: str, name: str, scope: Scope, subject: S, key: str, depth: int) -> Hit | None:
    """Match a subject against ``+name``; ``key`` stands for the subject in the message's cache of results."""
    inner = named_list(scope.site.lists, kind, name)
    if inner is None:
        raise Deferred(f'unknown named {kind.replace("_", " ")} list "+{name}"')
    if not isinstance(inner, CompiledList):
        raise Deferred(f'named {kind} list "+{name}" is not compiled')

    def site_list(reference: str) -> object | None:
        of_kind, _, of_name = reference.partition(":")
        return named_list(scope.site.lists, of_kind, of_name)

    if not inner.cacheable(site_list):
        found: Hit | None = inner.found(scope, subject, depth + 1)
        return found
    cache = message_cache(scope, "match.named")
    place = (kind, name, key)
    if place in cache:
        kept: Hit | None = cache[place]
        if scope.trace is not None:
            scope.vars[_CACHED] = " - cached"
        return kept
    found = inner.found(scope, subject, depth + 1)
    if len(cache) > 4096:
        cache.clear()
    cache[place] = found
    return found


def as_matched(hit: Hit | None) -> Matched | None:
    """What the protocols of scope.expansion return."""
    if hit is None:
        return None
    return MATCHED if hit.data is None else Matched(hit.data)


def _item(text: str, place: int) -> str:
    """The item at a place, as the list has it."""
    items = [item for item in split_list(text) if not item.startswith(_SETTINGS)]
    return items[place] if place < len(items) else ""


def item_text(text: str, whole: str) -> str:
    """An item of a list, as tainted as the list."""
    return Tainted(text) if isinstance(whole, Tainted) else text


def unnegated(item: str) -> tuple[bool, str]:
    """Whether an item is negated, and the item without the mark."""
    return (True, item[1:].lstrip(" \t\n\v\f\r")) if item.startswith("!") else (False, item)

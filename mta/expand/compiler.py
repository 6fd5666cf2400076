"""Text of a configuration into expansions, once; and what options make of the result (manual 11, 6.11 to 6.15).

``compile_text`` raises ExpansionFailed for syntax errors and unknown names; the expansion it gives is a
function of a scope with ``source`` and ``constant``, and raises ExpansionFailed, ForcedFail or Deferred.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import FunctionType
from typing import cast

from mta.errors import ExpansionFailed, ForcedFail
from mta.expand.nodes import Condition, Node
from mta.expand.numbers import integer
from mta.expand.tracing import grammar
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text import ascii, units

CACHE_SIZE = 1000
_HARMLESS_LEVELS = 20  # of brackets: too few to exhaust Python's stack
_CACHE_LONGEST = 16384  # longer texts come once; keeping them would be all cost


def compile_text(text: str) -> Expansion:
    """The expansion of ``text``; ExpansionFailed with Exim's words when it cannot be one."""
    parser = grammar.get()(text)
    try:
        node = parser.whole()
    except RecursionError:
        raise ExpansionFailed("expansion is nested too deeply", text, 1) from None
    except ExpansionFailed as error:
        if not error.column:  # of what an item called, as of the types of lookup
            error.text, error.column = text, parser.started + 1
        raise
    return _expansion(text, node, parser.deepest)


def compile_cached(scope: Scope, text: str) -> Expansion:
    """``compile_text`` through a bounded cache of this process, for text that is made while running."""
    cache: _Cache | None = scope.services.state.get("expand.cache")
    if cache is None:
        cache = scope.services.state.setdefault("expand.cache", _Cache())
    return cache.get(text)


def compile_condition(text: str) -> Condition:
    """A condition alone, as it stands after ``${if``; text behind it is refused."""
    parser = grammar.get()(text)
    found = parser.condition()
    if parser.skip_space():
        parser.fail(f'unexpected text after condition: "{parser.rest}"')
    return found


def _expansion(text: str, node: Node, levels: int) -> Expansion:
    inner = cast(FunctionType, node.run)
    if levels > _HARMLESS_LEVELS:

        def guarded(scope: Scope) -> str:
            try:
                return node.run(scope)
            except RecursionError:
                raise ExpansionFailed("expansion is nested too deeply") from None

        inner = cast(FunctionType, guarded)
    # a copy, since nodes may share a function, and another call around it would cost each expansion 50 ns
    run = FunctionType(inner.__code__, inner.__globals__, "expansion", inner.__defaults__, inner.__closure__)
    run.source = text  # type: ignore[attr-defined]
    run.constant = node.constant  # type: ignore[attr-defined]
    return cast(Expansion, run)


class _Cache:
    """The last CACHE_SIZE texts; shared by the threads of a process."""

    __slots__ = ("_found", "_lock")

    def __init__(self) -> None:
        self._found: OrderedDict[str, Expansion] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> Expansion:
        with self._lock:
            found = self._found.get(text)
            if found is not None:
                self._found.move_to_end(text)
                return found
        made = compile_text(str(text))
        if len(text) <= _CACHE_LONGEST:
            with self._lock:
                self._found[made.source] = made
                if len(self._found) > CACHE_SIZE:
                    self._found.popitem(last=False)
        return made


# ---- what options make of a result


def truth_lax(value: str) -> bool:
    """A router's ``condition`` and ``bool_lax``: false are "", "0", "no" and "false", case and white space aside."""
    return ascii.lower(ascii.strip(value)) not in ("", "0", "no", "false")


def truth_acl(value: str) -> bool | None:
    """An ACL's ``condition``: numbers, yes, no, true, false and the empty string; None for anything else."""
    word = ascii.lower(ascii.strip(value))
    if word in ("", "no", "false"):
        return False
    if word in ("yes", "true"):
        return True
    digits = word[1:] if word[:1] in ("-", "+") else word
    return bool(digits.strip("0")) if ascii.is_digits(digits) else None


def condition_lax(text: Expansion, scope: Scope) -> bool:
    """A router's ``condition``: a forced failure is false; other failures are raised."""
    try:
        return truth_lax(text(scope))
    except ForcedFail:
        return False


def condition_acl(text: Expansion, scope: Scope) -> bool:
    """An ACL's ``condition``; ExpansionFailed for a value that is no truth value."""
    value = text(scope)
    found = truth_acl(value)
    if found is None:
        raise ExpansionFailed(f'invalid "condition" value "{value}"')
    return found


def expand_bool(text: Expansion, scope: Scope, *, default: bool) -> bool:
    """A boolean option that is expanded: yes, true, no or false; ``default`` at a forced failure."""
    try:
        value = text(scope)
    except ForcedFail:
        return default
    word = ascii.lower(value)
    if word in ("true", "yes"):
        return True
    if word in ("false", "no"):
        return False
    raise ExpansionFailed(f'"{value}" is not a valid boolean value')


def expand_int(text: Expansion, scope: Scope) -> int:
    """An integer option that is expanded: decimal, with K, M or G."""
    return integer(text(scope))


def expand_size(text: Expansion, scope: Scope) -> int:
    """As ``expand_int``; also hexadecimal and octal, and T."""
    value = text(scope)
    found = units.parse_size(ascii.strip(value) or "0")
    if found is None:
        raise ExpansionFailed(f'invalid integer "{value}"')
    return found


def expand_octal(text: Expansion, scope: Scope) -> int:
    """A mode."""
    value = ascii.strip(text(scope))
    if not value or len(value) > 12 or value.strip("01234567"):
        raise ExpansionFailed(f'invalid octal integer "{value}"')
    return int(value, 8)


def expand_time(text: Expansion, scope: Scope) -> float:
    """A time interval, in seconds."""
    value = text(scope)
    found = units.parse_time(ascii.strip(value))
    if found is None:
        raise ExpansionFailed(f'invalid time value "{value}"')
    return found


def constant_text(text: str) -> Expansion:
    """An expansion that gives ``text`` as it is."""
    from mta.expand.nodes import literal

    return _expansion(text, literal(text), 0)

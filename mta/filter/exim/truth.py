"""Whether a filter's condition holds: ``holds(condition, run)`` (filter manual 3.21 to 3.30)."""

from __future__ import annotations

from typing import Protocol

from mta.errors import Deferred, ExpansionFailed
from mta.filter.actions import FilterError
from mta.filter.exim.conditions import show
from mta.filter.exim.personal import is_personal
from mta.filter.exim.tree import Condition
from mta.mail.address import Address, parse_address_list
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.ascii import is_digits, lower, strip
from mta.text.patterns import pattern

_FACTORS = {"k": 1 << 10, "m": 1 << 20}
MAX_ADDRESSES = 10_000  # of foranyaddress


class Run(Protocol):
    """What the tests need of a run of the interpreter."""

    scope: Scope
    significant: bool

    def expand(self, text: str, where: str) -> str: ...

    def trace(self, line: str) -> None: ...


def holds(condition: Condition, run: Run, *, top: bool = True) -> bool:
    """The truth of a condition; FilterError where a text does not expand or a number is none."""
    found = _value(condition, run) != condition.negated
    word = "Condition" if top else "Sub-condition"
    run.trace(f"{word} is {'true' if found else 'false'}: {show(condition, top=top)}")
    return found


def _value(condition: Condition, run: Run) -> bool:
    kind = condition.kind
    if kind == "and":
        return all(holds(part, run, top=False) for part in condition.parts)
    if kind == "or":
        return any(holds(part, run, top=False) for part in condition.parts)
    if kind == "text":
        return _text(condition, run)
    if kind == "number":
        first, second = (_number(run.expand(text, "filter file")) for text in (condition.first, condition.second))
        return first > second if condition.word == "above" else first < second
    if kind == "any":
        return _any_address(condition, run)
    if kind == "personal":
        return is_personal(run.scope, condition.aliases)
    if kind == "delivered":
        return run.significant
    message = run.scope.message
    if kind == "error_message":
        return not message.sender
    return message.deliver_first_time if kind == "first_delivery" else message.manual_thaw


def _text(condition: Condition, run: Run) -> bool:
    word = condition.word
    first = run.expand(condition.first, "filter file")
    tainted = isinstance(first, Tainted)
    second = run.expand(condition.second, "filter file")
    if word == "matches":
        return _matches(condition, run, first, second, tainted)
    if not condition.caseful:
        first, second = lower(first), lower(second)
    if word == "is":
        return first == second
    if word == "contains":
        return bool(second) and second in first
    return first.startswith(second) if word == "begins" else first.endswith(second)


def _matches(condition: Condition, run: Run, subject: str, regex: str, tainted: bool) -> bool:
    run.trace(f"Match expanded arguments:\n  Subject = {subject}\n  Pattern = {regex}")
    try:
        compiled = pattern(str(regex), not condition.caseful)
        found = compiled.search(subject)
    except ExpansionFailed as error:
        reason = error.message.partition('": ')[2] or error.message
        raise FilterError(f'error while compiling regular expression "{regex}": {reason}') from None
    except Deferred as error:
        raise FilterError(error.message) from None
    if found is None:
        return False
    run.scope.captures = [Tainted(group) for group in found] if tainted else list(found)
    return True


def _number(text: str) -> int:
    stripped = strip(text)
    sign = -1 if stripped[:1] == "-" else 1
    digits = stripped[1:] if stripped[:1] in ("-", "+") else stripped
    factor = _FACTORS.get(lower(digits[-1:]), 1)
    if factor > 1:
        digits = digits[:-1]
    if not is_digits(digits) or len(digits) > 18:
        raise FilterError(f'malformed numerical string "{text}"')
    return sign * int(digits) * factor


def _any_address(condition: Condition, run: Run) -> bool:
    text = run.expand(condition.first, "filter file")
    for found in parse_address_list(text, allow_domain_literals=True)[:MAX_ADDRESSES]:
        if not isinstance(found, Address):
            continue
        address = f"{found.local_part}@{found.domain}" if found.domain else found.local_part
        run.trace(f"Extracted address {address}")
        run.scope.vars["thisaddress"] = Tainted(address)
        if holds(condition.parts[0], run, top=False):
            return True
    return False

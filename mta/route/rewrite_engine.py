"""Rewriting of one address by a list of rules (manual sections 31.4 to 31.10).

What goes wrong ends the rewriting of that address, keeps what was reached, and is logged in Exim's words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mta.errors import Deferred, ExpansionFailed, ForcedFail
from mta.mail.address import Address, domain_of, local_part_of, lower_domain, parse_address
from mta.mail.recipient import Recipient
from mta.match.addresses import split_pattern
from mta.match.compile import domain_list
from mta.route.rewrite_parser import MAX_REPEATS, Rule
from mta.scope.expansion import Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE
from mta.text.encodings import encode_rfc2047
from mta.text.patterns import pattern as compile_pattern


class Rewritten(NamedTuple):
    """``whole`` is set by the w flag: what replaces the whole item of a header."""

    address: str
    whole: str | None = None


class _Stop(Exception):
    """Rewriting of this address ends here; caught in ``rewrite_one``."""


def rewrite_address(rules: Sequence[Rule], scope: Scope, address: str, context: str) -> str:
    """The address after all rules for ``context``: "F", "T" of the envelope, or a header's b c f r s t."""
    return rewrite_one(rules, scope, address, context).address


def rewrite_one(rules: Sequence[Rule], scope: Scope, address: str, context: str) -> Rewritten:
    """Like ``rewrite_address``, with what the w flag says of the whole item. The null address stays."""
    state = Rewritten(address)
    if not address:
        return state
    with scope.saved("recipient", "captures", "tainted"):
        for rule in rules:
            if context not in rule.contexts:
                continue
            try:
                state, more = _apply(rule, scope, state, context)
            except _Stop:
                break
            if not more:
                break
    return state


def rewrite_smtp(rules: Sequence[Rule], scope: Scope, text: str) -> str:
    """What the S rules make of the argument of MAIL or RCPT, angle brackets included, before anything reads it."""
    return rewrite_one(rules, scope, text, "S").address


def _apply(rule: Rule, scope: Scope, state: Rewritten, context: str) -> tuple[Rewritten, bool]:
    """One rule, repeated where it says so; False when no more rules are to be tried."""
    invoked = False
    for count in range(MAX_REPEATS + 2):
        captures = _match(rule, scope, state.address, context)
        if captures is None:
            break
        invoked = True
        if rule.replacement is None:
            return state, False
        if count > MAX_REPEATS:
            _log(scope, f"rewrite rule repeat ignored after {MAX_REPEATS} times")
            break
        new = _replaced(rule, scope, state, captures, context)
        if new is None:
            break
        state = new
        if not rule.repeat:
            break
    return state, not (invoked and rule.stop)


def _replaced(rule: Rule, scope: Scope, state: Rewritten, captures: list[str], context: str) -> Rewritten | None:
    """The new state; None when the replacement said ``fail``. Raises _Stop after logging what went wrong."""
    old = state.address
    assert rule.replacement is not None
    scope.captures = captures
    if context == "S":
        scope.recipient = Recipient("")
    else:
        scope.recipient = Recipient(old, Tainted(local_part_of(old)), Tainted(domain_of(old)))
    try:
        value = expand_with_taint(rule.replacement, scope)
    except ForcedFail:
        return None
    except (ExpansionFailed, Deferred) as error:
        _log(scope, f"Expansion of {rule.replacement.source} failed while rewriting: {error.message}")
        raise _Stop from None
    options = scope.site.options
    parsed = parse_address(
        value,
        allow_domain_literals=options.allow_domain_literals,
        allow_utf8=options.allow_utf8_domains,
        strip_trailing_dot=options.strip_trailing_dot,
    )
    if not isinstance(parsed, Address):
        _log(scope, f"Rewrite of {old} yielded unparseable address: {parsed.message} in address {value}")
        raise _Stop
    new = parsed.text
    if not parsed.domain:
        if not rule.qualify:
            _log(scope, f'Rewrite of {old} yielded unqualified address "{new}"')
            raise _Stop
        new = f"{new}@{options.qualify_recipient or options.qualify_domain or options.primary_hostname}"
        value = value[: parsed.start] + new + value[parsed.end :]
    if rule.whole:
        return Rewritten(new, _encoded(value, options.headers_charset or "UTF-8"))
    if state.whole is None:
        return Rewritten(new)
    before = parse_address(state.whole)
    if not isinstance(before, Address):
        return Rewritten(new)
    return Rewritten(new, state.whole[: before.start] + new + state.whole[before.end :])


def _log(scope: Scope, line: str) -> None:
    scope.services.log_main(line)
    scope.services.log_panic(line)


_NOT_ASCII = re.compile(r"[^\t -~]")


def _encoded(value: str, charset: str) -> str:
    """A whole replacement for a header: what stands outside the angle brackets in RFC 2047's form where it needs it."""
    opening, closing = value.find("<"), value.rfind(">")
    if opening < 0 or closing < opening or not _NOT_ASCII.search(value):
        return value
    before, after = value[:opening], value[closing + 1 :]
    return f"{_words(before, charset)}{value[opening : closing + 1]}{_words(after, charset)}"


def _words(text: str, charset: str) -> str:
    if not _NOT_ASCII.search(text):
        return text
    bare = text.strip(WHITESPACE)
    at = text.index(bare)
    return f"{text[:at]}{encode_rfc2047(bare, charset)}{text[at + len(bare) :]}"


def _match(rule: Rule, scope: Scope, address: str, context: str) -> list[str] | None:
    """``[$0, $1 ...]`` when the pattern matches, local parts with their case (manual 31.5)."""
    try:
        constant = rule.pattern.constant
        pattern = rule.pattern(scope) if constant is None else constant
        if context == "S":
            return compile_pattern(pattern).search(address)
        if rule.addresses.match(scope, address, caseful=True) is None:
            return None
        return _captures(pattern, scope, address)
    except (ExpansionFailed, Deferred) as error:
        if not isinstance(error, ForcedFail):
            _log(scope, error.message)
        return None


def _captures(pattern: str, scope: Scope, address: str) -> list[str]:
    """What the asterisks, the groups or the partial lookup of a pattern that matched caught."""
    subject = lower_domain(address)
    if pattern.startswith("^"):
        found = compile_pattern(pattern).search(subject) or [subject]
        return [Tainted(address), *map(Tainted, found[1:])]
    captures: list[str] = [Tainted(address)]
    local, domain = (None, "") if pattern.startswith("!") else split_pattern(pattern)
    if local is None and ";" not in pattern:
        domain = pattern
    if local is not None and local.startswith("*"):
        text = local_part_of(subject)
        captures.append(Tainted(text[: len(text) - len(local) + 1]))
    if domain.startswith("*"):
        text = domain_of(subject)
        captures.append(Tainted(text[: len(text) - len(domain) + 1]))
    elif domain.startswith(("^", "partial")) and domain_list(f"<\x1f {domain}").match(scope, domain_of(subject)):
        parts = scope.captures[1:]
        if not parts and domain.startswith("partial"):
            parts = ["", domain_of(subject)]  # the key itself was found, no part of it wild
        captures += parts
    return captures

"""Retry rules with their lists compiled: ``rule.compiled["pattern"]`` and ``["senders"]`` (manual chapter 32)."""

from __future__ import annotations

from collections.abc import Callable

from mta.config.converters import matcher
from mta.hints.rules import RetryRule
from mta.match.compile import address_list
from mta.scope.scope import Scope

_address_list = matcher(address_list)


def compile_rule(rule: RetryRule) -> RetryRule:
    """The rule with its lists compiled; ConfigError for a faulty one."""
    rule.compiled["pattern"] = _address_list(rule.pattern, rule.where)
    if rule.senders is not None:
        rule.compiled["senders"] = _address_list(rule.senders, rule.where)
    return rule


def pattern_matcher(rule: RetryRule, scope: Scope) -> Callable[[str], bool]:
    """Whether an address, or a domain alone, is one that the rule is for."""

    def matches(key: str) -> bool:
        subject = key if "@" in key else f"*@{key}"
        return rule.compiled["pattern"].match(scope, subject) is not None

    return matches


def sender_matches(rule: RetryRule, scope: Scope, sender: str) -> bool:
    """Whether the rule's ``senders`` takes this sender; a rule without takes all."""
    return rule.senders is None or rule.compiled["senders"].match(scope, sender) is not None

"""Retry rules and hints at work for one message (manual chapter 32): ``RetryBook.due``, ``expired``, ``learn``.

Keys are those of mta.mail.outcome.RetryFact. Hints that cannot be read mean "due".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.config.runtime import Runtime
from mta.errors import ExpansionFailed, MtaError
from mta.hints import retry as records
from mta.hints.retry import RetryRecord
from mta.hints.rules import RetryRule, find_rule, next_try
from mta.mail.message import Message
from mta.mail.outcome import RetryFact
from mta.mail.recipient import Recipient
from mta.scope.expansion import AddressList
from mta.scope.scope import Scope

MESSAGE_ERRORS = frozenset({"mail_4xx", "data_4xx", "rcpt_4xx", "quota"})


@dataclass(slots=True)
class RetryBook:
    """``forced``: retry times are not looked at. ``earliest`` is the soonest next try that was learnt or met."""

    runtime: Runtime
    message: Message
    scope: Scope
    forced: bool = False
    clock: Callable[[], float] = time.time
    earliest: float = 0.0
    _seen: dict[str, RetryRecord | None] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)  # keys that failed in this attempt: another's success is no news

    def record(self, key: str) -> RetryRecord | None:
        """What the hints say of a key; read once a delivery."""
        if key not in self._seen:
            expire = self.runtime.config.main.retry_data_expire
            self._seen[key] = records.get(self.runtime.hints, key, now=self.clock(), expire=expire)
        return self._seen[key]

    def due(self, key: str) -> bool:
        """Whether it may be tried now."""
        if self.forced:
            return True
        found = self.record(key)
        if found is None or self.clock() >= found.next_try:
            return True
        if self._too_old(key):
            return True
        self.note(found.next_try)
        return False

    def expired(self, key: str) -> bool:
        """Whether the last cutoff was past at the last failure."""
        found = self.record(key)
        return found is not None and found.expired

    def note(self, when: float) -> None:
        self.earliest = min(self.earliest, when) if self.earliest else when

    def _too_old(self, key: str) -> bool:
        """A message that waits longer than the cutoff is tried even before its time (section 32.11)."""
        rule = self.rule_for(names_of(key, None), "", "")
        return rule is not None and self.clock() - self.message.received_time > rule.cutoff

    def learn(self, recipient: Recipient, facts: list[RetryFact], *, failed: bool) -> bool:
        """Bring the hints up to date; True when a deferred address has run out of time and is to bounce.

        ``failed``: its outcome is a deferral. Without any fact of failure there is nothing to time out.
        """
        bad = [fact for fact in facts if fact.failed]
        for fact in facts:
            if not fact.failed and fact.key not in self._failing and self.record(fact.key) is not None:
                records.forget(self.runtime.hints, fact.key)
                self._seen[fact.key] = None
        expired = [self._failed(recipient, fact) for fact in bad]
        return failed and bool(bad) and all(expired)

    def _failed(self, recipient: Recipient, fact: RetryFact) -> bool:
        now = self.clock()
        self._failing.add(fact.key)
        rule = self.rule_for(names_of(fact.key, recipient), fact.error, fact.detail)
        if rule is None or not rule.algorithms:
            return True
        before = self.record(fact.key)
        first = before.first_failed if before is not None else now
        if fact.error in MESSAGE_ERRORS:
            first = min(first, self.message.received_time or first)
        gap = max(before.next_try - before.last_try, 0.0) if before is not None else 0.0
        following, expired = next_try(
            rule,
            now=now,
            first_failed=first,
            last_gap=gap,
            interval_max=self.runtime.config.main.retry_interval_max,
        )
        if not expired and now - (self.message.received_time or now) > rule.cutoff:
            return True  # this message is out of time; what others find is left alone (section 32.11)
        record = RetryRecord(first, now, following, expired, fact.errno, fact.more_errno, fact.text)
        records.put(self.runtime.hints, fact.key, record)
        self._seen[fact.key] = record
        self.note(following)
        return expired

    def rule_for(self, names: list[str], error: str, detail: str) -> RetryRule | None:
        """The first retry rule for these hosts, domains or addresses."""
        return find_rule(
            self.runtime.config.retry_rules,
            names,
            error,
            detail,
            lambda rule, name: self._matches(rule, "pattern", rule.pattern, name if "@" in name else f"*@{name}"),
            lambda rule: self._matches(rule, "senders", rule.senders or "", self.message.sender),
        )

    def _matches(self, rule: RetryRule, which: str, text: str, subject: str) -> bool:
        try:
            compiled: AddressList | None = rule.compiled.get(which)
            if compiled is None:
                compiled = rule.compiled[which] = compile_list(self.scope, text)
            return compiled.match(self.scope, subject) is not None
        except MtaError as error:
            self.runtime.log.main(f"retry rule {rule.pattern}: {error}", self.message.id)
            return False


def compile_list(scope: Scope, text: str) -> AddressList:
    """The pattern or sender list of a rule as an address list."""
    from mta.match.compile import address_list

    if not text:
        raise ExpansionFailed("empty pattern")
    return address_list(scope.services.compile_text(text))


def names_of(key: str, recipient: Recipient | None) -> list[str]:
    """What a retry key is searched for in the rules: host and domain for hosts, else the address or domain itself."""
    kind, _, rest = key.partition(":")
    if "@" in rest:
        return [rest.partition(":")[0]]
    if kind == "R" or ":" not in rest:
        return [rest]
    host = rest.partition(":")[0]
    domain = recipient.domain if recipient is not None else ""
    return [host, domain] if domain else [host]

"""pyspf's evaluator, asking through one Asker of ours: an object an evaluation, nothing shared between threads.

Importing this module imports pyspf and dnspython; ``emailauth.spf`` does so when it is first used.
"""

from __future__ import annotations

import warnings
from typing import Any

from mta.emailauth.asker import Asker, Deadline, OutOfTime
from mta.net.records import domain_text
from mta.text.ascii import lower

with warnings.catch_warnings():
    # its sources hold escapes that newer compilers warn of
    warnings.simplefilter("ignore")
    import spf

TempError = spf.TempError
PermError = spf.PermError

MAX_RECORD = 16_384  # bytes; the checks of pyspf grow with the square of the number of terms
MAX_TERM = 1_024  # bytes of one term or explanation before its macros are expanded
MAX_NAME = 253


class Query(spf.query):  # type: ignore[misc]
    """One evaluation. All questions go through ``dns``; the other overrides are where pyspf and RFC 7208 differ."""

    def __init__(self, asker: Asker, deadline: Deadline, ip: str, sender: str, helo: str, receiver: str) -> None:
        super().__init__(i=ip, s=sender, h=helo, receiver=receiver, strict=True, querytime=0)
        self._asker = asker
        self._deadline = deadline
        self._answers: dict[tuple[str, str], list[Any]] = {}

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """The values of one question, CNAMEs followed by the resolver; TempError when nobody could say."""
        name = lower(str(name).removesuffix("."))
        if not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        found = self._answers.get((name, qtype))
        if found is None:
            found = self._answers[name, qtype] = self._ask(name, qtype)
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise PermError(f"Void lookup limit of {spf.MAX_VOID_LOOKUPS} exceeded")
        return found

    def _ask(self, name: str, qtype: str) -> list[Any]:
        try:
            answer = self._deadline.ask(self._asker, name, qtype)
        except OutOfTime:
            raise TempError("DNS: the evaluation took too long") from None
        if answer.status == "again":
            raise TempError(f"DNS {answer.error or 'no answer'}", f"{name} {qtype}")
        return [_value(record, qtype) for record in answer.records]

    def dns_spf(self, domain: str) -> str | None:
        record: str | None = super().dns_spf(domain)
        if record is not None and len(record) > MAX_RECORD:
            raise PermError("SPF record is too long", domain)
        return record

    def validated_ptrs(self) -> list[str]:
        """RFC 7208 5.5: an error in the PTR question is no match, one in a name's addresses skips that name."""
        try:
            names = self.dns_ptr(self.i)[: spf.MAX_PTR]
        except TempError:
            return []
        good = []
        for name in names:
            try:
                addresses = self.dns_a(name, self.A)
            except TempError:
                continue
            if self.cidrmatch(addresses, self.cidrmax):
                good.append(name)
        return good

    def expand(self, text: str, stripdot: bool = True) -> str:
        if len(text) > MAX_TERM:
            raise PermError("term is too long", text[:40])
        if not stripdot:
            # word by word: pyspf shortens everything long as if it were a domain name
            return " ".join([super(Query, self).expand(word, False) for word in text.split(" ")])
        result: str = super().expand(text, stripdot)
        while len(result) > MAX_NAME and "." in result:  # RFC 7208 7.3
            result = result.partition(".")[2]
        return result


def transformed(value: str, letter: str, how: str) -> str:
    """A macro's value with its transformers (RFC 7208 7.1): ``2r-`` keeps the last two of its reversed parts."""
    return str(spf.expand_one(value, how, spf.JOINERS.get(letter)))


def _value(record: Any, qtype: str) -> Any:
    """A record in pyspf's shapes."""
    if qtype in ("A", "AAAA"):
        return str(record.address)
    if qtype == "MX":
        name = domain_text(record.exchange)
        return record.preference, "" if name == "." else name  # the null MX has no addresses
    if qtype == "PTR":
        return domain_text(record.target)
    return tuple(record.strings)

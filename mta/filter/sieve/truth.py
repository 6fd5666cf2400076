"""The tests of a Sieve script, evaluated against a message: ``holds(test, run)``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from mta.filter.sieve import notify
from mta.filter.sieve.matching import matches
from mta.filter.sieve.tree import (
    AddressPart,
    AddressTest,
    Constant,
    Exists,
    HeaderTest,
    Match,
    Not,
    NotifyCapability,
    Several,
    SieveError,
    Size,
    StringTest,
    Test,
    ValidNotify,
)
from mta.mail.address import Address, parse_address_list
from mta.scope.scope import Scope
from mta.text.ascii import lower, strip
from mta.text.encodings import decode_rfc2047


class Run(Protocol):
    """What tests need of a run."""

    scope: Scope
    matched: list[str]

    def text(self, text: str) -> str: ...

    def user_and_detail(self, local_part: str, domain: str) -> tuple[str, str | None]: ...


def holds(test: Test, run: Run) -> bool:
    """allof and anyof look no further than they must. SieveError where a variable makes nonsense of an argument."""
    match test:
        case Constant(value):
            return value
        case Not(inner):
            return not holds(inner, run)
        case Several(whole, tests):
            return all(holds(one, run) for one in tests) if whole else any(holds(one, run) for one in tests)
        case Exists(headers):
            return all(run.scope.message.headers.named(run.text(name)) for name in headers)
        case Size(over, limit):
            size = run.scope.message.message_size
            return size > limit if over else size < limit
        case HeaderTest(how, headers, keys):
            return _any(how, _header_values(run, headers), keys, run)
        case AddressTest():
            return _address(test, run)
        case StringTest(how, sources, keys):
            return _any(how, (run.text(source) for source in sources), keys, run)
        case ValidNotify(methods):
            return all(notify.parse_method(run.text(method)) is not None for method in methods)
        case NotifyCapability(how, method, capability, keys):
            known = notify.parse_method(run.text(method)) is not None and lower(run.text(capability)) == "online"
            return known and _any(how, ["maybe"], keys, run)


def _any(how: Match, values: Iterable[str], keys: Sequence[str], run: Run) -> bool:
    wanted = [run.text(key) for key in keys]
    for value in values:
        for key in wanted:
            found = matches(how, value, key)
            if found is not None:
                if how.type == "matches":
                    run.matched = found
                return True
    return False


def unfolded(value: str) -> str:
    """A field's value on one line, without white space around it, encoded words as UTF-8."""
    text = strip(value.replace("\r\n", "\n").replace("\n\t", "\t").replace("\n ", " "))
    return decode_rfc2047(text, "UTF-8", zero="\0").text if "=?" in text else text


def _header_values(run: Run, names: Iterable[str]) -> Iterable[str]:
    for name in names:
        for line in run.scope.message.headers.named(run.text(name)):
            yield unfolded(line.value)


def _address(test: AddressTest, run: Run) -> bool:
    if test.envelope:
        return _any(test.match, _envelope_values(test, run), test.keys, run)
    return _any(test.match, _field_values(test, run), test.keys, run)


def _field_values(test: AddressTest, run: Run) -> Iterable[str]:
    for name in test.names:
        for line in run.scope.message.headers.named(run.text(name)):
            for found in parse_address_list(line.value, allow_domain_literals=True):
                if isinstance(found, Address):
                    value = part_of(test.part, found.local_part, found.domain, run)
                    if value is not None:
                        yield value


def _envelope_values(test: AddressTest, run: Run) -> Iterable[str]:
    for name in test.names:
        which = lower(run.text(name))
        if which == "from":
            address = run.scope.message.sender
        elif which == "to":
            recipient = run.scope.recipient
            address = recipient.address if recipient is not None else ""
        else:
            raise SieveError("invalid envelope string", test.line)
        local_part, _, domain = address.rpartition("@")
        if not address:
            if test.part in ("all", "localpart"):
                yield ""
            continue
        value = part_of(test.part, local_part, domain, run)
        if value is not None:
            yield value


def part_of(part: AddressPart, local_part: str, domain: str, run: Run) -> str | None:
    """RFC 5228 section 2.7.4 and RFC 5233 section 4; None where there is no such part."""
    if part == "localpart":
        return local_part
    if part == "domain":
        return domain
    if part == "all":
        return f"{local_part}@{domain}" if domain else local_part
    user, detail = run.user_and_detail(local_part, domain)
    return user if part == "user" else detail

"""dnslists: the client's address, or names and addresses given, are in a DNS list (manual chapter 44.27-37)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple

from mta.acl.run import Run
from mta.acl.statements import Act, Clause, Result, condition
from mta.errors import Deferred
from mta.scope.expansion import Tainted
from mta.text.lists import split_list

MAX_QUERIES = 200  # DNS questions that one condition may ask
_STRANGE = re.compile(r"[^A-Za-z0-9._-]")
_TEST = re.compile(r"(!)?(==|=&|=|&)")
_UNKNOWN = {"+include_unknown": Result.OK, "+exclude_unknown": Result.FAIL, "+defer_unknown": Result.DEFER}
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


class Answered(NamedTuple):
    """A question's result: ``addresses`` of 127/8 only, ``discarded``: there were others; ``failed``: no answer."""

    addresses: tuple[str, ...]
    failed: bool
    discarded: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One list with what is asked of it. ``masks``: the test is a bitwise and; ``every``: of all addresses."""

    domain: str  # what $dnslist_domain and TXT use
    first_domain: str  # what is asked first; the same unless two were given
    keys: str | None  # None: the client's address
    values: tuple[str, ...] = ()
    masks: bool = False
    every: bool = False
    negated: bool = False
    test: str = ""  # as written, for the trace


@condition("dnslists")
def make(clause: Clause) -> Act:
    constant = clause.text.constant if clause.text is not None else None
    parsed = parse(constant) if constant is not None else None

    def act(run: Run, argument: str) -> Result:
        on_unknown = Result.FAIL
        budget = [MAX_QUERIES]
        for text, item in parse(argument) if parsed is None else parsed:
            run.trace(f"dnslists check: {text}")
            if item is None:
                if text in _UNKNOWN:
                    on_unknown = _UNKNOWN[text]
                else:
                    run.scope.services.log_main(f"unknown item in dnslist (ignored): {text}")
                continue
            result = _one(run, item, on_unknown, budget)
            if result is not Result.FAIL:
                return result
        return Result.FAIL

    return act


def parse(argument: str) -> list[tuple[str, Item | None]]:
    """The items of the list, each with its text; None for one of the ``+word`` settings."""
    out: list[tuple[str, Item | None]] = []
    for text in split_list(argument):
        out.append((text, None if text.startswith("+") else _parse_item(text)))
    return out


def _parse_item(text: str) -> Item:
    head, slash, keys = text.partition("/")
    match = _TEST.search(head)
    values: tuple[str, ...] = ()
    test = operator = ""
    negated = False
    if match:
        test = head[match.start() :]
        values = tuple(value.strip(" \t") for value in head[match.end() :].split(",") if value.strip(" \t"))
        negated, operator = match.group(1) is not None, match.group(2)
        head = head[: match.start()]
    domain, comma, first = head.partition(",")
    domain, first = domain.strip(" \t"), first.strip(" \t")
    return Item(
        domain,
        first if comma else domain,
        keys if slash else None,
        values,
        masks=operator.endswith("&"),
        every=operator in ("==", "=&"),
        negated=negated,
        test=test,
    )


def _one(run: Run, item: Item, on_unknown: Result, budget: list[int]) -> Result:
    for domain in {item.domain, item.first_domain}:
        if _STRANGE.search(domain):
            text = f'dnslists domain "{domain}" contains strange characters - is this right?'
            run.scope.services.log_main(text)
    if item.keys is None:
        if not run.scope.peer.address:
            return Result.FAIL
        keys = [run.scope.peer.address]
    else:
        keys = split_list(item.keys)
    deferred = False
    for key in keys:
        result = _key(run, item, key, on_unknown, budget)
        if result is Result.OK:
            return Result.OK
        deferred = deferred or result is Result.DEFER
    if deferred:
        return run.defer(None)
    return Result.FAIL


_ASSUMED = {Result.OK: "assumed in list", Result.FAIL: "assumed not in list", Result.DEFER: "returned DEFER"}


def _key(run: Run, item: Item, key: str, on_unknown: Result, budget: list[int]) -> Result:
    prefix = reversed_address(key) or key
    name = f"{prefix}.{item.first_domain}"
    found = _ask(run, name, key, item.first_domain, budget)
    if found.failed:
        line = f"DNS list lookup defer (probably timeout) for {name}: {_ASSUMED[on_unknown]}"
        run.scope.services.log_main(line)
        if on_unknown is Result.OK:
            run.trace(f"=> that means {key} is listed at {item.domain}")
            _set_variables(run, item.domain, key, (), prefix, budget)
        return on_unknown
    if not found.addresses:
        if not found.discarded:
            run.trace(f"=> that means {key} is not listed at {item.first_domain}")
        return Result.FAIL
    if not accepts(item, found.addresses):
        run.trace("=> but we are not accepting this block class because")
        run.trace(f"=> there was {_why_not(item)}")
        return Result.FAIL
    addresses = found.addresses
    if item.domain != item.first_domain:
        again = _ask(run, f"{prefix}.{item.domain}", key, item.domain, budget)
        if not again.addresses:
            run.trace(f"=> that means {key} is not listed at {item.domain}")
            return on_unknown if again.failed else Result.FAIL
        addresses = again.addresses
    run.trace(f"=> that means {key} is listed at {item.domain}")
    _set_variables(run, item.domain, key, addresses, prefix, budget)
    return Result.OK


def _why_not(item: Item) -> str:
    test = item.test.removeprefix("!")
    if item.every:
        return f"{'no' if item.negated else 'an'} IP address that did not match for {test}"
    return f"{'an exclude' if item.negated else 'no'} match for {test}"


def accepts(item: Item, addresses: tuple[str, ...]) -> bool:
    """Whether what a list answered passes the item's ``=``, ``&``, ``==``, ``=&`` test."""
    if not item.values:
        return True
    hits = [any(_equals(address, value, item.masks) for value in item.values) for address in addresses]
    return (all(hits) if item.every else any(hits)) is not item.negated


def _equals(address: str, value: str, masked: bool) -> bool:
    if not masked:
        return address == value
    try:
        mask = int(ipaddress.IPv4Address(value))
    except ValueError:
        return False
    return int(ipaddress.IPv4Address(address)) & mask == mask


def reversed_address(text: str) -> str | None:
    """An IP address turned round for a look-up, IPv6 by nibbles; None for other text."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return ".".join(reversed(str(address).split(".")))
    return ".".join(reversed(address.exploded.replace(":", "")))


def _ask(run: Run, name: str, key: str, domain: str, budget: list[int]) -> Answered:
    """Ask for addresses; the resolver's cache keeps the answers for their TTL."""
    budget[0] -= 1
    if budget[0] < 0:
        raise Deferred("too many DNS look-ups in one dnslists condition")
    resolver = run.scope.services.resolver
    if resolver is None:
        return Answered((), True)
    run.trace(f"new DNS lookup for {name}")
    answer = resolver.query(name, "A")
    if answer.status == "again":
        return Answered((), True)
    texts = answer.texts() if answer.ok else []
    if not texts:
        run.trace(f"DNS lookup for {name} failed")
        return Answered((), False)
    run.trace(f"DNS lookup for {name} succeeded (yielding {', '.join(texts)})")
    inside = tuple(text for text in texts if ipaddress.IPv4Address(text) in _LOOPBACK)
    for text in texts:
        if text not in inside:
            line = f"DNS list lookup for {key} at {domain} returned {text}; not in 127.0/8 and discarded"
            run.scope.services.log_main(line)
    return Answered(inside, False, bool(texts))


def _set_variables(run: Run, domain: str, key: str, addresses: tuple[str, ...], prefix: str, budget: list[int]) -> None:
    variables = run.scope.vars
    variables["dnslist_domain"] = domain
    variables["dnslist_matched"] = Tainted(key)
    variables["dnslist_value"] = ", ".join(addresses)
    variables["dnslist_text"] = Tainted(_text(run, f"{prefix}.{domain}", budget))


def _text(run: Run, name: str, budget: list[int]) -> str:
    resolver = run.scope.services.resolver
    budget[0] -= 1
    if resolver is None or budget[0] < 0:
        return ""
    answer = resolver.query(name, "TXT")
    if not answer.ok:
        return ""
    strings = getattr(answer.records[0], "strings", ())
    return b"".join(strings).decode("latin-1")

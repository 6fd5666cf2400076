"""Adding an ARC set to a message that goes on (RFC 8617 5.1): what the option arc_sign asks for.

``arc_sign = authserv-id : selector : private key [: timestamps, expire[=[+]seconds]]``. All Authentication-Results
lines under that authserv-id go into the set.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mta.emailauth.arc import MAX_SETS, ArcSet, Chain, read_chain, sealed_lines, verify_chain
from mta.emailauth.asker import Asker
from mta.emailauth.dkim_canon import BodyForm, BodyHashes
from mta.emailauth.dkim_keys import BadPrivateKey, PrivateKey, private_key
from mta.emailauth.dkim_sign import SIGN_HEADERS, Fold, chosen_headers, finish
from mta.emailauth.tags import domain
from mta.errors import MtaError
from mta.text.ascii import lower, strict_int
from mta.text.lists import split_list

MONTH = 30 * 86_400
# DKIM's headers, all that are there, and the signatures; Authentication-Results lines do not live long enough.
_SIGNED = [f"={name}" for name in SIGN_HEADERS.split(":")] + ["=DKIM-Signature"]
_ARC_WORD = re.compile(r"(?:^|[;\s])arc=([a-z]+)", re.ASCII | re.IGNORECASE)


class CannotSeal(MtaError):
    """There is nothing to seal, or no way to; the message goes without."""


@dataclass(slots=True)
class Seal:
    """``timestamp`` and ``expires`` in seconds since the epoch, -1 for no t= and x=."""

    identity: str
    selector: str
    key: PrivateKey
    timestamp: int = -1
    expires: int = -1


def parse_options(text: str, now: float, cache: dict[Any, Any]) -> Seal:
    """The expanded option; ``cache`` is that of dkim_keys.private_key. Raises CannotSeal."""
    items = split_list(text)
    if len(items) < 3 or not all(items[:3]):
        raise CannotSeal("arc_sign needs an identity, a selector and a private key")
    identity, selector = lower(items[0]), items[1]
    if not domain(identity) or not domain(selector):
        raise CannotSeal("identity and selector of arc_sign must be domain names")
    try:
        seal = Seal(identity, selector, private_key(items[2], cache))
    except BadPrivateKey as error:
        raise CannotSeal(str(error)) from None
    for option in "".join(items[3:4]).split(","):
        name, equals, value = option.strip(" \t").partition("=")
        if name == "timestamps":
            seal.timestamp = int(now)
        elif name == "expire":
            number = strict_int(value.lstrip("+")) if equals else MONTH
            if number is None:
                raise CannotSeal(f"expire of arc_sign is no number: {value}")
            seal.expires = int(now) + number if not equals or value.startswith("+") else number
        elif name:
            raise CannotSeal(f"unknown option of arc_sign: {name}")
    return seal


def seal(
    options: Seal,
    lines: Sequence[str],
    hashes: BodyHashes,
    asker: Asker | None,
    body: Callable[[], Iterable[bytes]],
) -> list[str]:
    """The new ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results lines, in that order, LF folds.

    ``hashes`` has the relaxed SHA-256 form of the body. The state of the chain so far is what our
    Authentication-Results say of it; only when they say nothing is it verified here. Raises CannotSeal.
    """
    ours = [line for line in lines if _is_ours(line, options.identity)]
    if not ours:
        raise CannotSeal(f"no Authentication-Results line of {options.identity} to seal")
    chain = read_chain(lines)
    if chain.state == "fail" or chain.sealed_as_failed:
        raise CannotSeal(f"the chain is broken: {chain.reason or 'it was sealed as failed'}")
    state = _state(chain, ours, lines, asker, body)
    instance = chain.highest + 1
    if instance > MAX_SETS:
        raise CannotSeal(f"the chain has {MAX_SETS} sets already")
    try:
        return _make(options, lines, hashes, chain, state, ours, instance)
    except BadPrivateKey as error:
        raise CannotSeal(str(error)) from None


def _make(
    options: Seal,
    lines: Sequence[str],
    hashes: BodyHashes,
    chain: Chain,
    state: str,
    ours: list[str],
    instance: int,
) -> list[str]:
    new = ArcSet(instance)
    new.results = f"ARC-Authentication-Results: i={instance}; {options.identity}" + _results(ours)
    algorithm = options.key.algorithm("sha256")
    fold = Fold(f"ARC-Message-Signature: i={instance};")
    for tag in (f"a={algorithm};", "c=relaxed/relaxed;", f"d={options.identity};", f"s={options.selector};"):
        fold.tag(tag)
    if options.timestamp >= 0:
        fold.tag(f"t={options.timestamp};")
    if options.expires >= 0:
        fold.tag(f"x={options.expires};")
    names, taken = chosen_headers(lines, _SIGNED)
    fold.names("h=", names)
    digest = hashes.digest(BodyForm(True, "sha256"))
    assert digest is not None
    fold.tag(f"bh={base64.b64encode(digest).decode('ascii')};", breakable=True)
    new.signature = finish(fold, options.key, "sha256", taken, relaxed=True)
    fold = Fold(f"ARC-Seal: i={instance};")
    for tag in (f"cv={state};", f"a={algorithm};", f"d={options.identity};", f"s={options.selector};"):
        fold.tag(tag)
    if options.timestamp >= 0:
        fold.tag(f"t={options.timestamp};")
    # a failed chain is sealed alone (RFC 8617 5.1.2)
    before = [] if state == "fail" else chain.sets
    new.seal = finish(fold, options.key, "sha256", sealed_lines(before, new), relaxed=True)
    return [new.seal, new.signature, new.results]


def _state(
    chain: Chain, ours: list[str], lines: Sequence[str], asker: Asker | None, body: Callable[[], Iterable[bytes]]
) -> str:
    if not chain.sets:
        return "none"
    said = _said(ours)
    if said in ("pass", "fail"):
        return said
    if asker is None:
        raise CannotSeal("nobody has verified the chain")
    found = verify_chain(lines, body, asker)
    if found.temporary:
        raise CannotSeal(f"the chain cannot be verified now: {found.reason}")
    return found.state


def _is_ours(line: str, identity: str) -> bool:
    name, _, value = line.partition(":")
    if lower(name.rstrip(" \t")) != "authentication-results":
        return False
    words = value.partition(";")[0].split()
    return bool(words) and lower(words[0].strip('"')) == identity


def _said(ours: list[str]) -> str:
    """What the topmost of our lines that speaks of ARC says of the chain."""
    for line in ours:
        match = _ARC_WORD.search(line.partition(":")[2])
        if match:
            return lower(match.group(1))
    return ""


def _results(ours: list[str]) -> str:
    """The results of all our lines, one list."""
    parts = [line.partition(":")[2].partition(";")[2].strip(" \t\n").rstrip(";") for line in ours]
    kept = [part for part in parts if part and lower(part) != "none"]
    return "".join(f";\n\t{part}" for part in kept or ["none"]) + "\n"

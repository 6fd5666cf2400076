"""Validation of an Authenticated Received Chain (RFC 8617 5.2): is what earlier hosts said of this message intact?

``verify_chain`` gives a Chain whatever the header holds; at most 50 sets are looked at, the body is read once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mta.emailauth.asker import Asker, Deadline
from mta.emailauth.dkim_canon import HeaderLines, hash_body, header_bytes
from mta.emailauth.dkim_keys import KeyProblem, PublicKey, fetch
from mta.emailauth.dkim_signature import Signature, parse_signature
from mta.emailauth.dkim_verify import DNS_SECONDS, Policy
from mta.emailauth.tags import BadTags, decoded, domain, emptied, parse_tags, without_folds
from mta.text.ascii import lower, strict_int

MAX_SETS = 50
_INSTANCE = re.compile(r"[ \t\n]*i[ \t\n]*=[ \t\n]*([0-9]{1,3})[ \t\n]*;")
_RESULTS, _SIGNATURE, _SEAL = "arc-authentication-results", "arc-message-signature", "arc-seal"


@dataclass(slots=True)
class ArcSet:
    """One instance. Lines are whole header lines; ``seal_tags`` are those of ``seal``."""

    instance: int
    results: str = ""
    signature: str = ""
    seal: str = ""
    seal_tags: dict[str, str] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return lower(without_folds(self.seal_tags.get("d", "")))


@dataclass(slots=True)
class Chain:
    """``state``: none, pass or fail, with the ``reason`` of a fail; ``oldest_pass`` is the lowest instance whose
    message signature is still good, with those above it, 0 when there is none. ``highest``: the last instance."""

    state: str
    reason: str = ""
    domains: list[str] = field(default_factory=list)
    oldest_pass: int = 0
    highest: int = 0
    sets: list[ArcSet] = field(default_factory=list)
    temporary: bool = False

    @property
    def sealed_as_failed(self) -> bool:
        """The last seal says that the chain was broken already: nothing may be added."""
        return bool(self.sets) and lower(self.sets[-1].seal_tags.get("cv", "")) == "fail"


class _Broken(Exception):
    def __init__(self, reason: str, *, temporary: bool = False) -> None:
        super().__init__(reason)
        self.temporary = temporary


class _Keys:
    """The keys asked for so far; sets of one host often share theirs."""

    def __init__(self, asker: Asker, policy: Policy) -> None:
        self._asker, self._policy = asker, policy
        self._deadline = Deadline(DNS_SECONDS)
        self._found: dict[tuple[str, str], PublicKey | KeyProblem] = {}

    def key(self, selector: str, name: str, key_type: str, hash_name: str) -> PublicKey:
        if hash_name != "sha256" or key_type not in self._policy.key_types:
            raise _Broken(f"algorithm {key_type}-{hash_name} is not accepted"[:80])
        pair = (selector, name)
        if pair not in self._found:
            try:
                self._found[pair] = fetch(selector, name, self._asker, self._deadline)
            except KeyProblem as problem:
                self._found[pair] = problem
        found = self._found[pair]
        if isinstance(found, KeyProblem):
            raise _Broken(found.detail, temporary=found.temporary)
        if found.kind != key_type or (found.hashes and hash_name not in found.hashes):
            raise _Broken("the key is not for this algorithm")
        if found.bits < self._policy.minimum_bits.get(found.kind, 0):
            raise _Broken(f"the key has only {found.bits} bits")
        return found


def read_chain(lines: Sequence[str]) -> Chain:
    """The sets as they stand, nothing verified: state "none" without any, "fail" when they cannot be told apart."""
    chain = Chain("none")
    try:
        _fill(chain, HeaderLines(lines))
    except _Broken as broken:
        chain.state, chain.reason = "fail", str(broken)
    return chain


def _fill(chain: Chain, headers: HeaderLines) -> None:
    chain.sets = _collect(headers)
    chain.highest = chain.sets[-1].instance if chain.sets else 0
    chain.domains = [item.domain for item in chain.sets if item.domain]


def verify_chain(
    lines: Sequence[str], body: Callable[[], Iterable[bytes]], asker: Asker, policy: Policy | None = None
) -> Chain:
    """``lines``: header lines as received, byte text with LF ends; ``body``: its pieces, from the start."""
    headers = HeaderLines(lines)
    chain = Chain("none")
    try:
        _fill(chain, headers)
        if not chain.sets:
            return chain
        _check_structure(chain.sets)
        keys = _Keys(asker, policy or Policy())
        _check_signatures(chain, headers, body, keys)
        for count in range(len(chain.sets), 0, -1):
            _check_seal(chain.sets[:count], keys)
    except _Broken as broken:
        chain.state, chain.reason, chain.temporary = "fail", str(broken), broken.temporary
        return chain
    chain.state = "pass"
    return chain


def _collect(headers: HeaderLines) -> list[ArcSet]:
    """The sets by instance, each with one line of a kind."""
    sets: dict[int, ArcSet] = {}
    for name, attribute in ((_RESULTS, "results"), (_SIGNATURE, "signature"), (_SEAL, "seal")):
        found = headers.named(name)
        if len(found) > MAX_SETS:
            raise _Broken(f"more than {MAX_SETS} sets")
        for line in found:
            value = line.partition(":")[2]
            instance = _instance(value) if name == _RESULTS else _tag_instance(value)
            if not 0 < instance <= MAX_SETS:
                raise _Broken(f"{name} without a good i=")
            entry = sets.setdefault(instance, ArcSet(instance))
            if getattr(entry, attribute):
                raise _Broken(f"two {name} lines with i={instance}")
            setattr(entry, attribute, line)
            if name == _SEAL:
                entry.seal_tags = parse_tags(value)  # _tag_instance has seen that it can be done
    return [sets[instance] for instance in sorted(sets)]


def _instance(value: str) -> int:
    match = _INSTANCE.match(value)
    return int(match.group(1)) if match else 0


def _tag_instance(value: str) -> int:
    try:
        return strict_int(parse_tags(value).get("i", "")) or 0
    except BadTags as bad:
        raise _Broken(f"tag list: {bad}") from None


def _check_structure(sets: list[ArcSet]) -> None:
    if sets[-1].seal_tags.get("cv") == "fail":
        raise _Broken(f"the chain was sealed as failed at i={sets[-1].instance}")
    for expected, item in enumerate(sets, 1):
        if item.instance != expected:
            raise _Broken(f"set i={expected} is missing")
        if not (item.results and item.signature and item.seal):
            raise _Broken(f"set i={expected} is not whole")
        wanted = "none" if expected == 1 else "pass"
        if lower(item.seal_tags.get("cv", "")) != wanted:
            raise _Broken(f"cv= of i={expected} is not {wanted}")
        if "h" in item.seal_tags or "bh" in item.seal_tags:
            raise _Broken(f"the seal of i={expected} has h= or bh=")


def _check_signatures(chain: Chain, headers: HeaderLines, body: Callable[[], Iterable[bytes]], keys: _Keys) -> None:
    """The newest message signature must be good; older ones are to be when nobody has changed the message."""
    parsed = [parse_signature(item.signature, arc=True) for item in chain.sets]
    usable = {signature.body_form for signature in parsed if not signature.fault}
    hashes = hash_body(body() if usable else (), usable)
    for item, signature in zip(reversed(chain.sets), reversed(parsed), strict=True):
        try:
            if signature.fault:
                raise _Broken(signature.detail)
            if hashes.digest(signature.body_form) != signature.body_hash:
                raise _Broken("the body has been changed")
            _check_header(signature, headers, keys)
        except _Broken as broken:
            if item is chain.sets[-1]:
                raise _Broken(f"message signature i={item.instance}: {broken}", temporary=broken.temporary) from None
            return
        chain.oldest_pass = item.instance


def _check_header(signature: Signature, headers: HeaderLines, keys: _Keys) -> None:
    result = signature.result
    key = keys.key(result.selector, result.domain, signature.key_type, signature.hash_name)
    data = header_bytes(
        headers.chosen(signature.header_names), emptied(signature.line), relaxed=signature.relaxed_headers
    )
    if not key.verifies(signature.signature, data, signature.hash_name):
        raise _Broken("the header has been changed")


def _check_seal(sets: list[ArcSet], keys: _Keys) -> None:
    last = sets[-1]
    tags = last.seal_tags
    where = f"seal i={last.instance}"
    try:
        algorithm = lower(without_folds(tags.get("a", "")))
        selector = without_folds(tags.get("s", ""))
        if not domain(last.domain) or not domain(selector):
            raise _Broken("d= or s= is no domain")
        key_type, _, hash_name = algorithm.partition("-")
        key = keys.key(selector, last.domain, key_type, hash_name)
        if not key.verifies(decoded(tags.get("b", "")), sealed_bytes(sets[:-1], last), hash_name):
            raise _Broken("does not verify")
    except BadTags as bad:
        raise _Broken(f"{where}: {bad}") from None
    except _Broken as broken:
        raise _Broken(f"{where}: {broken}", temporary=broken.temporary) from None


def sealed_bytes(before: Sequence[ArcSet], last: ArcSet) -> bytes:
    """What a seal is made over (RFC 8617 5.1.1): all sets up to its own, its b= empty."""
    lines = sealed_lines(before, last)
    return header_bytes(lines, emptied(last.seal), relaxed=True)


def sealed_lines(before: Sequence[ArcSet], last: ArcSet) -> list[str]:
    """The lines before the last seal, in the order of the hash."""
    lines = [line for item in before for line in (item.results, item.signature, item.seal)]
    return [*lines, last.results, last.signature]

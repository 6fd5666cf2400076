"""Verification of the DKIM signatures of a message (RFC 6376, 8301, 8463; manual section 58.3).

``verify_message`` gives a DkimResult for each signature, whatever is in it, in bounded time. The body is read once,
and only when there is a signature that can be verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mta.emailauth.asker import Asker, Deadline
from mta.emailauth.dkim_canon import BodyHashes, HeaderLines, hash_body, header_bytes
from mta.emailauth.dkim_keys import KeyProblem, PublicKey, fetch
from mta.emailauth.dkim_signature import Signature, parse_signature
from mta.emailauth.tags import emptied
from mta.mail.authentication import DkimResult

MAX_SIGNATURES = 20  # of one message; those further down are not looked at
DNS_SECONDS = 20.0  # for all keys of one message


class Fault(NamedTuple):
    """What a kind of failure is called: status and reason of the variables, words of the log and of results lines."""

    status: str
    reason: str
    log: str
    comment: str


_TAGS = "signature tag missing or invalid"
_KEY = Fault("invalid", "", "invalid - syntax error in public key record", "public key record import problem")
FAULTS: dict[str, Fault] = {
    "signature_tags": Fault("invalid", "", f"invalid - {_TAGS}", _TAGS),
    "version": Fault("invalid", "", "invalid - unsupported DKIM version", "unsupported DKIM version"),
    "algorithm": Fault("invalid", "", "invalid - algorithm not accepted", "algorithm not accepted"),
    "pubkey_unavailable": Fault(
        "invalid", "pubkey_unavailable", "invalid - public key record (currently?) unavailable", "pubkey unavailable"
    ),
    "pubkey_dns_syntax": _KEY._replace(reason="pubkey_dns_syntax"),
    "pubkey_der_syntax": _KEY._replace(reason="pubkey_der_syntax"),
    "bodyhash_mismatch": Fault(
        "fail",
        "bodyhash_mismatch",
        "verification failed - body hash mismatch (body probably modified in transit)",
        "body hash mismatch; body probably modified in transit",
    ),
    "signature_incorrect": Fault(
        "fail",
        "signature_incorrect",
        "verification failed - signature did not verify (headers probably modified in transit)",
        "signature did not verify; headers probably modified in transit",
    ),
    "pubkey_too_short": Fault(
        "fail",
        "pubkey_too_short",
        "verification failed - signature invalid (key too short)",
        "public key too short",
    ),
    "expired": Fault("fail", "signature_expired", "verification failed - signature has expired", "signature expired"),
    "key_restricted": Fault(
        "fail", "pubkey_restricted", "verification failed - the key may not be used so", "key may not be used so"
    ),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What is accepted: dkim_verify_hashes, _keytypes, _min_keysizes (bits), _minimal (stop after one passes)."""

    hashes: tuple[str, ...] = ("sha256", "sha512")
    key_types: tuple[str, ...] = ("ed25519", "rsa")
    minimum_bits: Mapping[str, int] = field(default_factory=lambda: {"rsa": 1024, "ed25519": 250})
    minimal: bool = False


class Found(NamedTuple):
    """``results`` in the order of the message; ``ignored``: algorithms that the policy does not look at."""

    results: list[DkimResult]
    ignored: list[DkimResult]
    not_looked_at: int  # signatures over MAX_SIGNATURES


def verify_message(
    lines: Sequence[str], body: Callable[[], Iterable[bytes]], asker: Asker, now: float, policy: Policy | None = None
) -> Found:
    """``lines``: header lines as received, byte text with their line ends; ``body``: its pieces, from the start."""
    policy = policy or Policy()
    headers = HeaderLines(lines)
    own = headers.named("dkim-signature")
    parsed = [parse_signature(line) for line in own[:MAX_SIGNATURES]]
    wanted = [signature for signature in parsed if _accepted(signature, policy)]
    ignored = [signature.result for signature in parsed if not _accepted(signature, policy)]
    for result in ignored:
        _fail(result, "algorithm", f"{result.algo} is not accepted")
    usable = [signature for signature in wanted if not signature.fault]
    hashes = hash_body(body() if usable else (), {signature.body_form for signature in usable})
    deadline = Deadline(DNS_SECONDS)
    passed = False
    for signature in wanted:
        if passed and policy.minimal:
            continue
        check(signature, headers, hashes, asker, deadline, now, policy)
        passed = passed or signature.result.status == "pass"
    return Found([signature.result for signature in wanted], ignored, max(0, len(own) - MAX_SIGNATURES))


def _accepted(signature: Signature, policy: Policy) -> bool:
    """An algorithm that the options leave out counts as no signature; so does an unknown one, as Exim has it."""
    if signature.fault == "algorithm":
        return False
    if not signature.result.algo:
        return True
    return signature.hash_name in policy.hashes and signature.key_type in policy.key_types


def check(
    signature: Signature,
    headers: HeaderLines,
    hashes: BodyHashes,
    asker: Asker,
    deadline: Deadline,
    now: float,
    policy: Policy,
) -> None:
    """Put into ``signature.result`` what became of it. The body first: a changed one needs no key."""
    result = signature.result
    if signature.fault:
        return _fail(result, signature.fault, signature.detail)
    if hashes.digest(signature.body_form) != signature.body_hash:
        return _fail(result, "bodyhash_mismatch", "the body is not the one that was signed")
    if 0 <= result.expires < now:
        return _fail(result, "expired", f"the signature was good until {result.expires}")
    try:
        key = fetch(result.selector, result.domain, asker, deadline)
    except KeyProblem as problem:
        result.temporary = problem.temporary
        return _fail(result, problem.word, problem.detail)
    _describe_key(result, key)
    refusal = _refusal(signature, key, policy)
    if refusal:
        return _fail(result, *refusal)
    data = header_bytes(
        headers.chosen(signature.header_names), emptied(signature.line), relaxed=signature.relaxed_headers
    )
    if not key.verifies(signature.signature, data, signature.hash_name):
        return _fail(result, "signature_incorrect", "the signature is not over this header, or not by this key")
    result.status = "pass"
    return None


def _describe_key(result: DkimResult, key: PublicKey) -> None:
    result.key_bits = key.bits
    result.key_testing, result.key_nosubdomains = key.testing, key.no_subdomains
    result.key_service, result.key_granularity, result.key_notes = key.service, key.granularity, key.notes


def _refusal(signature: Signature, key: PublicKey, policy: Policy) -> tuple[str, str] | None:
    """Why the key may not be used for this signature (RFC 6376 3.6.1, RFC 8301 3.2)."""
    if key.kind != signature.key_type:
        return "key_restricted", f"the key is for {key.kind[:20]}"
    if key.bits < policy.minimum_bits.get(key.kind, 0):
        return "pubkey_too_short", f"the key has {key.bits} bits"
    if key.hashes and signature.hash_name not in key.hashes:
        return "key_restricted", f"the key is not for {signature.hash_name}"
    identity = signature.result.identity
    if key.no_subdomains and identity and identity.rpartition("@")[2] != signature.result.domain:
        return "key_restricted", "the key is not for subdomains"
    return None


def _fail(result: DkimResult, word: str, detail: str) -> None:
    fault = FAULTS[word]
    result.status, result.reason, result.fault, result.detail = fault.status, fault.reason, word, detail

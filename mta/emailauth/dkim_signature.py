"""A DKIM-Signature or ARC-Message-Signature line as a value (RFC 6376 3.5): its tags checked, nothing verified.

``parse_signature`` always gives a Signature; what is wrong with it is in ``fault``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.emailauth import tags as tag_list
from mta.emailauth.dkim_canon import BodyForm
from mta.emailauth.tags import MAX_NUMBER, BadTags, decoded, names, number, parse_tags, without_folds
from mta.mail.authentication import DkimResult
from mta.text.ascii import lower, strict_int

MAX_NAMES = 1000  # in h=
ALGORITHMS = frozenset({"rsa-sha1", "rsa-sha256", "rsa-sha512", "ed25519-sha256"})


@dataclass(slots=True)
class Signature:
    """``result`` is filled in from the tags as far as they can be read."""

    line: str
    result: DkimResult
    key_type: str = ""
    hash_name: str = ""
    header_names: list[str] = field(default_factory=list)
    body_hash: bytes = b""
    signature: bytes = b""
    fault: str = ""  # "" when it can be verified; otherwise a key of dkim_verify.FAULTS
    detail: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def relaxed_headers(self) -> bool:
        return self.result.canon_headers == "relaxed"

    @property
    def body_form(self) -> BodyForm:
        return BodyForm(self.result.canon_body == "relaxed", self.hash_name, self.result.body_length)


class _Unusable(Exception):
    """The signature cannot be verified: (fault, detail)."""


def parse_signature(line: str, *, arc: bool = False) -> Signature:
    """``line`` is a whole header line of byte text. With ``arc`` it has no v=, and i= is a number."""
    signature = Signature(line, DkimResult("none"))
    try:
        _read(signature, arc)
    except BadTags as bad:
        signature.fault, signature.detail = "signature_tags", str(bad)
    except _Unusable as why:
        signature.fault, signature.detail = why.args
    signature.key_type, _, signature.hash_name = signature.result.algo.partition("-")
    return signature


def _read(signature: Signature, arc: bool) -> None:
    result = signature.result
    try:
        found = parse_tags(signature.line.partition(":")[2])
    except BadTags:
        # the log is to name who is said to have signed
        _describe(result, _lenient(signature.line), arc)
        raise
    signature.tags = found
    _describe(result, found, arc)
    if not arc and found.get("v") != "1":
        if "v" in found:
            raise _Unusable("version", "v= is not 1")
        raise BadTags("no v=")
    for name in ("a", "b", "bh", "d", "h", "s"):
        if not found.get(name):
            raise BadTags(f"no {name}=")
    if result.algo not in ALGORITHMS:
        raise _Unusable("algorithm", f"unknown algorithm {result.algo[:40]}")
    if not tag_list.domain(result.domain) or not tag_list.domain(result.selector):
        raise BadTags("d= or s= is no domain")
    if "dns/txt" not in [lower(item) for item in names(found.get("q", "dns/txt"))]:
        raise BadTags("q= knows no dns/txt")
    signature.body_hash = decoded(found["bh"])
    signature.signature = decoded(found["b"])
    _canonicalisation(result, found.get("c", "simple/simple"))
    signature.header_names = [item for item in names(found["h"]) if item]
    _headers_of(signature, arc)
    for name in ("l", "t", "x"):
        number(found, name)
    if 0 <= result.expires <= result.created:
        raise BadTags("x= is not after t=")
    if not arc:
        _identity(result)


def _lenient(line: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in line.partition(":")[2][:4096].split(";"))
    return {name.strip(tag_list.FWS): value.strip(tag_list.FWS) for name, _, value in reversed(list(pairs))}


def _describe(result: DkimResult, found: dict[str, str], arc: bool) -> None:
    result.domain = lower(without_folds(found.get("d", "")))
    result.selector = without_folds(found.get("s", ""))
    result.algo = lower(without_folds(found.get("a", "")))
    result.signature = without_folds(found.get("b", ""))
    result.signature_bits = len(result.signature.rstrip("=")) * 6 // 8 * 8
    result.header_names = without_folds(found.get("h", ""))
    for name, attribute in (("t", "created"), ("x", "expires"), ("l", "body_length")):
        value = strict_int(found.get(name, ""), maximum=MAX_NUMBER)
        setattr(result, attribute, -1 if value is None else value)
    result.copied_headers = found.get("z", "")
    head, _, body = lower(without_folds(found.get("c", ""))).partition("/")
    result.canon_headers, result.canon_body = head or "simple", body or "simple"
    if not arc:
        local, at, domain = without_folds(found.get("i", "")).rpartition("@")
        result.identity = local + at + lower(domain)


def _canonicalisation(result: DkimResult, text: str) -> None:
    for word in (result.canon_headers, result.canon_body):
        if word not in ("simple", "relaxed"):
            raise BadTags(f"unknown canonicalisation {text[:40]}")


def _headers_of(signature: Signature, arc: bool) -> None:
    if len(signature.header_names) > MAX_NAMES:
        raise BadTags("h= names too many headers")
    lowered = {lower(name) for name in signature.header_names}
    if "from" not in lowered:
        raise BadTags("h= does not name From")
    if arc and "arc-seal" in lowered:
        raise BadTags("h= names ARC-Seal")


def _identity(result: DkimResult) -> None:
    """RFC 6376 3.5, i=: the same domain as d= or one below it."""
    if not result.identity:
        return
    _, at, domain = result.identity.rpartition("@")
    if not at or (domain != result.domain and not domain.endswith(f".{result.domain}")):
        raise BadTags("i= is not below d=")

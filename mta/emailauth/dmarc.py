"""DMARC (RFC 9989; RFC 7489 where a public suffix list is given): does the author's domain stand behind a message?

``evaluate`` takes values and gives a DmarcResult whose ``status`` is a word of Exim's dmarc_status condition
(manual section 58.6). It never raises for what a message or a DNS is like; no answer is temperror.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mta.emailauth.asker import Asker
from mta.emailauth.dmarc_record import DmarcRecord
from mta.emailauth.dmarc_walk import Discovery, NoAnswer, SuffixList
from mta.emailauth.spf import SpfResult
from mta.mail.address import AddressError, parse_address_list
from mta.mail.authentication import DkimResult
from mta.mail.headers import Headers
from mta.text.ascii import lower

STATUSES = ("accept", "reject", "quarantine", "none", "norecord", "nofrom", "temperror", "off")
TEXTS = {
    "norecord": "No DMARC record",
    "nofrom": "No From: domain found",
    "none": "None, Accept",
    "accept": "Accept",
    "reject": "Reject",
    "quarantine": "Quarantine",
    "temperror": "Internal Policy Error",
    "off": "Off",
}
_MILDER = {"reject": "quarantine", "quarantine": "none", "none": "none"}
MAX_FROM = 65_536  # bytes of From: that are looked at
MAX_SIGNERS = 16  # different domains of good signatures that are looked up


@dataclass(slots=True)
class DmarcResult:
    """``policy`` is the one that the record declares for the author domain, ``status`` what is recommended."""

    status: str
    author_domain: str = ""
    policy: str = ""
    record: DmarcRecord | None = None
    organization: str = ""
    spf: SpfResult | None = None
    dkim: list[DkimResult] = field(default_factory=list)
    spf_aligned: bool = False
    dkim_aligned: bool = False
    method: str = "treewalk"
    sampled_out: bool = False  # t=y or pct made it milder
    reason: str = ""  # why temperror or nofrom

    @property
    def text(self) -> str:
        """``$dmarc_status_text``."""
        return TEXTS[self.status]

    @property
    def used_domain(self) -> str:
        """``$dmarc_used_domain``: where the record was found, else whose was looked for."""
        return self.record.domain if self.record is not None else self.author_domain


def dkim_word(result: DkimResult) -> str:
    """A signature's result in the words of RFC 8601: Exim's "invalid" is temperror or permerror."""
    if result.status == "invalid":
        return "temperror" if result.temporary else "permerror"
    return result.status


def evaluate(
    asker: Asker,
    author_domain: str,
    spf: SpfResult | None,
    dkim: Sequence[DkimResult],
    *,
    suffixes: SuffixList | None = None,
    draw: Callable[[], float] = random.random,
    discovery: Discovery | None = None,
) -> DmarcResult:
    """Judge a message of ``author_domain`` (from ``author_of``; "" there is none) by what SPF and DKIM found.

    ``draw`` gives a number in [0, 1) for pct.
    """
    search = discovery or Discovery(asker, suffixes)
    found = DmarcResult("nofrom", author_domain, spf=spf, dkim=list(dkim), method=search.method)
    if not author_domain:
        return found
    try:
        _judge(search, found, draw)
    except NoAnswer as error:
        found.status, found.policy, found.record, found.reason = "temperror", "", None, str(error)
    return found


def _judge(search: Discovery, found: DmarcResult, draw: Callable[[], float]) -> None:
    domain = found.author_domain
    record = found.record = search.policy(domain)
    if record is None:
        found.status = "norecord"
        return
    found.organization = search.organization(domain)
    found.policy = _declared(search, record, domain)
    found.spf_aligned = _spf_aligned(search, found, record)
    found.dkim_aligned = _dkim_aligned(search, found, record)
    if found.spf_aligned or found.dkim_aligned:
        found.status = "accept"
        return
    policy = found.policy
    spared = draw() * 100 >= record.pct if search.suffixes is not None and record.pct < 100 else record.t
    if spared:
        found.sampled_out = policy != "none"
        policy = _MILDER[policy]
    found.status = policy


def _declared(search: Discovery, record: DmarcRecord, domain: str) -> str:
    if record.domain == domain:
        return record.p
    below = record.sp or record.p
    if record.np and record.np != below and not search.exists(domain):
        return record.np
    return below


def _spf_aligned(search: Discovery, found: DmarcResult, record: DmarcRecord) -> bool:
    spf = found.spf
    if spf is None or spf.result != "pass" or spf.guessed:
        return False
    return _aligned(search, found, lower(spf.domain), record.aspf)


def _dkim_aligned(search: Discovery, found: DmarcResult, record: DmarcRecord) -> bool:
    domains = dict.fromkeys(lower(one.domain) for one in found.dkim if one.status == "pass")
    near = [name for name in domains if _below(name, found.organization)]
    # the author's own first: it needs no question
    near.sort(key=lambda name: name != found.author_domain)
    return any(_aligned(search, found, name, record.adkim) for name in near[:MAX_SIGNERS])


def _aligned(search: Discovery, found: DmarcResult, domain: str, mode: str) -> bool:
    """RFC 9989 4.4: equal names, or for relaxed alignment equal organizational domains."""
    domain = domain.removesuffix(".")
    if domain == found.author_domain:
        return True
    if mode == "s" or not _below(domain, found.organization):
        return False
    return search.organization(domain) == found.organization


def _below(name: str, organization: str) -> bool:
    return name == organization or name.endswith(f".{organization}")


def author_of(headers: Headers) -> tuple[str, str]:
    """The domain of the From: field in lower case and A-labels, or "" and why there is none.

    Fields or addresses that name different domains are as bad as none: which would a reader see?
    """
    lines = headers.named("from")
    if len(lines) != 1:
        return "", "no From: field" if not lines else "more than one From: field"
    domains: set[str] = set()
    if len(lines[0].value) > MAX_FROM:
        return "", "From: is too long"
    for parsed in parse_address_list(lines[0].value, allow_utf8=True, allow_domain_literals=True):
        if isinstance(parsed, AddressError) or not parsed.domain:
            return "", "From: holds what is no address"
        domains.add(_ascii(parsed.domain))
    if len(domains) != 1:
        return "", "From: names no domain" if not domains else "From: names several domains"
    domain = domains.pop()
    if "." not in domain or domain.startswith("[") or not all(0 < len(label) < 64 for label in domain.split(".")):
        return "", "From: names no domain"
    return domain, ""


def _ascii(domain: str) -> str:
    domain = lower(domain).removesuffix(".")
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain.encode("latin-1").decode("utf-8"), uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return ""

"""SPF (RFC 7208): may this address send for that domain? ``check_spf`` evaluates, the rest says it in Exim's words.

Texts are libspf2's as Exim shows them (manual section 58.4). Never raises for what a peer or its DNS is like:
the result word says it; an answer that does not come in time is temperror.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mta.emailauth.asker import Asker, Deadline
from mta.text.ascii import lower

if TYPE_CHECKING:
    from mta.emailauth.spf_evaluator import Query

TIME_LIMIT = 20.0  # seconds for all questions of one evaluation (RFC 7208 4.6.4)
RESULTS = ("pass", "fail", "softfail", "none", "neutral", "permerror", "temperror")
INVALID = "(invalid)"  # nothing to check: no client address
BEST_GUESS = "v=spf1 a/24 mx/24 ptr ?all"
MAX_TEXT = 512  # bytes of an explanation that are kept
# pyspf's words where libspf2's are known
_PROBLEMS = {
    "Two or more type TXT spf records found.": "Multiple SPF or TXT records for domain.",
    "No valid SPF record for included domain": "Could not find a valid SPF record",
}
_COMMENTS = {
    "pass": "domain of {domain} designates {ip} as permitted sender",
    "fail": "domain of {domain} does not designate {ip} as permitted sender",
    "softfail": "transitioning domain of {domain} does not designate {ip} as permitted sender",
    "neutral": "{ip} is neither permitted nor denied by domain of {domain}",
    "none": "domain of {domain} does not provide an SPF record",
    "temperror": "encountered temporary error during SPF processing of domain of {domain}",
    "permerror": "error in processing during lookup of domain of {domain}: {problem}",
}
_TEMPLATE_MACRO = re.compile(r"%(?:([%_-])|\{([slodipvhcrtSLODIPVHCRT])(\d{0,3}r?[-.+,/_=]{0,9})\})")
_NOT_URL = re.compile(r"[^A-Za-z0-9._~-]")


@dataclass(slots=True)
class SpfResult:
    """One check. ``domain`` is the one that was asked, ``identity`` "mailfrom" or "helo" (for the null sender)."""

    result: str
    domain: str = ""
    identity: str = "mailfrom"
    sender: str = ""
    helo: str = ""
    ip: str = ""
    receiver: str = ""
    mechanism: str = ""  # what matched; "" when nothing did
    problem: str = ""  # why permerror or temperror
    explanation: str = ""  # the domain's own text for a fail (exp=), a stranger's words
    smtp_comment: str = ""
    guessed: bool = False

    @property
    def header_comment(self) -> str:
        """``$spf_header_comment``: ``receiver: domain of ...``."""
        form = _COMMENTS.get(self.result)
        if form is None:
            return ""
        # the problem quotes the stranger's record, and all this stands in a comment of a header line
        problem = re.sub(r"([()\\])", r"\\\1", self.problem)
        return f"{self.receiver}: " + form.format(domain=self.domain, ip=self.ip, problem=problem)

    @property
    def received(self) -> str:
        """``$spf_received``: the whole header line without a final newline."""
        if self.result == INVALID:
            return ""
        return (
            f"Received-SPF: {self.result} ({self.header_comment}) client-ip={self.ip}; "
            f"envelope-from={self.sender}; helo={self.helo};"
        )


def check_spf(
    asker: Asker,
    ip: str,
    sender: str,
    helo: str,
    *,
    receiver: str = "unknown",
    guess: str = "",
    comment_template: str = "",
    now: Callable[[], float] = time.time,
    time_limit: float = TIME_LIMIT,
) -> SpfResult:
    """Check ``sender`` (the HELO name when it is empty) for the client ``ip`` (text, either family).

    ``guess`` is the record to use when the domain has none; ``comment_template`` makes ``smtp_comment``.
    """
    helo = _clean(helo)
    sender = _clean(sender)
    domain = sender.rpartition("@")[2] if sender else helo
    found = SpfResult(INVALID, domain, "mailfrom" if sender else "helo", sender or f"postmaster@{helo}", helo)
    found.receiver = receiver
    try:
        found.ip = _plain_ip(ip)
    except ValueError:
        found.problem = f"{ip} is not an IP address"
        return found
    if not _is_domain(domain):  # RFC 7208 4.3
        found.result = "none"
        return found
    from mta.emailauth.spf_evaluator import Query

    query = Query(asker, Deadline(time_limit), found.ip, found.sender, helo, receiver)
    query.t = str(int(now()))
    query.set_default_explanation("")
    _evaluate(query, found)
    if found.result == "none" and guess:
        found.guessed = True
        _evaluate(query, found, guess)
        if found.result == "permerror":  # it is our record, not theirs
            found.result = "neutral"
    if found.result in ("fail", "softfail", "neutral") and comment_template:
        found.smtp_comment = _comment(query, comment_template, found.mechanism)
    return found


def _evaluate(query: Query, found: SpfResult, record: str | None = None) -> None:
    try:
        found.result, _, text = query.check(record)
    except Exception as error:  # the evaluator's own faults with a hostile record must not cost the session
        found.result, text = "permerror", ""
        found.problem = f"evaluation failed ({type(error).__name__})"
        return
    found.mechanism = query.mechanism or ""
    if found.result == "fail":
        found.explanation = _clean(text)[:MAX_TEXT]
    elif found.result in ("permerror", "temperror"):
        found.problem = _problem(query)


def _problem(query: Query) -> str:
    said = str(query.prob)
    for theirs, known in _PROBLEMS.items():
        if said.startswith(theirs):
            return known
    about = " ".join(str(mech) for mech in query.mech)
    return _clean(f"{said}: {about}" if about else said)[:MAX_TEXT]


def _comment(query: Query, template: str, mechanism: str) -> str:
    """The reply text. What is no macro, though it looks like one, stays."""
    from mta.emailauth.spf_evaluator import transformed

    values: Any = query
    values.p = values.p or "unknown"  # looking it up is not worth questions here

    def expand(found: re.Match[str]) -> str:
        letter = found.group(2)
        if letter is None:
            return {"%": "%", "_": " ", "-": "%20"}[found.group(1)]
        value = transformed(str(getattr(values, lower(letter))), lower(letter), found.group(3))
        return value if letter == lower(letter) else _url_escaped(value)

    text = _TEMPLATE_MACRO.sub(expand, template)
    return _clean(f"{text} : Reason: {'mechanism' if mechanism else 'default'}")


def _url_escaped(text: str) -> str:
    return _NOT_URL.sub(lambda found: f"%{ord(found.group()):02x}", text)


def _plain_ip(text: str) -> str:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_domain(name: str) -> bool:
    """A name of two labels or more, not an address literal."""
    name = name.removesuffix(".")
    return "." in name and not name.startswith("[") and all(0 < len(label) < 64 for label in name.split("."))


def _clean(text: str) -> str:
    """Without control characters: the text goes into header lines and replies."""
    if text.isprintable():
        return text
    return "".join(char if " " <= char != "\x7f" else "?" for char in text)


def wanted(result: str, words: list[str]) -> bool:
    """Whether a condition's list matches: left to right, the first word that matches decides; ``!`` turns it round.

    The old names err_temp and err_perm stand for what they say (SPF-04); ``*`` is any result.
    """
    names = {result, "*"}
    names |= {"temperror": {"err_temp"}, "permerror": {"err_perm"}, INVALID: {"invalid"}}.get(result, set())
    for word in words:
        negated, bare = word.startswith("!"), lower(word.removeprefix("!")).strip(" \t")
        if (bare in names) != negated:
            return True
    return False

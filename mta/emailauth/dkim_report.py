"""How DKIM results are told: lines of the main log, clauses of Authentication-Results (RFC 8601), words for people."""

from __future__ import annotations

from mta.emailauth.dkim_verify import FAULTS, Found
from mta.mail.authentication import DkimResult

# The rest of 8601's words: an answer that may change, or a record that is not there, are not the message's fault.
_INVALID_WORDS = {"pubkey_unavailable": "permerror"}
MAX_SHOWN = 300


def failure_line(result: DkimResult) -> str:
    """The line that is logged of a failure even without dkim_verbose; "" for most."""
    if result.fault == "signature_incorrect":
        return "DKIM: validation error: Public key signature verification has failed."
    if not result.fault.startswith("pubkey_") or result.fault == "pubkey_too_short":
        return ""
    return f"DKIM: d={_shown(result.domain)} s={_shown(result.selector)} [failed key import]"


def verbose_line(result: DkimResult) -> str:
    """The line of ``log_selector = +dkim_verbose``."""
    out = f"DKIM: d={_shown(result.domain) or '<UNSET>'} s={_shown(result.selector) or '<UNSET>'}"
    out += f" c={_shown(result.canon_headers)}/{_shown(result.canon_body)} a={_shown(result.algo)}"
    out += f" b={result.signature_bits}"
    for name, text in (("i", _shown(result.identity)), ("t", result.created), ("x", result.expires)):
        if text not in ("", -1):
            out += f" {name}={text}"
    if result.body_length >= 0:
        out += f" l={result.body_length}"
    return f"{out} [{_outcome(result)}]"


def _shown(text: str) -> str:
    clean = "".join(char if " " < char <= "~" else "?" for char in text[:MAX_SHOWN])
    return clean if len(text) <= MAX_SHOWN else clean + "..."


def _outcome(result: DkimResult) -> str:
    if result.overridden:
        return f"{result.status} - {result.reason}" if result.reason else result.status
    if result.status == "pass":
        return "verification succeeded"
    fault = FAULTS.get(result.fault)
    return fault.log if fault is not None else "not verified"


def clauses(results: list[DkimResult]) -> list[str]:
    """What goes into Authentication-Results, a clause for each signature."""
    return [_clause(result) for result in results]


def word(result: DkimResult) -> str:
    """The result word of RFC 8601 2.7.1."""
    if result.overridden:
        return "policy"
    if result.status == "invalid":
        return "temperror" if result.temporary else _INVALID_WORDS.get(result.fault, "neutral")
    return result.status


# One good signature is enough; then what may yet become good counts more than what never will.
_BEST_FIRST = ("pass", "temperror", "policy", "fail", "permerror", "neutral", "none")


def overall(found: Found) -> str:
    """One word for a whole message: that of its best signature, "none" without any."""
    words = {word(result) for result in found.results} | ({"policy"} if found.ignored else set())
    return next((item for item in _BEST_FIRST if item in words), "none")


def _clause(result: DkimResult) -> str:
    out = f"dkim={word(result)}"
    if result.overridden:
        why = f"{result.status} - {result.reason}" if result.reason else result.status
        out += f" ({_comment(why)})"
    elif result.fault in FAULTS:
        comment = FAULTS[result.fault].comment
        if result.fault == "pubkey_too_short":
            comment += f": {result.key_bits} bits"
        out += f" ({comment})\n\t\t"
    for name, text in (("d", result.domain), ("i", result.identity), ("s", result.selector), ("a", result.algo)):
        if text:
            out += f" header.{name}={_shown(text)}"
    return out


def _comment(text: str) -> str:
    return "".join(char if " " <= char <= "~" and char not in "()\\" else "?" for char in text[:MAX_SHOWN])

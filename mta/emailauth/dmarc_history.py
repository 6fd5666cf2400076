"""dmarc_history_file: one record a message in the form that OpenDMARC's opendmarc-import reads.

Numbers are libopendmarc's, letters of the DNS record stand as their codes. ``append`` writes a record with one call.
"""

from __future__ import annotations

import os

from mta.emailauth.dmarc import DmarcResult, dkim_word
from mta.text.ascii import to_bytes

RESULTS = {"pass": 0, "softfail": 2, "neutral": 3, "temperror": 4, "permerror": 5, "none": 6, "fail": 7}
UNKNOWN = 11
POLICIES = {"nofrom": 13, "norecord": 14, "accept": 15, "reject": 16, "quarantine": 17, "none": 18}
ACTIONS = {"reject": 0, "accept": 2, "none": 2, "norecord": 2, "nofrom": 2, "temperror": 3, "quarantine": 4}
ALIGNED, NOT_ALIGNED = 4, 5


def history(result: DmarcResult, *, job: str, reporter: str, received: int, ip: str, mail_from: str) -> str:
    """The record of one message; ``received`` in seconds since the epoch, ``mail_from`` the envelope's domain."""
    record = result.record
    assert record is not None  # written only where there is one
    lines: list[tuple[str, object]] = [
        ("job", job),
        ("reporter", reporter),
        ("received", received),
        ("ipaddr", ip),
        ("from", result.author_domain),
        ("mfrom", mail_from),
    ]
    if result.spf is not None:
        lines.append(("spf", RESULTS.get(result.spf.result, UNKNOWN)))
    for one in result.dkim:
        signature = f"{one.domain} {one.selector}" if one.selector else one.domain
        lines.append(("dkim", f"{signature} {RESULTS.get(dkim_word(one), UNKNOWN)}"))
    lines += [("pdomain", result.used_domain), ("policy", POLICIES.get(result.status, UNKNOWN))]
    lines += [("rua", uri) for uri in record.rua] or [("rua", "-")]
    lines += [
        ("pct", record.pct),
        ("adkim", ord(record.adkim)),
        ("aspf", ord(record.aspf)),
        ("p", ord(record.p[0])),
        ("sp", ord(record.sp[0]) if record.sp else 0),
        ("align_dkim", ALIGNED if result.dkim_aligned else NOT_ALIGNED),
        ("align_spf", ALIGNED if result.spf_aligned else NOT_ALIGNED),
        ("action", ACTIONS.get(result.status, 2)),
    ]
    return "".join(f"{name} {_one_word_line(str(value))}\n" for name, value in lines)


def _one_word_line(text: str) -> str:
    """No line ends: each field is one line."""
    return "".join(char if " " <= char != "\x7f" else "?" for char in text)


def append(path: str, text: str) -> None:
    """Add to the file in one write, so that records of several processes do not mix. OSError when it cannot."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        os.write(descriptor, to_bytes(text))
    finally:
        os.close(descriptor)

"""Enhanced status codes of our own replies (RFC 2034, RFC 3463, RFC 5248), for clients that were offered them.

``enhanced(code, verb, text)`` gives the code with the space behind it, "" where none belongs.
"""

from __future__ import annotations

import re

_OWN = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?: |\Z)")
BY_VERB = {
    (250, "MAIL"): "2.1.0",
    (250, "RCPT"): "2.1.5",
    (250, "DATA"): "2.6.0",
    (250, "BDAT"): "2.6.0",
    (452, "RCPT"): "4.5.3",
    (552, "RCPT"): "5.5.3",
    (501, "MAIL"): "5.1.7",
    (501, "RCPT"): "5.1.3",
    (554, "DATA"): "5.5.1",
}
BY_CODE = {
    235: "2.7.0", 251: "2.1.5", 252: "2.5.2", 421: "4.3.2", 432: "4.7.12", 435: "4.7.0", 450: "4.2.0", 451: "4.3.0",
    452: "4.3.1", 454: "4.7.0", 500: "5.5.2", 501: "5.5.4", 503: "5.5.1", 504: "5.5.4", 530: "5.7.0", 534: "5.7.9",
    535: "5.7.8", 538: "5.7.11", 550: "5.7.1", 551: "5.1.6", 552: "5.3.4", 553: "5.1.3", 555: "5.5.4",
}  # fmt: skip


def enhanced(code: int, verb: str, text: str) -> str:
    """``verb``: the command's first four letters in capitals. A text that begins with a code of its own keeps it."""
    if code // 100 not in (2, 4, 5) or _OWN.match(text):
        return ""
    return (BY_VERB.get((code, verb)) or BY_CODE.get(code) or f"{code // 100}.0.0") + " "

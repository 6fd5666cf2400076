"""What was found out about who sent a message: values that verifiers leave with the message for others to read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DkimResult:
    """One DKIM signature. ``status`` is a word of RFC 8601 2.7.1 (pass, fail, policy, neutral, temperror, permerror)
    or Exim's ("invalid", "none"); ``domain`` is d=, ``identity`` i=, ``selector`` s=, in lower case."""

    status: str
    domain: str
    identity: str = ""
    selector: str = ""
    reason: str = ""

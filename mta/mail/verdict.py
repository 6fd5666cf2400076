"""What an ACL says of the matter at hand. What the peer reads and what the operator reads are two fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Ruling(IntEnum):
    ACCEPT = 0
    DISCARD = 1
    DENY = 2
    DROP = 3  # deny, and end the connection
    DEFER = 4
    ERROR = 5  # the ACL itself failed: 451 to the peer, the reason to the log


@dataclass(slots=True)
class Verdict:
    """``user_message`` is None when the ACL gave none; it may hold several lines and start with an SMTP code."""

    ruling: Ruling
    user_message: str | None = None
    log_message: str | None = None
    details: list[str] = field(default_factory=list)  # lines that the reply has before user_message (verify = sender)
    details_log: str = ""  # main-log text before the rejection's own: "sender verify fail for <x>: ..."
    log_targets: frozenset[str] = frozenset({"main", "reject"})  # log_reject_target: main, reject, panic

    @property
    def accepted(self) -> bool:
        return self.ruling <= Ruling.DISCARD


ACCEPTED = Verdict(Ruling.ACCEPT)

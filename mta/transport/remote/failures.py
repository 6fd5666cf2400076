"""Errors of outgoing SMTP, told apart as manual section 49.2 has it: of a host, of a message, of a recipient."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import IntEnum

from mta.errors import MtaError
from mta.mail.host import Host
from mta.mail.outcome import RetryFact
from mta.smtp.replies import Reply
from mta.transport.outcomes import MAIL_4XX, host_error_text
from mta.transport.remote.connection import Lost, reply_text


class Reach(IntEnum):
    """What a failure says about the future."""

    HOST = 0  # nothing goes to this host until its retry time
    MESSAGE = 1  # this message does not go to this host
    RECIPIENT = 2
    NOTHING = 3  # it is our own fault: no retry record


@dataclass(slots=True)
class Trouble:
    """One failure. ``shows_host``: the log line of the address has H=, which a host never reached has not."""

    message: str
    errno: int = 0
    permanent: bool = False
    reach: Reach = Reach.HOST
    error: str = ""  # for the retry rules
    detail: str = ""
    code: int = 0  # of the reply, when there was one
    connecting: bool = False
    shows_host: bool = True
    logs_host: bool = False  # a log line for the host although the address's own has no H=
    response: str = ""
    tls_result: str = ""  # of RFC 8460 4.3, where DANE or MTA-STS was not satisfied

    def more_errno(self, host: Host) -> int:
        """Exim's second number: the last two digits of the code above a letter for MX or A."""
        letter = ord("M" if host.from_mx else "A")
        if self.code:
            return (self.code % 100) << 8 | letter
        return letter | (0x100 if self.connecting and self.errno == errno.ETIMEDOUT else 0)

    def fact(self, key: str, host: Host) -> RetryFact:
        """The retry record for this failure."""
        text = "" if self.errno > 0 else host_error_text(host, 0, self.message, 0, show_port=False)
        if not self.shows_host and self.errno <= 0:
            text = self.message
        detail = self.detail or ("MX" if host.from_mx else "A")
        # Codes of replies are kept for 4xx errors of one command alone; of a host it is just the letter.
        more = self.more_errno(host) if self.errno <= MAIL_4XX + 1 or self.reach != Reach.HOST else ord(detail[0])
        if self.connecting:
            more = self.more_errno(host)
        return RetryFact(key, True, self.error, detail, text, self.errno, more)


class HostTrouble(MtaError):
    """Carries a Trouble out of the opening of a connection."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class ReusedConnectionDead(MtaError):
    """A connection from the pool turned out dead before anything was answered; a fresh one may do."""


def from_reply(reply: Reply, what: str, **facts: object) -> Trouble:
    """A refusal: permanent for 5xx, temporary for all else."""
    text = reply_text(reply)
    trouble = Trouble(
        f"SMTP error from remote mail server after {what}: {text}",
        permanent=500 <= reply.code <= 599,
        code=reply.code,
        response=text,
    )
    for name, value in facts.items():
        setattr(trouble, name, value)
    return trouble


def from_lost(lost: Lost, reach: Reach = Reach.HOST) -> Trouble:
    """A connection that broke, fell silent or talked nonsense."""
    error = "timeout" if lost.timed_out else "lost_connection" if lost.errno == -18 else ""
    return Trouble(lost.message, lost.errno, reach=reach, error=error)


def from_os_error(error: OSError) -> Trouble:
    """A connection that could not be made; the system's words alone are logged."""
    number = error.errno or errno.ETIMEDOUT
    name = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout_connect"}.get(number, "")
    return Trouble("", number, error=name, connecting=True, shows_host=False)

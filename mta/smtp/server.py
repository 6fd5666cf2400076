"""The server's protocol state: which command is allowed when, what follows from its success. No sockets, no policy.

``refusal(command)`` is asked before a command is carried out, one of ``helo``, ``mail``, ``rcpt`` ... is called after
it was accepted.
"""

from __future__ import annotations

from mta.smtp.commands import Command
from mta.smtp.extensions import Offer
from mta.smtp.replies import Reply
from mta.smtp.states import PIPELINED, SYNCHRONIZED, Phase

NO_HELO = Reply(503, "HELO or EHLO required")
SENDER_GIVEN = Reply(503, "sender already given")
NO_SENDER = Reply(503, "sender not yet given")
NO_RCPT_DATA = "valid RCPT command must precede DATA"
NO_RCPT_BDAT = "valid RCPT command must precede BDAT"
ONLY_BDAT = Reply(503, "only BDAT permissible after non-LAST BDAT")
ONLY_RSET = Reply(503, "only RSET accepted now")


class ServerSession:
    """One connection's protocol state. ``rejected_rcpts`` holds the refusals of RCPT, for the text after DATA."""

    __slots__ = ("all_rejected", "esmtp", "last_refusal", "offer", "phase", "pipelining", "rcpt_seen", "require_helo")

    def __init__(self, require_helo: bool = True) -> None:
        self.phase = Phase.START
        self.require_helo = require_helo
        self.esmtp = False
        self.pipelining = False
        self.offer = Offer()
        self.rcpt_seen = 0  # RCPT commands of this transaction
        self.last_refusal = ""  # the text of a refused RCPT when all refusals were alike
        self.all_rejected = True

    def refusal(self, command: Command) -> Reply | None:
        """Why a command cannot come now; None when it can."""
        verb, phase = command.verb, self.phase
        if phase >= Phase.CHUNKS and verb not in ("BDAT", "RSET", "QUIT"):
            was, self.phase = phase, Phase.SPOILED
            return ONLY_BDAT if was == Phase.CHUNKS else ONLY_RSET
        if verb == "MAIL":
            if phase == Phase.START and self.require_helo:
                return NO_HELO
            return SENDER_GIVEN if phase >= Phase.MAIL else None
        if verb == "RCPT":
            return None if phase >= Phase.MAIL else NO_SENDER
        if verb == "DATA":
            return None if phase == Phase.RCPT else self._no_rcpt(NO_RCPT_DATA)
        if verb == "BDAT":
            if phase == Phase.SPOILED:
                return ONLY_RSET
            return None if phase in (Phase.RCPT, Phase.CHUNKS) else self._no_rcpt(NO_RCPT_BDAT)
        if verb == "ETRN" and phase >= Phase.MAIL:
            return Reply(503, "ETRN is not permitted inside a transaction")
        return None

    def _no_rcpt(self, text: str) -> Reply:
        if self.rcpt_seen and self.all_rejected and self.last_refusal:
            return Reply(503, f"All RCPT commands were rejected with this error:\n{self.last_refusal}\n{text}")
        return Reply(503, text)

    @property
    def in_transaction(self) -> bool:
        """Whether MAIL has been accepted: no STARTTLS and no AUTH then."""
        return self.phase >= Phase.MAIL

    def must_be_last(self, verb: str) -> bool:
        """Whether nothing may have been sent after this command before its reply (the synchronization check)."""
        return verb in SYNCHRONIZED or (not self.pipelining and verb in PIPELINED)

    def helo(self, esmtp: bool, offer: Offer) -> None:
        """HELO or EHLO was accepted, which also resets the transaction."""
        self.esmtp = esmtp
        self.offer = offer
        self.pipelining = offer.pipelining
        self.phase = Phase.READY
        self._clear()

    def forget_helo(self) -> None:
        """HELO or EHLO was refused, or TLS started (RFC 3207 4.2): as at the start."""
        self.phase = Phase.START
        self.esmtp = self.pipelining = False
        self.offer = Offer()
        self._clear()

    def mail(self) -> None:
        self.phase = Phase.MAIL
        self._clear()

    def rcpt(self) -> None:
        self.phase = Phase.RCPT
        self.rcpt_seen += 1
        self.all_rejected = False

    def rcpt_refused(self, text: str) -> None:
        """A RCPT was refused with this text."""
        if self.rcpt_seen == 0:
            self.last_refusal = text
        elif text != self.last_refusal:
            self.last_refusal = ""
        self.rcpt_seen += 1

    def chunk(self, last: bool) -> None:
        """A chunk of BDAT was taken in."""
        if last:
            self.reset()
        else:
            self.phase = Phase.CHUNKS

    def spoil(self) -> None:
        """A chunk was refused: what follows of this message must not be taken for commands or another message."""
        self.phase = Phase.SPOILED

    def reset(self) -> None:
        """RSET, or the end of a message."""
        if self.phase > Phase.READY:
            self.phase = Phase.READY
        self._clear()

    def _clear(self) -> None:
        self.rcpt_seen = 0
        self.last_refusal = ""
        self.all_rejected = True

"""What an SMTP session may do when: tables (RFC 5321 4.1.4, RFC 2920 3.1, RFC 3030)."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """Where a session is. CHUNKS: after a BDAT that was not the last; SPOILED: only RSET helps."""

    START = 0  # no HELO or EHLO yet
    READY = 1
    MAIL = 2  # MAIL accepted
    RCPT = 3  # at least one RCPT accepted
    CHUNKS = 4
    SPOILED = 5


# Must be the last of a group whatever was offered (RFC 2920 3.1).
SYNCHRONIZED = frozenset({"HELO", "EHLO", "DATA", "VRFY", "EXPN", "NOOP", "ETRN", "AUTH", "STARTTLS", "XCLIENT"})
# May be followed by more where PIPELINING was offered.
PIPELINED = frozenset({"MAIL", "RCPT", "RSET", "BDAT"})
# Count towards smtp_accept_max_nonmail (manual chapter 14), HELO, EHLO and RSET only after the first few.
MAIL_COMMANDS = frozenset({"MAIL", "RCPT", "DATA", "BDAT", "QUIT", "STARTTLS", "AUTH"})

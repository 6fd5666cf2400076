"""The exception tree. Each has one named place that catches it; anything else is a bug.

MtaError
 +- ConfigError          a fault in the configuration, with file and line   (cli, daemon at load)
 |   +- ConfigErrors     all the faults of one load
 +- ExpansionFailed      text that does not expand                          (the user of the option)
 |   +- ForcedFail       ``fail`` written in the text
 +- Deferred             no answer now: DNS, a lookup, a server             (ACL, router, transport)
 +- PeerGone             the connection is lost or timed out                (receive.connection, transport.remote)
 +- SpoolError           a message cannot be written, read or understood    (receive.data, deliver.message)
"""

from __future__ import annotations

from typing import NamedTuple


class Where(NamedTuple):
    """A place in a configuration: file and line, 1-based; line 0 means the whole file or command line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Where("", 0)
SHOWN_BEFORE, SHOWN_BEHIND = 40, 36  # characters of a text around the place of a fault


def pointed(text: str, column: int) -> str:
    """Two lines: the part of ``text`` around ``column`` (1-based), and a mark under it with the column's number."""
    start = max(0, column - 1 - SHOWN_BEFORE)
    part = text[start : column - 1 + SHOWN_BEHIND]
    before = "..." if start else ""
    after = "..." if len(text) > start + len(part) else ""
    printable = "".join(char if " " <= char <= "~" or char >= "\xa0" else " " for char in part)
    return f"    {before}{printable}{after}\n    {' ' * (len(before) + column - 1 - start)}^ column {column}"


class MtaError(Exception):
    """The base of all that mta raises on purpose."""


class ConfigError(MtaError):
    """A fault in the configuration; ``message`` is without the place, ``str()`` with it.

    ``at`` is the fault that this one tells of; its place in a text that is to be expanded is kept.
    """

    def __init__(self, message: str, where: Where = NOWHERE, at: ConfigError | ExpansionFailed | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.text: str = at.text if at is not None else ""
        self.column: int = at.column if at is not None else 0

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where.file else self.message

    def shown(self) -> str:
        """``str()``, and below it the part of the text with a mark under the place of the fault, where it is known."""
        return f"{self}\n{pointed(self.text, self.column)}" if self.column else str(self)


class ConfigErrors(ConfigError):
    """Every fault that one load found, in the order of the file."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors

    def shown(self) -> str:
        return "\n".join(error.shown() for error in self.errors)


class ExpansionFailed(MtaError):
    """An expansion failed; ``message`` is Exim's wording (manual chapter 11).

    ``column`` (1-based; 0: not known) is where in ``text`` the failing item, variable or condition starts.
    """

    def __init__(self, message: str, text: str = "", column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.column = column


class ForcedFail(ExpansionFailed):
    """The text itself said ``fail``."""


class Deferred(MtaError):
    """No answer can be had now; ``message`` says why, in words for the operator's log."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PeerGone(MtaError):
    """The other end closed, reset, or said nothing until the time-out.

    ``reason`` is Exim's ``$smtp_notquit_reason`` where it is a client of ours
    (``connection-lost``, ``command-timeout``, ``data-timeout`` ...).
    """

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


class SpoolError(MtaError):
    """A spool file cannot be written or read; ``damaged`` when its content makes no sense."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.damaged = damaged

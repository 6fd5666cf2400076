"""What goes wrong at a mailbox, as one exception that appendfile turns into outcomes."""

from __future__ import annotations

from mta.errors import MtaError


class MailboxError(MtaError):
    """A delivery into a file that must wait (or freeze). ``errno`` is the system's or one of outcomes' numbers.

    ``error`` and ``detail`` are for the retry rules (``quota`` and seconds since the mailbox was last read);
    ``panic``: a fault of the configuration, without a retry record.
    """

    def __init__(
        self, message: str, errno: int, *, freeze: bool = False, error: str = "", detail: str = "", panic: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.freeze = freeze
        self.error = error
        self.detail = detail
        self.panic = panic

"""The copy of a message that scanners read: ``scan/<id>/<id>.eml`` below the spool directory, in mbox form.

``copy_of(scope)`` makes it at first use and forgets it, folder and all, when the message is done with (manual
chapter 45), unless ``control = no_mbox_unspool``. Raises ScanFailed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mta.errors import Deferred, ExpansionFailed, MtaError
from mta.mail.endings import at_end
from mta.scope.scope import Scope
from mta.text.ascii import to_bytes
from mta.text.dates import mbox_date

KEEP = "scan.keep"  # in Message.acl_memory: the copy is to stay
_COPY = "scan.copy"
BLOCK = 1 << 16


class ScanFailed(MtaError):
    """A scan came to no verdict; ``message`` is for the log."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(slots=True)
class Copy:
    """``folder`` holds the file and what MIME parts are decoded to; ``number`` counts those."""

    folder: str
    path: str
    size: int = 0
    number: int = 0
    owner: tuple[int, int] | None = None

    def open(self) -> BinaryIO:
        """The copy, at its first byte."""
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise ScanFailed(f"cannot open {self.path}: {error.strerror}") from None

    def blocks(self) -> Iterator[bytes]:
        """All of it in pieces."""
        with self.open() as file:
            while block := file.read(BLOCK):
                yield block

    def create(self, path: str) -> BinaryIO:
        """A new file of the scanner's; an existing one of that name is replaced, a link never followed."""
        if os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        if self.owner is not None:
            os.fchown(fd, *self.owner)
        return os.fdopen(fd, "wb")


def copy_of(scope: Scope) -> Copy:
    """The message's copy, made now or before."""
    kept = scope.message.acl_memory.get(_COPY)
    if isinstance(kept, Copy):
        return kept
    made = _place(scope)
    try:
        os.makedirs(made.folder, 0o750, exist_ok=True)
        if made.owner is not None:
            for path in (os.path.dirname(made.folder), made.folder):
                os.chown(path, *made.owner)
        with made.create(made.path) as file:
            for block in _text(scope):
                made.size += len(block)
                file.write(block)
    except OSError as error:
        shutil.rmtree(made.folder, ignore_errors=True)
        raise ScanFailed(f"cannot write {made.path}: {error.strerror}") from None
    memory = scope.message.acl_memory
    memory[_COPY] = made
    at_end(scope.message, lambda: None if KEEP in memory else shutil.rmtree(made.folder, ignore_errors=True))
    return made


def _place(scope: Scope) -> Copy:
    option = scope.site.options.spool_directory
    try:
        directory = option(scope) if option.constant is None else option.constant
    except (ExpansionFailed, Deferred) as error:
        raise ScanFailed(f"failed to expand spool_directory: {error.message}") from None
    message_id = scope.message.id
    folder = os.path.join(directory, "scan", message_id)
    site = scope.site
    owner = (site.uid, site.gid) if os.geteuid() == 0 and site.uid >= 0 and site.gid >= 0 else None
    return Copy(folder, os.path.join(folder, f"{message_id}.eml"), owner=owner)


def _text(scope: Scope) -> Iterator[bytes]:
    message = scope.message
    recipients = ", ".join(recipient.address for recipient in message.recipients)
    head = f"From MAILER-DAEMON {mbox_date(time.time())}\nX-Envelope-From: <{message.sender}>\n"
    yield to_bytes(f"{head}X-Envelope-To: {recipients}\n{message.headers.text()}\n")
    body, at = scope.body, 0
    while body is not None and (block := body(at, BLOCK)):
        at += len(block)
        yield block

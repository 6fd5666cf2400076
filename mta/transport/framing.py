"""What goes around a message in a file or a pipe: prefix and suffix, batched SMTP, escaped lines.

Shared by appendfile and pipe, whose options message_prefix, message_suffix, check_string, escape_string,
use_bsmtp and use_crlf mean the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from mta.errors import ExpansionFailed, ForcedFail, MtaError
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.transport import bsmtp, content
from mta.transport.base import Batch, Transport
from mta.transport.stuffing import Shape, shaped


class FrameOptions(Protocol):
    check_string: str | None
    escape_string: str | None
    message_prefix: Expansion | None
    message_suffix: Expansion | None
    use_bsmtp: bool
    use_crlf: bool


class BadFrame(MtaError):
    """message_prefix or message_suffix does not expand; ``message`` is for the log."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def framed(
    options: FrameOptions,
    transport: Transport,
    batch: Batch,
    scope: Scope,
    message: content.Content,
    *,
    from_line: bool,
    escape_from: bool,
) -> Iterator[bytes]:
    """The bytes to write. ``from_line``: prefix and suffix of BSD mailboxes unless set; ``escape_from``: their
    check_string. Raises BadFrame before the first byte."""
    prefix = _expanded(options.message_prefix, "message_prefix", transport, scope)
    suffix = _expanded(options.message_suffix, "message_suffix", transport, scope)
    if from_line and not options.use_bsmtp:
        if prefix is None:
            prefix = (
                f"From {bsmtp.one_line(batch.return_path) or 'MAILER-DAEMON'} {content.mailbox_date(time.time())}\n"
            )
        if suffix is None:
            suffix = "\n"
    if options.use_bsmtp:
        return _batched(prefix or "", suffix or "", options.use_crlf, transport, batch, message)
    check = options.check_string if options.check_string is not None else "From " if escape_from else ""
    escape = options.escape_string if options.escape_string is not None else ">From " if escape_from else ""
    shape = Shape(options.use_crlf, check.encode("latin-1"), escape.encode("latin-1"), final_newline=from_line)
    return _plain(prefix or "", suffix or "", shape, message)


def _plain(prefix: str, suffix: str, shape: Shape, message: content.Content) -> Iterator[bytes]:
    if prefix:
        yield prefix.encode("latin-1")
    yield from shaped(message.pieces(), shape)
    if suffix:
        yield suffix.encode("latin-1")


def _batched(
    prefix: str, suffix: str, crlf: bool, transport: Transport, batch: Batch, message: content.Content
) -> Iterator[bytes]:
    if prefix:
        yield prefix.encode("latin-1")
    yield bsmtp.before(batch, affixes=transport.options.rcpt_include_affixes, crlf=crlf)
    yield from shaped(message.pieces(), Shape(crlf, b".", b"..", smtp=True, final_newline=True))
    yield bsmtp.after(crlf=crlf)
    if suffix:
        yield suffix.encode("latin-1")


def _expanded(text: Expansion | None, name: str, transport: Transport, scope: Scope) -> str | None:
    if text is None:
        return None
    try:
        return text(scope)
    except ForcedFail:
        return ""
    except ExpansionFailed as error:
        raise BadFrame(
            f'Expansion of "{text.source}" ({name} for {transport.name} transport) failed: {error.message}'
        ) from None

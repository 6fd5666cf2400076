"""What of a message is written at delivery: its header lines as options have them, its body, and filters on the way.

Bytes come as chunks of LF text from ``Content.pieces``; ``stuffing`` makes them fit the medium.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from mta.errors import ExpansionFailed, ForcedFail, MtaError
from mta.mail.headers import DELETED, Header, Headers
from mta.scope.expansion import Expansion
from mta.scope.scope import Scope
from mta.text import ascii as ascii_text
from mta.transport.base import Batch, Transport
from mta.transport.bsmtp import one_line
from mta.transport.command import BadCommand, command_line
from mta.transport.stuffing import CHUNK

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class ContentFailed(MtaError):
    """A message cannot be composed; ``message`` has a hole ``{where}`` for "while writing to ..."."""

    def __init__(self, message: str, errno: int, *, timeout: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.timeout = timeout

    def at(self, place: str) -> str:
        """The log's sentence; ``place`` is what was written to, or "" for a network connection."""
        return self.message.replace("{where}", f" while writing to {place}" if place else "")


def full_date(now: float) -> str:
    """``Mon, 23 Nov 2026 01:24:50 +0000``, in the local time zone, whatever the locale."""
    at = time.localtime(now)
    minutes = abs(at.tm_gmtoff) // 60
    sign = "-" if at.tm_gmtoff < 0 else "+"
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
    return f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year} {clock} {zone}"


def mailbox_date(now: float) -> str:
    """``Mon Nov 23 01:24:50 2026``, as BSD mailboxes have it ($tod_bsdinbox)."""
    at = time.localtime(now)
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
    return f"{_DAYS[at.tm_wday]} {_MONTHS[at.tm_mon - 1]} {at.tm_mday:02d} {clock} {at.tm_year}"


@dataclass(slots=True)
class Content:
    """One message as it goes out: composed header lines, and where the body comes from."""

    head: bytes  # LF line ends, with the empty line after the header; empty for body_only
    batch: Batch
    with_body: bool = True
    filtered: BinaryIO | None = field(default=None)  # a transport filter's output, which replaces all
    signatures: bytes = b""  # header lines that go on top of everything, LF line ends

    def pieces(self) -> Iterator[bytes]:
        """Header and body, in chunks of at most 64 KiB; the first holds the whole header."""
        if self.filtered is not None:
            self.filtered.seek(0)
            if self.signatures:
                yield self.signatures + self.filtered.read(CHUNK)
            yield from iter(lambda: self.filtered.read(CHUNK), b"")  # type: ignore[union-attr]
            return
        head = self.signatures + self.head if self.signatures else self.head
        if not self.with_body:
            yield head
            return
        with self.batch.open_body() as body:
            first = body.read(CHUNK)
            yield head + first
            if len(first) == CHUNK:
                yield from iter(lambda: body.read(CHUNK), b"")

    def size(self) -> int:
        """Bytes of ``pieces`` with LF line ends."""
        if self.filtered is not None:
            return len(self.signatures) + self.filtered.seek(0, 2)
        return len(self.signatures) + len(self.head) + (self.batch.message.body_size if self.with_body else 0)

    def close(self) -> None:
        if self.filtered is not None:
            self.filtered.close()


def compose(transport: Transport, batch: Batch, scope: Scope, *, now: float | None = None) -> Content:
    """The message for this batch. Raises ContentFailed; close what it returns."""
    options = transport.options
    moment = time.time() if now is None else now
    head = b""
    if not options.body_only:
        head = (header_text(transport, batch, scope, moment) + "\n").encode("latin-1")
    content = Content(head, batch, with_body=not options.headers_only)
    if options.transport_filter is not None:
        content.filtered = _run_filter(transport, content, scope)
    return content


def header_text(transport: Transport, batch: Batch, scope: Scope, now: float) -> str:
    """The header lines in Exim's order: added traces, the message's own, routers' additions, the transport's."""
    options = transport.options
    recipient = batch.recipients[0]
    removed = [*recipient.headers_remove]
    added = [*recipient.headers_add]
    try:
        if options.headers_remove:
            removed.extend(_expand_items(options.headers_remove, scope))
        if options.headers_add:
            added.extend(_expand_items(options.headers_add, scope))
    except ExpansionFailed as error:
        raise ContentFailed(f"failed to expand headers_add or headers_remove{{where}}: {error.message}", -25) from None
    out = []
    if options.return_path_add:
        out.append(f"Return-path: <{one_line(batch.return_path)}>\n")
    if options.envelope_to_add:
        out.append(f"Envelope-to: {envelope_to(batch)}\n")
    if options.delivery_date_add:
        out.append(f"Delivery-date: {full_date(now)}\n")
    headers = batch.message.headers
    if options.headers_rewrite:
        headers = rewritten(headers, options.headers_rewrite, scope)
    is_removed = _removal(removed)
    for line in headers.lines:
        if line.type != DELETED and (is_removed is None or not is_removed(line.name)):
            out.append(line.text)
    out.extend(text if text.endswith("\n") else text + "\n" for text in added if text)
    return "".join(out)


def envelope_to(batch: Batch) -> str:
    """The addresses of the envelope that led here, each once, folded as Exim folds them."""
    seen: dict[str, None] = {}
    for recipient in batch.recipients:
        seen.setdefault(one_line(recipient.top.address))
    return ",\n ".join(seen)


def rewritten(headers: Headers, rules: object, scope: Scope) -> Headers:
    """The header lines after headers_rewrite; the message's own stay as they are."""
    copy = Headers([Header(line.text, line.type) for line in headers.lines])
    if hasattr(rules, "apply"):
        result = rules.apply(copy, scope)
    else:
        # Rewriting is of a higher room, which leaves its function here.
        result = scope.services.state["rewrite_headers"](rules, copy, scope)
    return result if isinstance(result, Headers) else copy


def _expand_items(items: tuple[Expansion, ...], scope: Scope) -> list[str]:
    out = []
    for item in items:
        try:
            text = item(scope)
        except ForcedFail:
            continue
        if text:
            out.append(text)
    return out


def _removal(items: list[str]) -> Callable[[str], bool] | None:
    """A test for the field names to leave out; ``x-*`` is a prefix. None when nothing goes."""
    if not items:
        return None
    lowered = [ascii_text.lower(ascii_text.strip(item)).rstrip(":") for item in items]
    names = {item for item in lowered if not item.endswith("*")}
    prefixes = tuple(item[:-1] for item in lowered if item.endswith("*"))

    def is_removed(name: str) -> bool:
        key = ascii_text.lower(name)
        return key in names or (bool(prefixes) and key.startswith(prefixes))

    return is_removed


def _run_filter(transport: Transport, content: Content, scope: Scope) -> BinaryIO | None:
    """The output of transport_filter in a temporary file; None when the option expands to nothing."""
    options = transport.options
    assert options.transport_filter is not None
    addresses = [recipient.address for recipient in content.batch.recipients]
    text = options.transport_filter
    if not ascii_text.strip(text):
        return None
    try:
        command = command_line(text, scope, "transport filter", addresses, taint_is_failure=False)
    except BadCommand as error:
        raise ContentFailed(str(error), -25) from None
    if not command[0]:
        return None
    out = tempfile.TemporaryFile()  # noqa: SIM115  (the Content closes it)
    try:
        _filter_through(command, content, out, options.transport_filter_timeout)
    except BaseException:
        out.close()
        raise
    return out


def _filter_through(command: list[str], content: Content, out: BinaryIO, timeout: float) -> None:
    try:
        process = subprocess.Popen(
            [word.encode("latin-1") for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError:
        raise ContentFailed("transport filter process failed (127){where}: unable to execute command", -24) from None
    assert process.stdin is not None
    assert process.stdout is not None
    timed_out = threading.Event()

    def expire() -> None:
        timed_out.set()
        process.kill()

    def write() -> None:
        assert process.stdin is not None
        try:
            with process.stdin as pipe:
                for piece in content.pieces():
                    pipe.write(piece)
        except BrokenPipeError:
            return  # it need not read all; its exit code tells

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    timer = threading.Timer(timeout, expire) if timeout else None
    if timer is not None:
        timer.start()
    try:
        with process.stdout as pipe:
            for piece in iter(lambda: pipe.read(CHUNK), b""):
                out.write(piece)
    finally:
        if timer is not None:
            timer.cancel()
        code = process.wait()
        writer.join()
    if timed_out.is_set():
        raise ContentFailed("transport filter timed out{where}", -24, timeout=True)
    if code:
        raise ContentFailed(f"transport filter process failed ({code if code > 0 else -code}){{where}}", -24)

"""The parts of a MIME message, one after the other: ``walk(scope, ask)`` sets ``$mime_...`` and calls ``ask`` for each.

One pass over the body finds all the parts (RFC 2046 5.1); an enclosing boundary ends whatever is open inside. Depth,
number of parts and header sizes are bounded; TooComplex says that a message goes beyond that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mta.errors import MtaError
from mta.mail.endings import at_end
from mta.mail.verdict import ACCEPTED, Ruling, Verdict
from mta.scan.copy import Copy, ScanFailed, copy_of
from mta.scan.decoding import BLOCK, Anomaly, Read, decoded
from mta.scan.fields import Fields, read_fields
from mta.scope.scope import Scope
from mta.text.taint import Tainted

MAX_PARTS = 10_000  # of a message, those of attached messages included
MAX_NESTING = 100  # multiparts in each other
MAX_ATTACHED = 20  # messages in each other
MAX_HEADER = 1 << 16  # bytes of a part's header
MAX_LINE = 8192  # bytes of a line that may be a boundary
CURRENT = "scan.part"  # in Message.acl_memory
VARIABLES = (
    "mime_anomaly_level", "mime_anomaly_text", "mime_boundary", "mime_charset", "mime_content_description",
    "mime_content_disposition", "mime_content_id", "mime_content_size", "mime_content_transfer_encoding",
    "mime_content_type", "mime_decoded_filename", "mime_filename", "mime_is_coverletter", "mime_is_multipart",
    "mime_is_rfc822",
)  # fmt: skip


class TooComplex(MtaError):
    """More parts, or deeper ones, than we look at."""


@dataclass(slots=True)
class Part:
    """``start`` to ``end``: the content in its source. ``depth``: how many boundaries enclose it."""

    read: Read
    fields: Fields
    start: int
    end: int
    depth: int = 0
    cover: bool = True
    children: int = 0
    anomaly: Anomaly = field(default_factory=Anomaly)

    @property
    def covers_children(self) -> bool:
        """Whether the next child is still of the cover letter."""
        alike = self.fields.content_type in ("multipart/alternative", "multipart/related")
        return self.cover and (alike or not self.children)


def is_mime(scope: Scope) -> bool:
    """Whether the MIME ACL is called at all."""
    return bool(scope.message.headers.named("content-type"))


def walk(scope: Scope, ask: Callable[[], Verdict]) -> Verdict:
    """Call ``ask`` for every part until it does not accept; the last verdict. Raises TooComplex and ScanFailed."""
    message = scope.message
    read = scope.body or (lambda _start, _size: b"")
    lines = [header.text for header in message.headers]
    walker = _Walker(scope, ask)
    at_end(message, lambda: _forget(scope))
    try:
        return walker.message(read, lines, 0, _size_of(read, message.body_size), attached=0)
    finally:
        message.acl_memory.pop(CURRENT, None)
        for name in VARIABLES:
            scope.vars.pop(name, None)


def _forget(scope: Scope) -> None:
    scope.vars.pop("mime_part_count", None)


def _size_of(read: Read, known: int) -> int:
    """How long the body is: what reception counted, or found by asking."""
    if known > 0 and not read(known, 1):
        return known
    size = 0
    while block := read(size, BLOCK):
        size += len(block)
    return size


@dataclass(slots=True)
class _Walker:
    scope: Scope
    ask: Callable[[], Verdict]
    total: int = 0

    def message(self, read: Read, lines: list[str], start: int, end: int, *, attached: int) -> Verdict:
        """All the parts of one message."""
        scope = self.scope
        charset = scope.site.options.headers_charset
        parts = find_parts(read, read_fields(lines, charset), start, end, charset)
        verdict = ACCEPTED
        for number, part in enumerate(parts):
            self.total += 1
            if self.total > MAX_PARTS:
                raise TooComplex("too many MIME parts")
            scope.vars["mime_part_count"] = str(number)
            self._enter(part, attached)
            verdict = self.ask()
            if verdict.ruling is Ruling.ACCEPT and part.fields.content_type == "message/rfc822":
                verdict = self._attached(part, attached + 1)
                scope.vars["mime_part_count"] = str(number)
            if verdict.ruling is not Ruling.ACCEPT:
                break
        return verdict

    def _enter(self, part: Part, attached: int) -> None:
        variables, fields = self.scope.vars, part.fields
        for name in VARIABLES:
            variables.pop(name, None)
        for name, value in fields.variables.items():
            variables[name] = Tainted(value)
        variables["mime_is_coverletter"] = "1" if part.cover else "0"
        variables["mime_is_multipart"] = "1" if fields.multipart else "0"
        variables["mime_is_rfc822"] = "1" if attached else "0"
        self.scope.message.acl_memory[CURRENT] = part

    def _attached(self, part: Part, attached: int) -> Verdict:
        """The ACL for the parts of an attached message, which goes to a file for that where it is in none yet."""
        if attached > MAX_ATTACHED:
            raise TooComplex("messages attached to messages too deeply")
        known = self.scope.vars.get("mime_decoded_filename")
        path = known or decode(self.scope, part, "")
        try:
            return self._file(path, attached)
        except OSError as error:
            raise ScanFailed(f"cannot read {path}: {error.strerror}") from None
        finally:
            if not known:
                with suppress(OSError):
                    os.unlink(path)

    def _file(self, path: str, attached: int) -> Verdict:
        with open(path, "rb") as file:

            def read(start: int, size: int) -> bytes:
                file.seek(start)
                return file.read(size)

            size = os.fstat(file.fileno()).st_size
            lines, body = header_lines(read, 0, size, ())
            return self.message(read, lines, body, size, attached=attached)


def find_parts(read: Read, top: Fields, start: int, end: int, charset: str) -> list[Part]:
    """The message itself and every part in it, in order."""
    first = Part(read, top, start, end)
    parts, still_open = [first], [first]
    stack: list[tuple[bytes, Part]] = []
    _push(stack, first)
    at = start
    for line_start, line_end, line in _delimiters(read, start, end):
        if not stack:
            break
        if line_start < at:
            continue  # inside a header
        found = _level(stack, line)
        if found is None:
            continue
        level, closing = found
        while still_open and still_open[-1].depth > level:
            still_open.pop().end = line_start
        parent = stack[level][1]
        del stack[level + (0 if closing else 1) :]
        if closing:
            continue
        lines, at = header_lines(read, line_end, end, [boundary for boundary, _ in stack])
        part = Part(read, read_fields(lines, charset), at, end, level + 1, parent.covers_children)
        parent.children += 1
        parts.append(part)
        still_open.append(part)
        if len(parts) > MAX_PARTS:
            raise TooComplex("too many MIME parts")
        _push(stack, part)
    for part in parts:
        part.end = max(part.end, part.start)
    return parts


def _push(stack: list[tuple[bytes, Part]], part: Part) -> None:
    if part.fields.multipart and part.fields.boundary:
        if len(stack) >= MAX_NESTING:
            raise TooComplex("MIME parts are nested too deeply")
        stack.append((b"--" + part.fields.boundary.encode("latin-1"), part))


def _level(stack: list[tuple[bytes, Part]], line: bytes) -> tuple[int, bool] | None:
    """Which open boundary a line is, innermost first, and whether it closes it."""
    text = line.rstrip(b" \t\r\n")
    for level in range(len(stack) - 1, -1, -1):
        boundary = stack[level][0]
        if text == boundary:
            return level, False
        if text == boundary + b"--":
            return level, True
    return None


def _delimiters(read: Read, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Lines that begin with two hyphens: where they begin and end, and their first MAX_LINE bytes."""
    at, fresh, kept = start, True, b""
    while at < end or kept:
        block = read(at + len(kept), min(BLOCK, end - at - len(kept))) if at + len(kept) < end else b""
        text = kept + block
        last = not block
        position = 0
        if fresh and text.startswith(b"--"):
            found = 0
        else:
            found = text.find(b"\n--") + 1 or -1
        while found >= 0:
            newline = text.find(b"\n", found)
            if newline < 0 and not last and len(text) - found < BLOCK:
                break
            stop = newline + 1 if newline >= 0 else len(text)
            yield at + found, at + stop, text[found : min(stop, found + MAX_LINE)]
            position = stop
            found = text.find(b"\n--", stop - 1) + 1 or -1
        if last:
            return
        cut = found if found >= 0 else max(position, len(text) - 2, 0)
        fresh = cut > 0 and text[cut - 1 : cut] == b"\n" if cut else fresh
        at, kept = at + cut, text[cut:]


def header_lines(read: Read, start: int, end: int, boundaries: list[bytes] | tuple[()]) -> tuple[list[str], int]:
    """A part's header lines with their folds, and where its content begins; a boundary ends it, too."""
    text = read(start, min(MAX_HEADER, end - start)) if start < end else b""
    lines: list[str] = []
    at = 0
    while at < len(text):
        newline = text.find(b"\n", at)
        stop = newline + 1 if newline >= 0 else len(text)
        line = text[at:stop]
        if line in (b"\n", b"\r\n"):
            return lines, start + stop
        bare = line.rstrip(b" \t\r\n")
        if bare.startswith(b"--") and any(bare in (one, one + b"--") for one in boundaries):
            return lines, start + at
        if line[:1] in b" \t" and lines:
            lines[-1] += line.decode("latin-1")
        else:
            lines.append(line.decode("latin-1"))
        at = stop
    return lines, start + len(text)


def decode(scope: Scope, part: Part, name: str) -> str:
    """Write a part's decoded content to a file and set its variables; the file's path.

    ``name``: "" for the next name in the scan folder, an absolute path (a folder: a name in it), or a file name for
    that folder. Raises ScanFailed.
    """
    copy = copy_of(scope)
    path = _path_for(copy, name, scope.message.id)
    size = 0
    try:
        with copy.create(path) as file:
            for block in decoded(part.read, part.start, part.end, part.fields.encoding, part.anomaly):
                size += len(block)
                file.write(block)
    except OSError as error:
        raise ScanFailed(f"cannot decode a MIME part to {path}: {error.strerror}") from None
    scope.vars["mime_decoded_filename"] = path
    scope.vars["mime_content_size"] = str((size + 1023) // 1024)
    scope.vars["mime_anomaly_level"] = str(part.anomaly.level)
    scope.vars["mime_anomaly_text"] = part.anomaly.text
    return path


def _path_for(copy: Copy, name: str, message_id: str) -> str:
    if name.startswith("/") and not os.path.isdir(name):
        return name
    if name and not name.startswith("/"):
        if "/" in name or name in (".", ".."):
            raise ScanFailed(f'"{name}" is not the name of a file in the scan folder')
        return os.path.join(copy.folder, name)
    folder = name or copy.folder
    while True:
        path = os.path.join(folder, f"{message_id}-{copy.number:05d}")
        copy.number += 1
        if not os.path.lexists(path):
            return path

"""The autoreply transport (manual chapter 27): composes a message in answer and hands it in.

Handing in is ``services.state["submit_message"](sender, recipients, header_text, body_text) -> id``. Who has been
answered is kept in a small file of our own form, one line an address: seconds since the epoch, then the address.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mta.errors import ExpansionFailed, ForcedFail, MtaError
from mta.mail.outcome import Outcome
from mta.mail.recipient import Reply
from mta.scope.expansion import Expansion, Tainted, expand_with_taint
from mta.scope.scope import Scope
from mta.text.ascii import lower, strict_int, strip
from mta.text.units import parse_time
from mta.transport import content, outcomes
from mta.transport.base import Batch, Transport
from mta.transport.content import full_date
from mta.transport.generic import enter

if TYPE_CHECKING:
    from mta.transport.drivers.autoreply import Autoreply

_ONCE_KEPT = 31 * 86400.0  # seconds: Sieve's longest :days
_ONCE_NAME = re.compile(r"[0-9A-F]{32}\Z")
_MOST_REFERENCES = 12  # RFC 5322 sets no limit; message ids kept from a long chain


class BadReply(MtaError):
    """The reply cannot be made; ``message`` is for the log."""

    def __init__(self, message: str, errno: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno


def deliver(options: Autoreply, transport: Transport, batch: Batch, scope: Scope) -> list[Outcome]:
    """Compose the reply and hand it in."""
    enter(batch, scope)
    try:
        return _Answer(options, transport, batch, scope).run()
    except BadReply as error:
        return outcomes.deferred(batch, transport, error.message, error.errno)
    except content.ContentFailed as error:
        return outcomes.misconfigured(batch, error.at(""), error.errno)


@dataclass(slots=True)
class _Answer:
    options: Autoreply
    transport: Transport
    batch: Batch
    scope: Scope

    def run(self) -> list[Outcome]:
        reply = self.batch.recipients[0].reply
        reply = replace(reply) if reply is not None else self.from_options()
        self.drop_never_mail(reply)
        people = _addresses(reply.to) + _addresses(reply.cc) + _addresses(reply.bcc)
        done = outcomes.delivered(self.batch, self.transport)
        if not people:
            return done
        if reply.once and self.seen_before(reply):
            self.write_log(reply, "previously sent to")
            return done
        head, body = self.header(reply), self.body(reply)
        submit = self.scope.services.state.get("submit_message")
        if submit is None:
            raise BadReply(f"Failed to send message from {self.transport.name} transport (no way to submit it)")
        submit("", people, head, body)
        if reply.once:
            self.remember(reply)
        self.write_log(reply, "")
        return done

    def from_options(self) -> Reply:
        options = self.options
        once_repeat = 0.0
        if options.once_repeat is not None:
            text = self.expand(options.once_repeat, "once_repeat")
            seconds = parse_time(text)
            if seconds is None:
                raise BadReply(f'Invalid time value "{text}" for "once_repeat" in {self.transport.name} transport')
            once_repeat = seconds
        return Reply(
            to=self.line(options.to, "to"),
            cc=self.line(options.cc, "cc"),
            bcc=self.line(options.bcc, "bcc"),
            from_=self.line(options.from_, "from"),
            reply_to=self.line(options.reply_to, "reply_to"),
            subject=self.line(options.subject, "subject"),
            headers=self.line(options.headers, "headers", several=True),
            text=self.expand(options.text, "text"),
            file=self.file_name(options.file, "file"),
            file_expand=options.file_expand,
            return_message=options.return_message,
            once=self.file_name(options.once, "once"),
            once_repeat=once_repeat,
            log=self.file_name(options.log, "log"),
        )

    # -- values of options

    def expand(self, option: Expansion | None, name: str) -> str:
        if option is None:
            return ""
        try:
            return option(self.scope)
        except ForcedFail:
            return ""
        except ExpansionFailed as error:
            raise BadReply(
                f'Expansion of "{option.source}" failed in {self.transport.name} transport: {error.message}', -1
            ) from None

    def line(self, option: Expansion | None, name: str, *, several: bool = False) -> str:
        """A header's value: printing characters, newlines only where white space follows."""
        text = self.expand(option, name)
        self.check_line(text, name, several)
        return text

    def check_line(self, text: str, name: str, several: bool) -> None:
        for index, char in enumerate(text):
            if char in " \t" or " " < char < "\x7f" or char >= "\xa0":
                continue
            if char == "\n" and (several or text[index + 1 : index + 2] in (" ", "\t")):
                continue
            if char >= "\x80" and getattr(self.scope.site.options, "print_topbitchars", False):
                continue
            raise BadReply(
                f'Expansion of "{name}" in {self.transport.name} transport contains non-printing character {ord(char)}',
                -1,
            )

    def file_name(self, option: Expansion | None, name: str) -> str:
        if option is None:
            return ""
        try:
            value = expand_with_taint(option, self.scope)
        except ForcedFail:
            return ""
        except ExpansionFailed as error:
            raise BadReply(
                f'Expansion of "{option.source}" failed in {self.transport.name} transport: {error.message}', -1
            ) from None
        if isinstance(value, Tainted):
            raise BadReply(f"Tainted '{value}' ({name} file for {self.transport.name} transport) not permitted", -1)
        return value

    def drop_never_mail(self, reply: Reply) -> None:
        rule = self.options.never_mail
        if rule is None:
            return
        for name in ("to", "cc", "bcc"):
            kept = [item for item in _items(getattr(reply, name)) if rule.match(self.scope, _bare(item)) is None]
            setattr(reply, name, ", ".join(kept))

    # -- the message

    def header(self, reply: Reply) -> str:
        site = self.scope.site.options
        lines = []
        for name, value in (
            ("From", reply.from_),
            ("Reply-To", reply.reply_to),
            ("To", reply.to),
            ("Cc", reply.cc),
            ("Subject", reply.subject),
        ):
            if value:
                self.check_line(value, name.lower(), several=False)
                lines.append(f"{name}: {value}\n")
        if not reply.from_:
            first = self.batch.recipients[0]
            owner = first if first.kind == "address" else first.parent or first
            domain = owner.domain or getattr(site, "qualify_domain", "") or site.primary_hostname
            lines.insert(0, f"From: {owner.local_part}@{domain}\n")
        ids = self.references()
        if ids:
            lines.append(f"In-Reply-To: {ids[-1]}\n")
            lines.append("References: " + "\n ".join(ids) + "\n")
        if not lower(reply.headers).startswith("auto-submitted:"):  # a notice has one of its own (RFC 5436)
            lines.append("Auto-Submitted: auto-replied\n")
        if reply.headers:
            self.check_line(reply.headers, "headers", several=True)
            lines.append(reply.headers if reply.headers.endswith("\n") else reply.headers + "\n")
        lines.append(f"Date: {full_date(time.time())}\n")
        return "".join(lines)

    def references(self) -> list[str]:
        """RFC 5322 3.6.4: the message's References (or In-Reply-To), then its own id."""
        headers = self.batch.message.headers
        found: list[str] = []
        for name in ("references", "in-reply-to"):
            lines = headers.named(name)
            if lines:
                found = _message_ids(lines[0].value)
                break
        own = headers.named("message-id")
        if own:
            found += _message_ids(own[0].value)[:1]
        if len(found) > _MOST_REFERENCES:
            found = [found[0], *found[1 - _MOST_REFERENCES :]]
        return found

    def body(self, reply: Reply) -> str:
        out = [reply.text if not reply.text or reply.text.endswith("\n") else reply.text + "\n"]
        if reply.file:
            out.append(self.file_text(reply))
        if reply.return_message or self.options.return_message:
            out.append(self.original())
        return "".join(out)

    def file_text(self, reply: Reply) -> str:
        try:
            with open(reply.file, "rb") as file:
                text = file.read(1 << 24).decode("latin-1")
        except OSError as error:
            if self.options.file_optional:
                return ""
            raise BadReply(
                f"Failed to open file {reply.file} when sending message from {self.transport.name} transport: "
                f"{os.strerror(error.errno or 0)}"
            ) from None
        if reply.file_expand:
            try:
                text = "".join(
                    self.scope.services.compile_text(line)(self.scope) for line in text.splitlines(keepends=True)
                )
            except ExpansionFailed as error:
                raise BadReply(
                    f"failed to expand line from {reply.file} for {self.transport.name} transport: {error.message}"
                ) from None
        return text if not text or text.endswith("\n") else text + "\n"

    def original(self) -> str:
        """The message answered, cut at return_size_limit as bounces are."""
        site = self.scope.site.options
        limit = getattr(site, "return_size_limit", 102400) or 1 << 30
        rule = "------ This is a copy of "
        full = self.batch.message.message_size <= limit
        head = (
            f"\n{rule}the message, including all the headers.\n\n"
            if full
            else f"\n{rule}the message, including all the headers.\n"
            f"------ The body of the message is {self.batch.message.body_size} characters long; only the first\n"
            f"------ {limit} or so are included here.\n\n"
        )
        message = content.compose(self.transport, self.batch, self.scope)
        try:
            pieces = []
            left = limit
            for piece in message.pieces():
                pieces.append(piece[:left])
                left -= len(piece)
                if left <= 0:
                    break
        finally:
            message.close()
        return head + b"".join(pieces).decode("latin-1")

    # -- once and log

    def seen_before(self, reply: Reply) -> bool:
        moments = _read_once(reply.once)
        for address in _addresses(reply.to):
            sent = moments.get(lower(address))
            if sent is not None and (not reply.once_repeat or time.time() - sent < reply.once_repeat):
                return True
        return False

    def remember(self, reply: Reply) -> None:
        """Note when the To: recipients were answered; past once_file_size the oldest are dropped."""
        limit = self.options.once_file_size
        try:
            if reply.once_directory:
                _tidy(reply.once_directory)
            fd = os.open(reply.once, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, self.options.mode)
        except OSError as error:
            raise BadReply(
                f'Failed to open "once" file {reply.once} when sending message from {self.transport.name} transport',
                error.errno or -1,
            ) from None
        with os.fdopen(fd, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            moments = _parse_once(file.read())
            for address in _addresses(reply.to):
                moments.pop(lower(address), None)
                moments[lower(address)] = int(time.time())
            lines = [f"{moment} {address}\n".encode("latin-1") for address, moment in moments.items()]
            while limit > 0 and len(lines) > 1 and sum(map(len, lines)) > limit:
                lines.pop(0)
            file.seek(0)
            file.write(b"".join(lines))
            file.truncate()

    def write_log(self, reply: Reply, note: str) -> None:
        if not reply.log:
            return
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())
        lines = [now]
        if note:
            lines.append(f"  {note} {reply.to}")
        else:
            named = (
                ("From", reply.from_),
                ("To", reply.to),
                ("Cc", reply.cc),
                ("Bcc", reply.bcc),
                ("Subject", reply.subject),
            )
            lines.extend(f"  {name}: {value}" for name, value in named if value)
            if reply.headers:
                lines.append(f"  {reply.headers.removesuffix(chr(10))}")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(reply.log, flags, self.options.mode)
        except OSError as error:
            self.scope.services.log_main(
                f"{self.batch.message.id} failed to open log file {reply.log} when sending message from "
                f"{self.transport.name} transport: {os.strerror(error.errno or 0)}"
            )
            return
        try:
            os.write(fd, ("\n".join(lines) + "\n").encode("latin-1"))
        finally:
            os.close(fd)


def _tidy(folder: str) -> None:
    """Make a folder of once files (Sieve's vacation); those that no answer can need any more go."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    oldest = time.time() - _ONCE_KEPT
    with os.scandir(folder) as entries:
        for entry in entries:
            old = _ONCE_NAME.match(entry.name) and entry.stat(follow_symlinks=False).st_mtime < oldest
            if old and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)


def _read_once(path: str) -> dict[str, int]:
    try:
        with open(path, "rb") as file:
            return _parse_once(file.read())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadReply(f'Failed to open "once" file {path}', error.errno or -1) from None


def _parse_once(data: bytes) -> dict[str, int]:
    moments: dict[str, int] = {}
    for line in data.decode("latin-1").split("\n"):
        moment, _, address = line.partition(" ")
        seconds = strict_int(moment)
        if seconds is not None and address:
            moments[address] = seconds
    return moments


def _items(text: str) -> list[str]:
    """The addresses of a header's value, parted at commas outside quotes, comments and brackets."""
    out, start, quoted, depth, index = [], 0, False, 0, 0
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "(<":
            depth += 1
        elif not quoted and char in ")>":
            depth = max(0, depth - 1)
        elif char == "," and not quoted and not depth:
            out.append(text[start:index])
            start = index + 1
        index += 1
    out.append(text[start:])
    return [strip(item) for item in out if strip(item)]


def _bare(item: str) -> str:
    """The address inside angle brackets, or the item without comments."""
    if "<" in item and item.rstrip().endswith(">"):
        return strip(item[item.rindex("<") + 1 : item.rindex(">")])
    kept, depth = [], 0
    for char in item:
        depth += char == "("
        if not depth:
            kept.append(char)
        depth -= char == ")" and depth > 0
    return strip("".join(kept))


def _addresses(text: str) -> list[str]:
    return [address for address in (_bare(item) for item in _items(text)) if address]


def _message_ids(value: str) -> list[str]:
    out: list[str] = []
    rest = value
    while True:
        start = rest.find("<")
        end = rest.find(">", start)
        if start < 0 or end < 0:
            return out
        out.append("".join(rest[start : end + 1].split()))
        rest = rest[end + 1 :]

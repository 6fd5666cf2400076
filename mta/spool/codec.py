"""The ``-H`` file: ``encode(message, peer)`` and ``decode(data, message_id)``, as Exim 4.96 writes and reads it.

Manual section 57.1. Options that we do not use are carried in ``Message.extra`` by their name with its
hyphens. ``decode`` raises SpoolError(damaged=True) for anything that is no header file.
"""

from __future__ import annotations

import zlib

from mta.errors import SpoolError
from mta.mail.headers import Header, Headers
from mta.mail.ids import is_message_id
from mta.mail.message import EnvelopeRecipient, Message
from mta.mail.peer import Peer
from mta.spool import options
from mta.spool.tree import TreeError, read_tree, write_tree
from mta.text.ascii import strict_int
from mta.text.taint import Tainted

# Ours: whole length of the header file, of the data file, and a CRC of the rest. It is written at reception only,
# where the file gets its name before it is synced, so that a header file cut short by a crash is known as such.
LENGTH_LINE = "-mta_length"
MAX_HEADER_FILE = 1 << 28


def encode(message: Message, peer: Peer, data_size: int | None = None) -> bytes:
    """The header file's bytes; ``data_size`` (bytes of the -D file) adds the LENGTH_LINE."""
    seconds = int(message.received_time)
    top = [
        f"{message.id}-H\n",
        f"{options.one_line(message.originator_login) or 'unknown'} "
        f"{message.originator_uid} {message.originator_gid}\n",
        f"<{options.one_line(message.sender)}>\n",
        f"{seconds} {message.warning_count}\n",
        options.write_options(message, peer),
    ]
    bottom = [write_tree(options.one_line(address) for address in message.delivered)]
    bottom.append(f"{len(message.recipients)}\n")
    bottom.extend(_write_recipient(recipient) for recipient in message.recipients)
    bottom.append("\n")
    bottom.extend(f"{len(line.text):03d}{line.type} {line.text}" for line in message.headers.lines)
    before, after = "".join(top).encode("latin-1"), "".join(bottom).encode("latin-1")
    if data_size is None:
        return before + after
    return before + _length_line(before, after, data_size) + after


def _length_line(before: bytes, after: bytes, data_size: int) -> bytes:
    size = len(LENGTH_LINE) + 1 + 10 + 1 + 15 + 1 + 8 + 1
    total = len(before) + len(after) + size
    crc = zlib.crc32(after, zlib.crc32(before))
    return f"{LENGTH_LINE} {total:010d} {data_size:015d} {crc:08x}\n".encode()


def _write_recipient(recipient: EnvelopeRecipient) -> str:
    address = options.one_line(recipient.address)
    errors_to, orcpt = options.one_line(recipient.errors_to or ""), options.one_line(recipient.orcpt)
    if recipient.parent < 0 and not errors_to and not orcpt and not recipient.notify:
        return address + "\n"
    return f"{address} {orcpt} {len(orcpt)},{recipient.notify} {errors_to} {len(errors_to)},{recipient.parent}#3\n"


class _Lines:
    """A cursor over the file's lines and counted strings."""

    __slots__ = ("position", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def line(self) -> str:
        end = self.text.find("\n", self.position)
        if end < 0:
            raise SpoolError("header file ends too early", damaged=True)
        found = self.text[self.position : end]
        self.position = end + 1
        return found

    def counted(self, size: int) -> str:
        """``size`` characters and the newline after them."""
        end = self.position + size
        if self.text[end : end + 1] != "\n":
            raise SpoolError("a counted string of the header file is cut short", damaged=True)
        found = self.text[self.position : end]
        self.position = end + 1
        return found


def decode(data: bytes, message_id: str) -> tuple[Message, Peer]:
    """Message and peer of a header file's bytes."""
    if len(data) > MAX_HEADER_FILE:
        raise SpoolError("header file is too large", damaged=True)
    lines = _Lines(data.decode("latin-1"))
    if not is_message_id(message_id) or lines.line() != f"{message_id}-H":
        raise SpoolError("the first line of the header file is not its name", damaged=True)
    message, peer = Message(id=message_id), Peer()
    _read_envelope(lines, message)
    _read_options(lines, message, peer, data)
    try:
        message.delivered = set(read_tree(lines.line))
    except TreeError as error:
        raise SpoolError(str(error), damaged=True) from None
    count = strict_int(lines.line(), maximum=10_000_000)
    if count is None:
        raise SpoolError("bad count of recipients in the header file", damaged=True)
    message.recipients = [_read_recipient(lines.line()) for _ in range(count)]
    if lines.line():
        raise SpoolError("no blank line after the recipients", damaged=True)
    message.headers = Headers(_read_headers(lines))
    message.sender_set = True
    return message, peer


def _read_envelope(lines: _Lines, message: Message) -> None:
    owner = lines.line().rsplit(" ", 2)
    if len(owner) != 3:
        raise SpoolError("bad second line in the header file", damaged=True)
    message.originator_login = owner[0]
    message.originator_uid, message.originator_gid = _signed(owner[1]), _signed(owner[2])
    sender = lines.line()
    if sender[:1] != "<" or sender[-1:] != ">":
        raise SpoolError("bad sender in the header file", damaged=True)
    message.sender = Tainted(sender[1:-1])
    seconds, _, warnings = lines.line().partition(" ")
    when, count = strict_int(seconds, maximum=1 << 40), strict_int(warnings, maximum=1 << 30)
    if when is None or count is None:
        raise SpoolError("bad time in the header file", damaged=True)
    message.received_time = float(when)
    message.received_complete = float(when)
    message.warning_count = count
    message.deliver_first_time = False


def _signed(text: str) -> int:
    value = strict_int(text.removeprefix("-"), maximum=1 << 32)
    if value is None:
        raise SpoolError("bad number in the header file", damaged=True)
    return -value if text.startswith("-") else value


def _read_options(lines: _Lines, message: Message, peer: Peer, data: bytes) -> None:
    while lines.text[lines.position : lines.position + 1] == "-":
        start = lines.position
        line = lines.line()
        name, _, value = line.partition(" ")
        if name == LENGTH_LINE:
            _check_length(value, data, start, lines.position)
            continue
        tainted = name.startswith("--")
        word = name[2:] if tainted else name[1:]
        if word.startswith("("):  # --(lookup)word: quoted for a lookup
            word = word.partition(")")[2]
        if word in ("aclc", "aclm", "acl"):
            variable, _, length = value.rpartition(" ")
            size = strict_int(length, maximum=MAX_HEADER_FILE)
            if size is None:
                raise SpoolError("bad length of an ACL variable", damaged=True)
            text = lines.counted(size)
            options.set_acl_variable(message, peer, word, variable, Tainted(text) if tainted else text)
            continue
        if not options.read_option(message, peer, word, Tainted(value) if tainted else value):
            message.extra[name] = value


def _check_length(value: str, data: bytes, start: int, end: int) -> None:
    total, _, rest = value.partition(" ")
    _, _, crc = rest.partition(" ")
    if strict_int(total) != len(data) or f"{zlib.crc32(data[end:], zlib.crc32(data[:start])):08x}" != crc:
        raise SpoolError("header file is incomplete", damaged=True)


def data_size_of(data: bytes) -> int | None:
    """The size of the data file that the header file of a fresh message promises; None when it does not say."""
    end = data.find(b"\n\n")
    start = data.find(b"\n" + LENGTH_LINE.encode() + b" ", 0, end if end >= 0 else None)
    if start < 0:
        return None
    words = data[start + 1 : data.find(b"\n", start + 1)].split()
    return strict_int(words[2].decode("latin-1")) if len(words) == 4 else None


def _read_recipient(line: str) -> EnvelopeRecipient:
    """``address`` or ``address orcpt len,notify errors_to len,parent#flags``, read from its end."""
    body, mark, flags = line.rpartition("#")
    bits = strict_int(flags, maximum=255) if mark else None
    if bits is None or " " not in body:
        return EnvelopeRecipient(Tainted(line))
    found = EnvelopeRecipient("")
    rest = body
    if bits & 1:
        rest, errors_to, parent = _field(rest)
        found.errors_to, found.parent = errors_to or None, parent
    if bits & 2:
        rest, orcpt, notify = _field(rest)
        found.orcpt, found.notify = Tainted(orcpt) if orcpt else "", notify
    found.address = Tainted(rest)
    return found


def _field(text: str) -> tuple[str, str, int]:
    """Take `` TEXT LEN,NUMBER`` off the end of a line: what is before it, TEXT and NUMBER."""
    head, _, numbers = text.rpartition(" ")
    length, comma, number = numbers.partition(",")
    size = strict_int(length, maximum=MAX_HEADER_FILE)
    if not comma or size is None or size + 1 > len(head) or head[len(head) - size - 1] != " ":
        raise SpoolError("bad recipient line in the header file", damaged=True)
    return head[: len(head) - size - 1], head[len(head) - size :], _signed(number)


def _read_headers(lines: _Lines) -> list[Header]:
    found = []
    text, position = lines.text, lines.position
    while position < len(text):
        digits = position
        while digits < len(text) and text[digits].isdigit():
            digits += 1
        size = strict_int(text[position:digits], maximum=MAX_HEADER_FILE)
        if size is None or text[digits + 1 : digits + 2] != " " or digits + 2 + size > len(text):
            raise SpoolError("bad header line in the header file", damaged=True)
        found.append(Header(text[digits + 2 : digits + 2 + size], text[digits]))
        position = digits + 2 + size
    return found

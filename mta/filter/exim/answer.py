"""The ``mail`` and ``vacation`` commands (filter manual 3.14): their options become a Reply."""

from __future__ import annotations

from collections.abc import Callable

from mta.filter.actions import Answer, FilterError
from mta.filter.exim.tree import Command
from mta.mail.recipient import Reply
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.text.quoting import printing
from mta.text.units import parse_time

_LABELS = ("to", "cc", "bcc", "from", "reply_to", "subject", "extra_headers", "text", "file", "log", "once")
_RAW = frozenset({"to", "cc", "bcc", "from", "reply_to", "file", "log", "once"})
_FILES = frozenset({"file", "log", "once", "once_repeat"})


def answer(command: Command, expand: Callable[[str], str], scope: Scope) -> Answer:
    """FilterError when a text does not expand or could break the header. once_repeat that is no interval counts 0."""
    values = {name: expand(text) if text else "" for name, text in command.options.items()}
    for name, value in values.items():
        _check(command, name, value)
    reply = Reply(
        to=values["to"] if "to" in values else expand("$reply_address"),
        cc=values.get("cc", ""),
        bcc=values.get("bcc", ""),
        from_=values.get("from", ""),
        reply_to=values.get("reply_to", ""),
        subject=values.get("subject", ""),
        headers=values.get("extra_headers", ""),
        text=values.get("text", ""),
        file=values.get("file", ""),
        file_expand=command.file_expand and "file" in values,
        return_message=command.return_message,
        once=values.get("once", ""),
        once_repeat=_seconds(values.get("once_repeat", "")),
        log=values.get("log", ""),
    )
    return Answer(reply, noerror=command.noerror)


def tainted_file(made: Answer) -> str:
    """A file's name that a peer had a hand in, or ""."""
    for value in (made.reply.file, made.reply.log, made.reply.once):
        if isinstance(value, Tainted):
            return value
    return ""


def _seconds(text: str) -> float:
    return parse_time(text) or 0.0


def _check(command: Command, name: str, value: str) -> None:
    """Header values: a newline only where the line goes on, or where a next header line begins; files print."""
    if name == "text":
        return
    for position, char in enumerate(value):
        if char != "\n":
            continue
        shown = printing(value)
        if name in _FILES:
            raise FilterError(f'non-printing character in "{shown}" in {command.name} command')
        rest = value[position + 1 :]
        if rest[:1] in (" ", "\t"):
            continue
        if name != "extra_headers":
            raise FilterError(f'\\n not followed by space in "{shown}" in {command.name} command')
        if not _begins_header(rest):
            raise FilterError(f'\\n not followed by space or valid header name in "{shown}" in {command.name} command')


def _begins_header(text: str) -> bool:
    name, colon, _ = text.partition(":")
    return bool(colon and name) and all("!" <= char <= "~" for char in name)


def show_answer(command: Command, made: Answer, indent: str) -> list[str]:
    """The lines that a filter test prints."""
    options, reply = command.options, made.reply
    to = reply.to if "to" in options else "<default>"
    kind = " (vacation)" if command.name == "vacation" else ""
    noerror = " (noerror)" if command.noerror else ""
    out = [f"{'Seen mail' if made.seen else 'Mail'} to: {to}{kind}{noerror}"]
    values = {
        "cc": reply.cc,
        "bcc": reply.bcc,
        "from": reply.from_,
        "reply_to": reply.reply_to,
        "subject": reply.subject,
        "extra_headers": reply.headers,
        "text": reply.text,
        "file": reply.file + (" (expanded)" if reply.file_expand else ""),
        "log": reply.log,
        "once": reply.once,
    }
    for name in _LABELS[1:]:
        if name in options:
            value = values[name] if name in _RAW else printing(values[name])
            out.append(f"{indent}{name:>7}: {value}")
    if "once_repeat" in options:
        out.append(f"once_repeat: {options['once_repeat']}")
    if reply.return_message:
        out.append(f"{indent}Return original message")
    return out

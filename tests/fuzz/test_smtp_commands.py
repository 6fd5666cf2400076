"""Invariant: any line is a command or is refused, never an exception; nothing that was taken holds controls."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.smtp.client import BadReply, ReplyReader
from mta.smtp.commands import (
    Offered,
    helo_name,
    parse_bdat,
    parse_command,
    parse_mail,
    parse_rcpt,
    xtext_decode,
    xtext_encode,
)
from mta.smtp.replies import spoken

WORDS = ["MAIL FROM:", "RCPT TO:", "<a@b>", " ", "SIZE=", "1", "BODY=8BITMIME", "RET=FULL", "ENVID=", "+41", "+0A",
         "AUTH=",
         "NOTIFY=NEVER", "ORCPT=", "=", '"', "\xff", "\t", "PRDR", "BDAT", "LAST", "EHLO", "[", "]", "::1"]  # fmt: skip
TEXT = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=9).map("".join), st.text(st.characters(max_codepoint=255), max_size=40)
)
ALL = Offered(True, True, True, True)


def printing(text: str) -> bool:
    return all(char >= " " and char != "\x7f" for char in text)


@given(TEXT)
@settings(max_examples=400, deadline=None)
def test_commands(line: str) -> None:
    parse_command(line)
    mail = parse_mail(line, ALL)
    if not isinstance(mail, str):
        assert printing(mail.envid)
        assert mail.auth is None or printing(mail.auth)
    rcpt = parse_rcpt(line, ALL)
    if not isinstance(rcpt, str):
        assert printing(rcpt.orcpt)
    parse_bdat(line)
    helo = helo_name(line, "_")
    assert helo is None or printing(helo)


@given(TEXT)
def test_xtext_round_trip(text: str) -> None:
    if printing(text):
        assert xtext_decode(xtext_encode(text)) == text


@given(st.integers(200, 599), st.text(st.characters(max_codepoint=255), max_size=1200))
@settings(max_examples=200, deadline=None)
def test_replies_are_lines_of_one_code(code: int, text: str) -> None:
    reply = spoken(code, text).reply()
    code, data = reply.code, reply.render()
    assert data.endswith(b"\r\n")
    lines = data[:-2].split(b"\r\n")
    for number, line in enumerate(lines):
        assert line.startswith(f"{code}{' ' if number == len(lines) - 1 else '-'}".encode())
        assert len(line) <= 510
        assert not set(line) & {0, 10, 13}


@given(
    st.lists(st.sampled_from([b"250", b"550", b"-", b" ", b"x", b"\r\n", b"\n", b"\r", b"\0", b"9"]), max_size=25),
    st.integers(1, 7),
)
@settings(max_examples=300, deadline=None)
def test_replies_are_read_or_refused(parts: list[bytes], step: int) -> None:
    data = b"".join(parts)

    def read(pieces: list[bytes]) -> object:
        reader, out = ReplyReader(), []
        try:
            for piece in pieces:
                out += reader.feed(piece)
        except BadReply:
            return "bad"
        return out

    assert read([data]) == read([data[i : i + step] for i in range(0, len(data), step)])

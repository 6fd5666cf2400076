"""Invariant: however the text is cut, SMTP output is the same, ends with CRLF, and holds no line of one dot,
no bare CR, no bare LF and no NUL; check strings are escaped at every line start and nowhere else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.transport.command import split_arguments
from mta.transport.stuffing import SMTP_DATA, Shape, shaped

PIECES = st.lists(st.text("\r\n.\0aF", max_size=6).map(str.encode), max_size=12)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_smtp_data(pieces: list[bytes]) -> None:
    out = b"".join(shaped(pieces, SMTP_DATA))
    assert out == b"".join(shaped([b"".join(pieces)], SMTP_DATA))
    lines = out.split(b"\r\n")
    assert lines.pop() == b""
    assert b"." not in lines
    assert not any(set(line) & {0, 10, 13} for line in lines)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_check_string(pieces: list[bytes]) -> None:
    shape = Shape(check=b"aF", escape=b">aF")
    text = b"".join(pieces)
    expected = b"\n".join(b">" + line if line.startswith(b"aF") else line for line in text.split(b"\n"))
    assert b"".join(shaped(pieces, shape)) == expected


@settings(max_examples=200, deadline=None)
@given(st.text("\"'\\ \ta$7\0\xff", max_size=30))
def test_commands_split_without_fault(text: str) -> None:
    words = split_arguments(text)
    assert sum(map(len, words)) <= len(text)

# Invariant: any bytes are walked or too complex, never another exception; parts lie inside, whatever the block size.
"""The MIME walker, its header fields and decoders under hypothesis; spans against a plain line-by-line reading."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.scan import mime
from mta.scan.decoding import Anomaly, decoded
from mta.scan.fields import read_fields
from mta.scan.spamd import parse_http, parse_rspamd, parse_servers, parse_spamd

TYPES = ["multipart/mixed; boundary=b", 'multipart/alternative; boundary="a"', "text/plain"]
PIECES = ["--a", "--a--", "--b", "--b--", "-", "--", "", "text", "X: y", " fold", "--a  ", "=41=", "AAEC"]
LINES = st.sampled_from([*PIECES, "Content-Transfer-Encoding: base64", *(f"Content-Type: {kind}" for kind in TYPES)])
TEXTS = st.lists(LINES, max_size=40).map(lambda lines: "\n".join(lines).encode("latin-1"))


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(1, 40))
def test_walk(text: bytes, block: int) -> None:
    top = read_fields(["Content-Type: multipart/mixed; boundary=a\n"], "UTF-8")

    def whole(start: int, size: int) -> bytes:
        return text[start : start + size]

    parts = mime.find_parts(whole, top, 0, len(text), "UTF-8")
    assert all(0 <= part.start <= part.end <= len(text) for part in parts)
    old = mime.BLOCK
    mime.BLOCK = block
    try:
        pieces = list(mime._delimiters(whole, 0, len(text)))
    finally:
        mime.BLOCK = old
    plain, at = [], 0
    for line in text.splitlines(keepends=True):
        if line.startswith(b"--"):
            plain.append((at, at + len(line)))
        at += len(line)
    if block >= 25:  # shorter than a line, a line may be cut
        assert [(start, end) for start, end, _ in pieces] == plain
    for part in parts:
        for encoding in ("base64", "quoted-printable", ""):
            b"".join(decoded(whole, part.start, part.end, encoding, Anomaly()))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable"]))
def test_decoders(data: bytes, encoding: str) -> None:
    b"".join(decoded(lambda start, size: data[start : start + size], 0, len(data), encoding, Anomaly()))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=200), max_size=5))
def test_fields(lines: list[str]) -> None:
    read_fields([f"Content-Type: {line}" for line in lines], "UTF-8")
    read_fields([f"Content-Disposition:x;filename{line}" for line in lines], "UTF-8")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_answers(data: bytes) -> None:
    for head in (b"", b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; ", b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; "):
        parse_spamd(head + data)
        parse_rspamd(head + data)
    parse_http(b"HTTP/1.1 200 OK\r\n\r\n" + data)
    parse_servers(data.decode("latin-1"), lambda _line: None)

"""Invariant: both twins give the same lines, flaws, data and counts, however the bytes are cut."""

from __future__ import annotations

import importlib
import itertools
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

PY, C = (importlib.import_module(name) for name in ("mta.wire.lines_py", "mta.wire._lines"))
BYTES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\0", b"\r\n", b"\r\n.\r\n", b"x: y", b"\xff", b"b" * 9]))
CUTS = st.lists(st.integers(0, 40), max_size=8)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def scan(module: ModuleType, pieces: list[bytes], dots: bool) -> tuple[object, ...]:
    scanner = module.DataScanner(dots)
    out = b""
    rest = b""
    for number, piece in enumerate(pieces):
        out += scanner.feed(piece)
        if scanner.done:
            rest = scanner.rest + b"".join(pieces[number + 1 :])
            break
    if not dots:
        out += scanner.finish()
    counts = (scanner.size, scanner.lines, scanner.max_line, scanner.nuls, scanner.bare_cr, scanner.bare_lf)
    return out, rest, scanner.done, counts, scanner.eight_bit


def read(module: ModuleType, pieces: list[bytes]) -> list[tuple[bytes, int]]:
    reader = module.LineReader(12)
    out = []
    for piece in pieces:
        reader.feed(piece)
        while (line := reader.next()) is not None:
            out.append((line, reader.flaw))
    return out


@given(BYTES, CUTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_scanners_agree(parts: list[bytes], places: list[int], dots: bool) -> None:
    data = b"".join(parts)
    whole = scan(PY, [data], dots)
    assert scan(C, [data], dots) == whole
    assert scan(PY, cut(data, places), dots) == whole
    assert scan(C, [data[i : i + 1] for i in range(len(data))], dots) == whole
    assert b"\r" not in whole[0]
    if dots:
        ended = b"\r\n" + data
        assert whole[2] == (b"\r\n.\r\n" in ended)


@given(BYTES, CUTS)
@settings(max_examples=200, deadline=None)
def test_readers_agree(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    whole = read(PY, [data])
    assert read(C, [data]) == whole
    assert read(C, cut(data, places)) == whole
    assert read(PY, [data[i : i + 1] for i in range(len(data))]) == whole


@given(BYTES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_stuffing_agrees_and_survives_the_way_back(parts: list[bytes], start: bool) -> None:
    data = b"".join(parts)
    sent = PY.stuff(data, start)
    assert C.stuff(data, start) == sent
    assert b"\0" not in sent
    assert b"\r" not in sent.replace(b"\r\n", b"")
    assert b"\n" not in sent.replace(b"\r\n", b"")
    if start:
        scanner = PY.DataScanner()
        scanner.feed(sent if sent.endswith(b"\r\n") or not sent else sent + b"\r\n")
        assert not scanner.done

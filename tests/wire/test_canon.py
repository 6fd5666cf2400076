from __future__ import annotations

import importlib
from types import ModuleType

import pytest


@pytest.fixture(params=["canon_py", "_canon"])
def canon(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"mta.wire.{request.param}")


def body(canon: ModuleType, relaxed: bool, data: bytes, size: int = 1 << 16) -> bytes:
    out: list[bytes] = []
    form = canon.Body(relaxed)
    for start in range(0, len(data), size):
        form.feed(data[start : start + size], out.append)
    form.finish(out.append)
    return b"".join(out)


@pytest.mark.parametrize(
    ("data", "simple", "relaxed"),
    [
        # RFC 6376 3.4.6
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n"),
        (b"", b"\r\n", b""),
        (b"\r\n\r\n", b"\r\n", b""),
        (b" \t\r\n", b" \t\r\n", b""),
        (b"a", b"a\r\n", b"a\r\n"),
        (b"a\n\n\nb\n\n", b"a\r\n\r\n\r\nb\r\n", b"a\r\n\r\n\r\nb\r\n"),
        (b"a \r", b"a \r\r\n", b"a \r\r\n"),
        (b"a\rb\r\r\nc", b"a\rb\r\r\nc\r\n", b"a\rb\r\r\nc\r\n"),
        (b"a\r \nb", b"a\r \r\nb\r\n", b"a\r\r\nb\r\n"),
        (b"\0\x0b \x0c\xff\n", b"\0\x0b \x0c\xff\r\n", b"\0\x0b \x0c\xff\r\n"),
        (b"\n" * 9000 + b"x", b"\r\n" * 9000 + b"x\r\n", b"\r\n" * 9000 + b"x\r\n"),
    ],
)
def test_bodies(canon: ModuleType, data: bytes, simple: bytes, relaxed: bytes) -> None:
    for size in (1, 2, 3, 1 << 16):
        assert body(canon, False, data, size) == simple
        assert body(canon, True, data, size) == relaxed


def test_line_ends_held_back_are_given_out_in_blocks(canon: ModuleType) -> None:
    out: list[bytes] = []
    form = canon.Body(True)
    for _ in range(100):
        form.feed(b"\n" * 1000, out.append)
    assert out == []
    form.feed(b"x", out.append)
    assert max(len(piece) for piece in out) <= 8192
    assert len(b"".join(out)) == 200_001


@pytest.mark.parametrize(
    ("line", "relaxed", "simple"),
    [
        # RFC 6376 3.4.5
        (b"A: X\r\n", b"a:X\r\n", b"A: X\r\n"),
        (b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n", b"B : Y\t\r\n\tZ  \r\n"),
        (b"Sub:\n\ta\n b\n", b"sub:a b\r\n", b"Sub:\r\n\ta\r\n b\r\n"),
        (b"Empty:\n", b"empty:\r\n", b"Empty:\r\n"),
        (b"No-End: x", b"no-end:x\r\n", b"No-End: x\r\n"),
        (b"no colon", b"no colon:\r\n", b"no colon\r\n"),
        (b"X: a:b\r\n", b"x:a:b\r\n", b"X: a:b\r\n"),
        (b"X: \r a \r\n", b"x:\r a\r\n", b"X: \r a \r\n"),
        (b"\xc4: \xc4\n", b"\xc4:\xc4\r\n", b"\xc4: \xc4\r\n"),
    ],
)
def test_header_lines(canon: ModuleType, line: bytes, relaxed: bytes, simple: bytes) -> None:
    assert canon.relaxed_header(line) == relaxed
    assert canon.simple_header(line) == simple

from __future__ import annotations

from types import ModuleType

import pytest


def read_all(lines: ModuleType, pieces: list[bytes], limit: int = 100) -> list[tuple[bytes, int]]:
    reader = lines.LineReader(limit)
    out = []
    for piece in pieces:
        reader.feed(piece)
        while (line := reader.next()) is not None:
            out.append((line, reader.flaw))
    return out


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"EHLO a\r\nQUIT\r\n", [(b"EHLO a", 0), (b"QUIT", 0)]),
        (b"\r\n", [(b"", 0)]),
        (b"EHLO a\n", [(b"EHLO a", 1)]),
        (b"a\rb\r\n", [(b"a\rb", 2)]),
        (b"a\0b\r\n", [(b"a\0b", 4)]),
        (b"a\r\r\n", [(b"a\r", 2)]),
        (b"a\x85b\x0cc\r\n", [(b"a\x85b\x0cc", 0)]),
        (b"x" * 100 + b"\r\n", [(b"x" * 100, 0)]),
        (b"x" * 101 + b"\r\nok\r\n", [(b"", 8), (b"ok", 0)]),
        (b"x" * 500 + b"\nok\r\n", [(b"", 9), (b"ok", 0)]),
        (b"no end", []),
    ],
)
def test_lines_end_with_crlf(lines: ModuleType, data: bytes, expected: list[tuple[bytes, int]]) -> None:
    assert read_all(lines, [data]) == expected
    assert read_all(lines, [data[i : i + 1] for i in range(len(data))]) == expected


def test_overlong_lines_are_not_kept(lines: ModuleType) -> None:
    reader = lines.LineReader(100)
    for _ in range(1000):
        reader.feed(b"x" * 1000)
        assert reader.next() is None
        assert reader.pending() <= 101


def test_take_gives_what_is_held(lines: ModuleType) -> None:
    reader = lines.LineReader()
    reader.feed(b"DATA\r\nmore")
    assert reader.next() == b"DATA"
    assert reader.pending() == 4
    assert reader.take() == b"more"
    assert reader.pending() == 0
    assert reader.next() is None


def scan(lines: ModuleType, pieces: list[bytes]) -> tuple[bytes, object]:
    scanner = lines.DataScanner()
    out = b""
    for number, piece in enumerate(pieces):
        out += scanner.feed(piece)
        if scanner.done:
            return out, (scanner, scanner.rest + b"".join(pieces[number + 1 :]))
    return out, (scanner, None)


# What smuggling attacks send: none of these ends the data (RELIABILITY, first row).
NO_END = [
    b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n.\0\r\n", b"\r\n\0.\r\n", b"\0\r\n.x\r\n",
    b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\x0b.\x0b", b"\x0c\r\n..\r\n", b"\x85.\x85", b"\r\n. \r\n", b"\n\r.\r\n",
]  # fmt: skip


@pytest.mark.parametrize("attack", NO_END, ids=repr)
def test_only_crlf_dot_crlf_ends_data(lines: ModuleType, attack: bytes) -> None:
    data = b"A: b\r\n\r\nbody" + attack + b"MAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n"
    out, (scanner, rest) = scan(lines, [data])
    assert scanner.done
    assert rest == b"QUIT\r\n"
    assert b"MAIL FROM" in out
    assert b"\r" not in out
    pieces, (_second, rest_again) = scan(lines, [data[i : i + 1] for i in range(len(data))])
    assert (pieces, rest_again) == (out, rest)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b".\r\n", b""),
        (b"a: b\r\n\r\nx\r\n.\r\n", b"a: b\n\nx\n"),
        (b"..\r\n.x\r\n.\r\n", b".\nx\n"),
        (b"a: b\rBcc: c\r\n\r\nx\ry\nz\r\n.\r\n", b"a: b Bcc: c\n\nx\ny z\n"),
        (b"a: b\nBcc: c\r\n\r\n.\r\n", b"a: b Bcc: c\n\n"),
        (b"\r\nbody\0\r\n.\r\n", b"\nbody\0\n"),
    ],
)
def test_data_is_decoded(lines: ModuleType, data: bytes, expected: bytes) -> None:
    out, (scanner, rest) = scan(lines, [data + b"NEXT"])
    assert out == expected
    assert rest == b"NEXT"
    assert scanner.size == len(expected)
    assert scanner.lines == expected.count(b"\n")


def test_data_is_counted(lines: ModuleType) -> None:
    _, (scanner, _rest) = scan(lines, [b"s: \xe4\r\n\r\n" + b"x" * 50 + b"\0\0\r\na\rb\nc\r\n.\r\n"])
    assert scanner.nuls == 2
    assert scanner.max_line == 52
    assert scanner.bare_cr == 1
    assert scanner.bare_lf == 1
    assert scanner.eight_bit


def test_counted_bytes_have_no_end(lines: ModuleType) -> None:
    scanner = lines.DataScanner(dots=False)
    out = scanner.feed(b"a: b\r\n\r\n..\r\n.\r\nQUIT\r\nx\r")
    assert not scanner.done
    assert out + scanner.finish() == b"a: b\n\n..\n.\nQUIT\nx\n"
    assert scanner.done


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", b""),
        (b".\n", b"..\r\n"),
        (b"a\n.b\n..\n", b"a\r\n..b\r\n...\r\n"),
        (b"a\r\nb\rc\0d\n", b"a\r\nb\r\nc d\r\n"),
        (b"a\r.\r\n", b"a\r\n..\r\n"),
        (b"a.b", b"a.b"),
    ],
)
def test_stuffing(lines: ModuleType, body: bytes, expected: bytes) -> None:
    assert lines.stuff(body, True) == expected


def test_stuffing_in_the_middle_of_a_line(lines: ModuleType) -> None:
    assert lines.stuff(b".a\n", False) == b".a\r\n"

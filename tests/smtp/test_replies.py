from __future__ import annotations

import pytest

from mta.smtp.replies import override_code, render, wrap


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OK", b"250 OK\r\n"),
        ("a\nb", b"250-a\r\n250 b\r\n"),
        ("", b"250 \r\n"),
        ("\xe4", b"250 \xe4\r\n"),
        ("a\r250 b", b"250 a 250 b\r\n"),
        ("a\0b\x07c", b"250 a b c\r\n"),
    ],
)
def test_render(text: str, expected: bytes) -> None:
    assert render(250, text) == expected


def test_long_lines_are_split() -> None:
    data = render(550, "word " * 300)
    lines = data.split(b"\r\n")[:-1]
    assert all(len(line) <= 510 for line in lines)
    assert all(line.startswith(b"550-") for line in lines[:-1])
    assert lines[-1].startswith(b"550 ")
    assert max(len(line) for line in render(550, "x" * 2000).split(b"\r\n")) <= 510


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (550, "no way", (550, "no way", "")),
        (550, "571 5.7.1 with code", (571, "5.7.1 with code", "")),
        (550, "554", (554, "", "")),
        (
            550,
            "471 wrong",
            (550, "wrong", 'configured error code starts with incorrect digit (expected 5) in "471 wrong"'),
        ),
        (451, "451 4.7.1 greylisted", (451, "4.7.1 greylisted", "")),
        (550, "5555 x", (550, "5555 x", "")),
    ],
)
def test_codes_of_acl_messages(code: int, text: str, expected: tuple[int, str, str]) -> None:
    assert override_code(code, text) == expected


def test_wrapping_breaks_behind_colons_as_exim_does() -> None:
    text = (
        "This is a very long message: with colons and such things: that goes on and on"
        " for more than seventy-five characters: it does\nsecond line"
    )
    assert wrap(text).split("\n") == [
        "This is a very long message: with colons and such things:",
        "that goes on and on for more than seventy-five characters: it does",
        "second line",
    ]
    assert wrap("x" * 200) == "x" * 200

from __future__ import annotations

import pytest

from mta.smtp.replies import render, spoken, wrap


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


WRONG = 'configured error code starts with incorrect digit (expected 5) in "{}"'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no way", (550, "", "no way", "")),
        ("571 5.7.1 with code", (571, "5.7.1 ", "with code", "")),
        ("571 5.7.1 with\nlines", (571, "5.7.1 ", "with\nlines", "")),
        ("554 4.7.1 other class", (554, "4.7.1 ", "other class", "")),
        ("554", (550, "", "554", "")),
        ("550-5.7.1 x", (550, "", "550-5.7.1 x", "")),
        ("550  5.7.1  x", (550, "", " 5.7.1  x", "")),
        ("550 5.7.1", (550, "", "5.7.1", "")),
        ("550\t5.7.1 x", (550, "5.7.1 ", "x", "")),
        ("5.7.1 x\ny", (550, "", "5.7.1 x\ny", "")),
        ("5555 x", (550, "", "5555 x", "")),
        ("471 wrong", (550, "", "wrong", WRONG.format("471 wrong"))),
        ("454 4.7.1 a\nb", (550, "", "a\nb", WRONG.format("454 4.7.1 a\\nb"))),
        ("a\n\nb\n", (550, "", "a\nb", "")),
        ("\n\na\n", (550, "", "\na", "")),
        ("a\n\n", (550, "", "a\n", "")),
    ],
)
def test_codes_of_acl_messages(message: str, expected: tuple[int, str, str, str]) -> None:
    assert spoken(550, message) == expected


def test_an_extended_code_stands_in_each_line() -> None:
    assert spoken(450, "451 4.7.1 a\nb").reply(close=True).render() == b"451-4.7.1 a\r\n451 4.7.1 b\r\n"


# what Exim's -bh showed: where each text is broken, the break's space left out
@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("x" * 74 + " y", ["x" * 74, "y"]),
        ("x" * 76 + " y", ["x" * 76, "y"]),
        ("x" * 34 + ": " + "y" * 100, ["x" * 34 + ": " + "y" * 100]),
        ("x" * 35 + ": " + "y" * 100, ["x" * 35 + ":", "y" * 100]),
        ("x" * 35 + " " + "y" * 100, ["x" * 35 + " " + "y" * 100]),
        ("x" * 36 + " " + "y" * 100, ["x" * 36, "y" * 100]),
        ("x" * 50 + " " + "y" * 23 + ": zz", ["x" * 50 + " " + "y" * 23 + ":", "zz"]),
        ("x" * 50 + " " + "y" * 24 + ": zz", ["x" * 50, "y" * 24 + ": zz"]),
        ("x" * 50 + " " + "y" * 100 + ": zz zz", ["x" * 50, "y" * 100 + ":", "zz zz"]),
        ("x" * 30 + "\n" + "yy " * 29 + "yy", ["x" * 30, "yy " * 24 + "yy", "yy yy yy yy yy"]),
        ("554 5.7.1 " + "x" * 60 + " yy yy", ["x" * 60 + " yy", "yy"]),
        ("x" * 100 + "\nyyy zzz", ["x" * 100, "yyy zzz"]),
    ],
)
def test_long_messages_are_broken_as_exim_does(message: str, lines: list[str]) -> None:
    assert spoken(550, message).text.split("\n") == lines


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

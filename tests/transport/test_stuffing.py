"""Bytes on their way out."""

from __future__ import annotations

import pytest

from mta.transport.stuffing import PLAIN, SMTP_BDAT, SMTP_DATA, Shape, shaped

FROM = Shape(check=b"From ", escape=b">From ", final_newline=True)
MMDF = Shape(check=b"\1\1\1\1\n", escape=b"\1\1\1\1 \n")


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        (PLAIN, b"a\r\n\0.b", b"a\r\n\0.b"),
        (SMTP_DATA, b".\n..\na\n", b"..\r\n...\r\na\r\n"),
        (SMTP_DATA, b"a", b"a\r\n"),
        (SMTP_DATA, b"", b""),
        (SMTP_DATA, b"a\r\n.\r\nb\r.\rc\0", b"a\r\n..\r\nb\r\n..\r\nc\r\n"),
        (SMTP_DATA, b"a\r", b"a\r\n"),
        (SMTP_BDAT, b".\n", b".\r\n"),
        (FROM, b"From a\nxFrom b\nFrom \nFrom", b">From a\nxFrom b\n>From \nFrom\n"),
        (MMDF, b"\1\1\1\1\n\1\1\1\1\nx", b"\1\1\1\1 \n\1\1\1\1 \nx"),
    ],
)
def test_shapes(shape: Shape, text: bytes, expected: bytes) -> None:
    assert b"".join(shaped([text], shape)) == expected
    assert b"".join(shaped([text[i : i + 1] for i in range(len(text))], shape)) == expected

"""Invariant: header and body are the same however the message is cut, and together they are the message."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mta.receive.intake import Intake

PARTS = st.lists(
    st.sampled_from(
        [b"\n", b"\n\n", b"a: b\n", b" fold\n", b"\t", b"x", b":", b"From x y\n", b"\0", b"\xff: z\n", b"A : b\n"]
    ),
    max_size=15,
)


class Kept:
    id = "1xVJbm-erfaZf-Aa"

    def __init__(self) -> None:
        self.body = b""
        self.gone = False

    def write(self, data: bytes) -> None:
        self.body += data

    def read_body(self, _start: int, _size: int) -> bytes:
        return self.body

    def commit(self, *_: object) -> None:
        raise AssertionError

    def abandon(self) -> None:
        self.gone = True


def take(pieces: list[bytes], limit: int = 0, header: int = 0) -> tuple[list[str], bytes, object, int]:
    kept = Kept()
    intake = Intake(kept, limit, header, 0)
    for piece in pieces:
        if piece:
            intake.add(piece)
    intake.finish()
    if intake.fault is not None:
        assert kept.gone
        return [], b"", intake.fault.kind, 0
    return [line.text for line in intake.headers], kept.body, None, intake.body_lines


@given(PARTS, st.integers(1, 7))
@settings(max_examples=300, deadline=None)
def test_cutting_changes_nothing(parts: list[bytes], step: int) -> None:
    data = b"".join(parts)
    whole = take([data])
    assert take([data[i : i + step] for i in range(0, len(data), step)]) == whole
    header, body, _, lines = whole
    text = "".join(header).encode("latin-1")
    end = data if data.endswith(b"\n") or not data else data + b"\n"
    assert end in (text + body, text + b"\n" + body)
    assert lines == body.count(b"\n")


@given(PARTS, st.integers(1, 7), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=200, deadline=None)
def test_limits_hold(parts: list[bytes], step: int, limit: int, header: int) -> None:
    data = b"".join(parts)
    _, body, fault, _ = take([data[i : i + step] for i in range(0, len(data), step)], limit, header)
    if len(data) > limit:
        assert fault is not None
    assert len(body) <= limit + 1

"""Invariant: any bytes for a certificate give a key or None, the same from both twins."""

from __future__ import annotations

import importlib

from hypothesis import given, settings
from hypothesis import strategies as st

PY, C = (importlib.import_module(name) for name in ("mta.wire.dane_py", "mta.wire._dane"))


def element(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + head + content


PART = st.tuples(st.sampled_from([0x30, 0x02, 0xA0, 0x1F, 0x31]), st.binary(max_size=20)).map(lambda t: element(*t))
CERTIFICATE = st.lists(PART, max_size=9).map(lambda parts: element(0x30, element(0x30, b"".join(parts)) + b"\x05\0"))


@given(st.one_of(st.binary(max_size=80), CERTIFICATE), st.integers(-1, 3), st.integers(-1, 4))
@settings(max_examples=300, deadline=None)
def test_twins_agree(data: bytes, selector: int, mtype: int) -> None:
    assert C.spki(data) == PY.spki(data)
    expected = PY.association(selector, mtype, data)
    assert C.association(selector, mtype, data) == expected
    assert C.match(selector, mtype, expected or b"", data) == PY.match(selector, mtype, expected or b"", data)

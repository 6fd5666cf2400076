"""Invariant: accepted, "more", or ProxyFault, never another exception; both twins agree, whole and in pieces."""

from __future__ import annotations

import importlib
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

PY, C = (importlib.import_module(name) for name in ("mta.wire.proxy_py", "mta.wire._proxy"))
V1 = st.lists(
    st.sampled_from([b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"1.2.3.4 ", b"::1 ", b"::ffff:1.2.3.4 ", b"::1.2.3.4 ",
                     b"25", b"0", b"99999", b" ", b"\r\n", b"\r", b"\xb2", b"fe80::1%1 ", b"1:0:0:2:0:0:0:3 "]),
    max_size=10,
).map(b"".join)  # fmt: skip
V2 = st.tuples(
    st.sampled_from([0x20, 0x21, 0x11, 0x2F]), st.sampled_from([0x11, 0x21, 0x00, 0x31]), st.binary(max_size=64),
    st.integers(-3, 3),
).map(lambda t: PY.SIGNATURE + bytes([t[0], t[1]]) + max(len(t[2]) + t[3], 0).to_bytes(2, "big") + t[2])  # fmt: skip


def outcome(module: ModuleType, data: bytes) -> object:
    try:
        return module.parse(data)
    except PY.ProxyFault as fault:
        return str(fault)


@given(st.one_of(V1, V2, st.binary(max_size=40)))
@settings(max_examples=400, deadline=None)
def test_twins_agree(data: bytes) -> None:
    whole = outcome(PY, data)
    assert outcome(C, data) == whole
    for size in range(len(data)):
        piece = outcome(PY, data[:size])
        assert outcome(C, data[:size]) == piece
        if isinstance(piece, tuple):
            assert piece == whole


@given(st.binary(max_size=300))
def test_crc_agrees(data: bytes) -> None:
    assert C.crc32c(data) == PY.crc32c(data)

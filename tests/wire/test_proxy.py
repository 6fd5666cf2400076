from __future__ import annotations

import struct
from types import ModuleType

import pytest

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(body: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


V4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack("!HH", 1000, 25)


def test_prx_09_version_1(proxy: ModuleType) -> None:
    header = proxy.parse(b"PROXY TCP4 192.0.2.1 198.51.100.2 1000 25\r\nEHLO x\r\n")
    assert header[:6] == (1, False, "192.0.2.1", 1000, "198.51.100.2", 25)
    assert header.size == 43
    assert proxy.parse(b"PROXY TCP6 2001:db8::1 ::1 1000 25\r\n").source == "2001:db8::1"
    assert proxy.parse(b"PROXY UNKNOWN\r\n").local
    assert proxy.parse(b"PROXY UNKNOWN whatever else\r\n").local


@pytest.mark.parametrize(
    "bad",
    [
        b"EHLO x\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.2 1000 25\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 0 25\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1000 65536\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 01000 25\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 +1000 25\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1000 25 \r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.2 1000 25\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.2 1000 25\r\n",
        b"PROXY TCP4 ::1 ::1 1000 25\r\n",
        b"PROXY TCP6 192.0.2.1 ::1 1000 25\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1000 25\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 1000 25\r\n",
        b"PROXY " + b"x" * 200,
        b"PROXY UNKNOWN" + b"x" * 200 + b"\r\n",
    ],
)
def test_prx_09_anything_else_fails(proxy: ModuleType, bad: bytes) -> None:
    with pytest.raises(proxy.ProxyFault):
        proxy.parse(bad)


def test_prx_10_version_2(proxy: ModuleType) -> None:
    header = proxy.parse(v2(V4) + b"EHLO")
    assert header == (2, False, "192.0.2.1", 1000, "198.51.100.2", 25, 28, ())
    six = bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack("!HH", 7, 8)
    assert proxy.parse(v2(six, family=0x21))[2:6] == ("::1", 7, "::2", 8)
    assert proxy.parse(v2(b"", 0x20, 0)).local
    assert proxy.parse(v2(b"x" * 40, 0x20, 0)).size == 56


def crc(proxy: ModuleType, body: bytes) -> bytes:
    blank = v2(body + b"\3\0\4\0\0\0\0")
    return v2(body + b"\3\0\4" + proxy.crc32c(blank).to_bytes(4, "big"))


def test_crc32c_of_the_rfc(proxy: ModuleType) -> None:
    assert proxy.crc32c(b"123456789") == 0xE3069283  # RFC 3720 B.4's generator, the usual check value
    assert proxy.crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720 B.4


def test_tlvs(proxy: ModuleType) -> None:
    header = proxy.parse(v2(V4 + b"\2\0\3abc\4\0\0"))
    assert header.tlvs == ((2, b"abc"), (4, b""))
    good = crc(proxy, V4 + b"\2\0\3abc")
    assert len(proxy.parse(good).tlvs) == 2
    assert proxy.parse(v2(V4 + b"\4" + struct.pack("!H", 3000) + bytes(3000))).size == 16 + 12 + 3 + 3000


@pytest.mark.parametrize(
    "bad",
    [
        v2(V4, 0x31), v2(V4, 0x22), v2(V4, 0x21, 0x12), v2(V4, 0x21, 0x31), v2(V4, 0x21, 0x00), v2(V4[:11]),
        v2(V4 + b"\2\0"), v2(V4 + b"\2\0\4abc"), v2(V4 + b"\3\0\4abcd"), v2(V4 + b"\3\0\3abc"),
        v2(V4[:8] + bytes(4)), SIGNATURE + b"\x21\x11\xff\xff",
    ],
)  # fmt: skip
def test_prx_10_faults(proxy: ModuleType, bad: bytes) -> None:
    with pytest.raises(proxy.ProxyFault):
        proxy.parse(bad)


def test_a_second_crc_fails(proxy: ModuleType) -> None:
    good = crc(proxy, V4)
    with pytest.raises(proxy.ProxyFault):
        proxy.parse(crc(proxy, good[16:]))


@pytest.mark.parametrize("data", [b"PROXY TCP4 192.0.2.1 198.51.100.2 1000 25\r\n", v2(V4 + b"\2\0\3abc")])
def test_pieces_wait_for_the_rest(proxy: ModuleType, data: bytes) -> None:
    for size in range(1, len(data)):
        assert proxy.parse(data[:size]) is None
    assert proxy.parse(data).size == len(data)

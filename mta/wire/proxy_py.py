"""PROXY protocol headers, versions 1 and 2 (HAProxy's proxy-protocol.txt); ``_speedups/proxy.pyx`` follows.

``parse(data)`` takes what has been read so far and answers: a header, None for "more is needed", or ProxyFault.
Exact: what is not precisely a header is refused, lengths are bounded, a CRC-32C TLV must be right.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1_LONGEST = 107  # bytes, CRLF included
V2_LONGEST = 16384  # bytes after the 16 of the fixed part; the protocol asks for 520 at least
PP2_TYPE_CRC32C = 0x03

_TABLE: tuple[int, ...]


def _crc_table() -> tuple[int, ...]:
    out = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        out.append(value)
    return tuple(out)


_TABLE = _crc_table()


class ProxyFault(ValueError):
    """The bytes are no PROXY header that we accept; the text is for the log."""


class ProxyHeader(NamedTuple):
    """``size`` is the header's length in bytes. ``local``: no addresses, keep the connection's own.

    ``tlvs`` are (type, value) pairs in order, of version 2 only.
    """

    version: int
    local: bool
    source: str
    source_port: int
    destination: str
    destination_port: int
    size: int
    tlvs: tuple[tuple[int, bytes], ...]


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of ``data``."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def parse(data: bytes) -> ProxyHeader | None:
    """The header at the start of ``data``; None when it is not whole yet; raises ProxyFault."""
    if data[:12] == SIGNATURE[: len(data[:12])] and data:
        return _parse_v2(data)
    if data[:6] == b"PROXY "[: len(data[:6])]:
        return _parse_v1(data)
    raise ProxyFault("no PROXY header")


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, V1_LONGEST)
    if end < 0:
        if len(data) >= V1_LONGEST:
            raise ProxyFault("version 1 header is too long")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(1, True, "", 0, "", 0, end + 2, ())
    if words[1] not in (b"TCP4", b"TCP6"):
        raise ProxyFault("unknown protocol in version 1 header")
    if len(words) != 6:
        raise ProxyFault("wrong number of fields in version 1 header")
    v6 = words[1] == b"TCP6"
    return ProxyHeader(
        1, False,
        _address(words[2], v6), _port(words[4]), _address(words[3], v6), _port(words[5]),
        end + 2, (),
    )  # fmt: skip


def _address(text: bytes, v6: bool) -> str:
    try:
        if v6:
            if b"%" in text:
                raise ProxyFault("bad address in version 1 header")
            return str(ipaddress.IPv6Address(text.decode("ascii")))
        return str(ipaddress.IPv4Address(text.decode("ascii")))
    except ValueError:
        raise ProxyFault("bad address in version 1 header") from None


def _port(text: bytes) -> int:
    if not text.isdigit() or len(text) > 5 or text[:1] == b"0":
        raise ProxyFault("bad port in version 1 header")
    value = int(text)
    if value > 65535:
        raise ProxyFault("bad port in version 1 header")
    return value


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    command, family, length = struct.unpack_from("!BBH", data, 12)
    if command >> 4 != 2:
        raise ProxyFault("bad version in version 2 header")
    if command & 15 > 1:
        raise ProxyFault("unknown command in version 2 header")
    if length > V2_LONGEST:
        raise ProxyFault("version 2 header is too long")
    size = 16 + length
    if len(data) < size:
        return None
    if command & 15 == 0:
        # LOCAL: whatever family and addresses are there are to be skipped
        return ProxyHeader(2, True, "", 0, "", 0, size, ())
    if family == 0x11:
        width = 4
    elif family == 0x21:
        width = 16
    else:
        raise ProxyFault("unsupported address family in version 2 header")
    start = 16 + 2 * width + 4
    if start > size:
        raise ProxyFault("version 2 header is too short for its addresses")
    source_port, destination_port = struct.unpack_from("!HH", data, 16 + 2 * width)
    if not source_port or not destination_port:
        raise ProxyFault("zero port in version 2 header")
    tlvs = _parse_tlvs(data, start, size)
    return ProxyHeader(
        2, False,
        str(ipaddress.ip_address(data[16 : 16 + width])), source_port,
        str(ipaddress.ip_address(data[16 + width : 16 + 2 * width])), destination_port,
        size, tlvs,
    )  # fmt: skip


def _parse_tlvs(data: bytes, start: int, size: int) -> tuple[tuple[int, bytes], ...]:
    found = []
    seen_crc = False
    position = start
    while position < size:
        if position + 3 > size:
            raise ProxyFault("TLV overruns the version 2 header")
        kind, length = struct.unpack_from("!BH", data, position)
        position += 3
        if position + length > size:
            raise ProxyFault("TLV overruns the version 2 header")
        value = data[position : position + length]
        if kind == PP2_TYPE_CRC32C:
            if length != 4 or seen_crc:
                raise ProxyFault("bad CRC-32C TLV")
            seen_crc = True
            zeroed = data[:position] + b"\0\0\0\0" + data[position + 4 : size]
            if crc32c(zeroed) != int.from_bytes(value, "big"):
                raise ProxyFault("CRC-32C does not match")
        found.append((kind, value))
        position += length
    return tuple(found)

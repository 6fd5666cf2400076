"""Operators on IP addresses: mask, ipv6norm, ipv6denorm, reverse_ip."""

from __future__ import annotations

import re
import socket

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE

_SCOPED = re.compile(r"(.+)%[A-Za-z0-9_.\-]+\Z")
_BITS = re.compile(rf"[{WHITESPACE}]*([0-9]{{0,4}})\Z")


def packed(text: str, *, scope_id: bool = True) -> bytes | None:
    """4 or 16 bytes of an address; ``scope_id`` lets an IPv6 one end in ``%interface``."""
    scoped = _SCOPED.match(text) if scope_id and ":" in text else None
    try:
        if ":" in text:
            return socket.inet_pton(socket.AF_INET6, scoped[1] if scoped else text)
        return socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _groups(address: bytes) -> list[str]:
    return [f"{address[at]:02x}{address[at + 1]:02x}" for at in range(0, 16, 2)]


def shortest(address: bytes) -> str:
    """RFC 5952's form of 16 bytes, the longest run of zeros as ``::``, the first of equals; no dotted quads."""
    groups = [group.lstrip("0") or "0" for group in _groups(address)]
    best, size, at = -1, 0, 0
    while at < 8:
        end = at
        while end < 8 and groups[end] == "0":
            end += 1
        if end - at > size:
            best, size = at, end - at
        at = max(end, at + 1)
    if best < 0:
        return ":".join(groups)
    return ":".join(groups[:best]) + "::" + ":".join(groups[best + size :])


def _sixteen(text: str) -> bytes:
    address = packed(text)
    if address is None:
        raise ExpansionFailed(f'"{text}" is not an IP address')
    return address if len(address) == 16 else b"\0" * 10 + b"\xff\xff" + address


@operator("ipv6norm")
def ipv6norm(_scope: Scope, text: str, _argument: str | None) -> str:
    return shortest(_sixteen(text))


@operator("ipv6denorm")
def ipv6denorm(_scope: Scope, text: str, _argument: str | None) -> str:
    return ":".join(_groups(_sixteen(text)))


@operator("mask")
def mask(_scope: Scope, text: str, argument: str | None) -> str:
    """The network of ``address/bits``; IPv6 with dots so that it can be a key in a file, with colons by ``mask_n``."""
    name, slash, bits = text.partition("/")
    address = packed(name, scope_id=False)
    if address is None:
        raise ExpansionFailed(f'"{text}" is not an IP address')
    if not slash:
        raise ExpansionFailed(f'missing mask value in "{text}"')
    count = _BITS.match(bits)
    if count is None:
        raise ExpansionFailed(f'"{text}" is not an IP address')
    size = int(count.group(1) or "0")
    width = len(address) * 8
    if size > width:
        raise ExpansionFailed(f'mask value too big in "{text}"')
    kept = int.from_bytes(address, "big") >> (width - size) << (width - size)
    network = kept.to_bytes(len(address), "big")
    if width == 32:
        return f"{socket.inet_ntop(socket.AF_INET, network)}/{size}"
    return f"{shortest(network) if argument == 'n' else '.'.join(_groups(network))}/{size}"


@operator("mask_n")
def mask_n(scope: Scope, text: str, _argument: str | None) -> str:
    return mask(scope, text, "n")


@operator("reverse_ip")
def reverse_ip(_scope: Scope, text: str, _argument: str | None) -> str:
    """As DNS lists want it: bytes or nibbles backwards; an IPv4 address mapped into IPv6 counts as IPv4."""
    name, _, bits = text.partition("/")
    address = packed(name) if _BITS.match(bits) else None
    if address is None:
        raise ExpansionFailed(f"reverse_ip() not given an IP address [{text}]")
    if len(address) == 16 and address[:12] == b"\0" * 10 + b"\xff\xff":
        address = address[12:]
    if len(address) == 4:
        return ".".join(str(byte) for byte in reversed(address))
    return ".".join(reversed(address.hex()))

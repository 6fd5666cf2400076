# cython: language_level=3
"""PROXY protocol headers: the fast twin of mta/wire/proxy_py.py, which specifies it."""

import socket

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from mta.wire.proxy_py import ProxyFault, ProxyHeader

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1_LONGEST = 107
V2_LONGEST = 16384
PP2_TYPE_CRC32C = 0x03

cdef unsigned int TABLE[256]


cdef void fill_table() noexcept:
    cdef unsigned int start, value
    cdef int _turn
    for start in range(256):
        value = start
        for _turn in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        TABLE[start] = value


fill_table()


cdef unsigned int update(unsigned int value, const unsigned char *text, Py_ssize_t size) noexcept:
    cdef Py_ssize_t index
    for index in range(size):
        value = TABLE[(value ^ text[index]) & 0xFF] ^ (value >> 8)
    return value


cpdef object crc32c(bytes data):
    """CRC-32C (Castagnoli) of ``data``."""
    return update(0xFFFFFFFF, <const unsigned char *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)) ^ 0xFFFFFFFF


def parse(bytes data):
    """The header at the start of ``data``; None when it is not whole yet; raises ProxyFault."""
    cdef bytes head = data[:12]
    if data and head == SIGNATURE[:len(head)]:
        return parse_v2(data)
    head = data[:6]
    if head == b"PROXY "[:len(head)]:
        return parse_v1(data)
    raise ProxyFault("no PROXY header")


cdef object parse_v1(bytes data):
    cdef Py_ssize_t end = data.find(b"\r\n", 0, 107)
    if end < 0:
        if len(data) >= 107:
            raise ProxyFault("version 1 header is too long")
        return None
    cdef list words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(1, True, "", 0, "", 0, end + 2, ())
    if words[1] != b"TCP4" and words[1] != b"TCP6":
        raise ProxyFault("unknown protocol in version 1 header")
    if len(words) != 6:
        raise ProxyFault("wrong number of fields in version 1 header")
    family = socket.AF_INET6 if words[1] == b"TCP6" else socket.AF_INET
    return ProxyHeader(
        1, False,
        address(words[2], family), port(words[4]), address(words[3], family), port(words[5]),
        end + 2, (),
    )


cdef str address(bytes text, family):
    try:
        return canonical(family, socket.inet_pton(family, text.decode("ascii")))
    except (OSError, ValueError):
        raise ProxyFault("bad address in version 1 header") from None


cdef str canonical(family, bytes packed):
    # IPv4-mapped addresses are printed in hexadecimal, as the ipaddress module of 3.11 does
    if family == socket.AF_INET6 and packed[:10] == b"\0" * 10:
        import ipaddress
        return str(ipaddress.IPv6Address(packed))
    return socket.inet_ntop(family, packed)


cdef int port(bytes text) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    cdef Py_ssize_t index
    cdef int value = 0
    cdef const unsigned char *digits = <const unsigned char *> PyBytes_AS_STRING(text)
    if size == 0 or size > 5 or digits[0] == 48:
        raise ProxyFault("bad port in version 1 header")
    for index in range(size):
        if digits[index] < 48 or digits[index] > 57:
            raise ProxyFault("bad port in version 1 header")
        value = value * 10 + digits[index] - 48
    if value > 65535:
        raise ProxyFault("bad port in version 1 header")
    return value


cdef inline int two(const unsigned char *text) noexcept:
    return (text[0] << 8) | text[1]


cdef object parse_v2(bytes data):
    cdef const unsigned char *text = <const unsigned char *> PyBytes_AS_STRING(data)
    cdef Py_ssize_t held = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t length, size, width
    if held < 16:
        return None
    if text[12] >> 4 != 2:
        raise ProxyFault("bad version in version 2 header")
    if text[12] & 15 > 1:
        raise ProxyFault("unknown command in version 2 header")
    length = two(text + 14)
    if length > 16384:
        raise ProxyFault("version 2 header is too long")
    size = 16 + length
    if held < size:
        return None
    if text[12] & 15 == 0:
        return ProxyHeader(2, True, "", 0, "", 0, size, ())
    if text[13] == 0x11:
        width = 4
        family = socket.AF_INET
    elif text[13] == 0x21:
        width = 16
        family = socket.AF_INET6
    else:
        raise ProxyFault("unsupported address family in version 2 header")
    if 16 + 2 * width + 4 > size:
        raise ProxyFault("version 2 header is too short for its addresses")
    cdef int source_port = two(text + 16 + 2 * width)
    cdef int destination_port = two(text + 18 + 2 * width)
    if source_port == 0 or destination_port == 0:
        raise ProxyFault("zero port in version 2 header")
    tlvs = parse_tlvs(data, text, 16 + 2 * width + 4, size)
    return ProxyHeader(
        2, False,
        canonical(family, data[16:16 + width]), source_port,
        canonical(family, data[16 + width:16 + 2 * width]), destination_port,
        size, tlvs,
    )


cdef tuple parse_tlvs(bytes data, const unsigned char *text, Py_ssize_t start, Py_ssize_t size):
    cdef list found = []
    cdef bint seen_crc = False
    cdef Py_ssize_t position = start, length
    cdef unsigned int value
    cdef int kind
    while position < size:
        if position + 3 > size:
            raise ProxyFault("TLV overruns the version 2 header")
        kind = text[position]
        length = two(text + position + 1)
        position += 3
        if position + length > size:
            raise ProxyFault("TLV overruns the version 2 header")
        if kind == 3:
            if length != 4 or seen_crc:
                raise ProxyFault("bad CRC-32C TLV")
            seen_crc = True
            value = update(0xFFFFFFFF, text, position)
            value = update(value, <const unsigned char *> b"\0\0\0\0", 4)
            value = update(value, text + position + 4, size - position - 4) ^ 0xFFFFFFFF
            if value != ((<unsigned int> two(text + position)) << 16 | <unsigned int> two(text + position + 2)):
                raise ProxyFault("CRC-32C does not match")
        found.append((kind, data[position:position + length]))
        position += length
    return tuple(found)

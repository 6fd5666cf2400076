# cython: language_level=3, boundscheck=False, wraparound=False
"""TLSA records against certificates: the fast twin of mta/wire/dane_py.py, which specifies it."""

import hashlib
import hmac

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

CERT = 0
SPKI = 1
FULL = 0
SHA256 = 1
SHA512 = 2


cdef bint element(
    const unsigned char *data, Py_ssize_t position, Py_ssize_t end, Py_ssize_t *start, Py_ssize_t *stop
) noexcept:
    cdef Py_ssize_t length, begin, index
    cdef int count
    if position + 2 > end or data[position] & 0x1F == 0x1F:
        return False
    length = data[position + 1]
    begin = position + 2
    if length & 0x80:
        count = length & 0x7F
        if count < 1 or count > 4 or begin + count > end:
            return False
        length = 0
        for index in range(count):
            length = length << 8 | data[begin + index]
        begin += count
    if length > end - begin:
        return False
    start[0] = begin
    stop[0] = begin + length
    return True


def spki(bytes certificate):
    """The SubjectPublicKeyInfo, DER with its header, of a DER certificate; None when malformed."""
    cdef const unsigned char *data = <const unsigned char *> PyBytes_AS_STRING(certificate)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(certificate)
    cdef Py_ssize_t position, end, start, stop
    cdef int _turn
    if not element(data, 0, size, &start, &stop) or data[0] != 0x30 or stop != size:
        return None
    if not element(data, start, stop, &position, &end) or data[start] != 0x30:
        return None
    if position < end and data[position] == 0xA0:
        if not element(data, position, end, &start, &stop):
            return None
        position = stop
    for _turn in range(5):
        if not element(data, position, end, &start, &stop):
            return None
        position = stop
    if not element(data, position, end, &start, &stop) or data[position] != 0x30:
        return None
    return certificate[position:stop]


cpdef digest(int mtype, bytes subject):
    """``subject`` as the matching type has it; None for an unknown type."""
    if mtype == 0:
        return subject
    if mtype == 1:
        return hashlib.sha256(subject).digest()
    if mtype == 2:
        return hashlib.sha512(subject).digest()
    return None


cpdef association(int selector, int mtype, bytes certificate):
    """The association data that a record of this kind holds for a certificate; None when there is none."""
    if selector == 0:
        subject = certificate
    elif selector == 1:
        subject = spki(certificate)
    else:
        return None
    return None if subject is None else digest(mtype, subject)


def match(int selector, int mtype, bytes data, bytes certificate):
    """Whether a TLSA record's (selector, matching type, data) is this DER certificate's."""
    expected = association(selector, mtype, certificate)
    return bool(expected) and hmac.compare_digest(expected, data)


def match_spki(int mtype, bytes data, bytes key):
    """Whether a record of selector 1 is this bare DER SubjectPublicKeyInfo's."""
    expected = digest(mtype, key)
    return bool(expected) and hmac.compare_digest(expected, data)


def record(int usage, int selector, int mtype, bytes certificate):
    """The record's presentation form, ``3 1 1 <hex>``, for a certificate; None when there is none."""
    data = association(selector, mtype, certificate)
    return None if data is None else f"{usage} {selector} {mtype} {data.hex()}"

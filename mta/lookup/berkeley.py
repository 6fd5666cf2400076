"""Reads hash files of Berkeley DB, as exim_dbmbuild writes them: ``fetch(file descriptor, key)``.

Pages of one size: the first describes the file, each bucket is a chain of pages of keys and values in turn, long
items are chains of pages of their own. Checked against libdb 5.3; written for versions 7 to 10 of the format.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = 0x00061561
_VERSIONS = range(7, 11)
_META_SIZE = 224
_HEADER = 26  # of a page: log position, own, previous and next number, items, free space, level, type
_UNSORTED, _OVERFLOW, _SORTED = 2, 7, 13  # types of pages
_KEYDATA, _OFFPAGE = 1, 3  # types of items
_CHARKEY = b"%$sniglet^&\0"  # its hash stands in the file, to tell which function made it
_LONGEST = 16 << 20


class Damaged(Exception):
    """The file is no hash file, or contradicts itself; the text says how."""


@dataclass(frozen=True, slots=True)
class _File:
    fd: int
    order: str  # struct's sign
    page_size: int
    last_page: int
    max_bucket: int
    high_mask: int
    low_mask: int
    spares: tuple[int, ...]
    hashed: bool  # by the usual function; otherwise only reading everything finds a key

    def page(self, number: int) -> bytes:
        data = os.pread(self.fd, self.page_size, number * self.page_size)
        if len(data) != self.page_size or not 0 < number <= self.last_page:
            raise Damaged(f"page {number} is missing")
        return data

    def number(self, data: bytes, at: int) -> int:
        return int(struct.unpack_from(f"{self.order}I", data, at)[0])


def byte_order(head: bytes) -> str:
    """The order in which a file's first bytes say that it is a hash file; "" when they do not."""
    for order in "<>":
        if len(head) >= _META_SIZE and struct.unpack_from(f"{order}I", head, 12)[0] == MAGIC:
            return order
    return ""


def fetch(fd: int, key: bytes) -> bytes | None:
    """The value of a key, or None. Raises Damaged."""
    file = _opened(fd)
    if not file.hashed:
        pages = iter(range(1, file.last_page + 1))
        return next((found for page in pages if (found := _in_page(file, file.page(page), key)) is not None), None)
    value = hash_of(key)
    bucket = value & file.high_mask
    if bucket > file.max_bucket:
        bucket = value & file.low_mask
    number = bucket + file.spares[bucket.bit_length()]
    for _ in range(file.last_page + 1):
        page = file.page(number)
        found = _in_page(file, page, key)
        if found is not None:
            return found
        number = file.number(page, 16)
        if not number:
            return None
    raise Damaged("the pages of a bucket run in a circle")


def hash_of(key: bytes) -> int:
    """Fowler, Noll and Vo's hash, from zero, as libdb uses it."""
    value = 0
    for byte in key:
        value = (value * 16777619 & 0xFFFFFFFF) ^ byte
    return value


def _opened(fd: int) -> _File:
    head = os.pread(fd, _META_SIZE, 0)
    order = byte_order(head)
    if not order:
        raise Damaged("it is no Berkeley DB hash file")
    version, page_size = struct.unpack_from(f"{order}II", head, 16)
    if version not in _VERSIONS:
        raise Damaged(f"version {version} of the format is not known")
    if head[24] or head[26] & 1:
        raise Damaged("encryption and checksums are not supported")
    (last,) = struct.unpack_from(f"{order}I", head, 32)
    bucket, high, low = struct.unpack_from(f"{order}III", head, 72)
    made_by, *spares = struct.unpack_from(f"{order}33I", head, 92)
    if page_size & (page_size - 1) or not 512 <= page_size <= 65536 or bucket >> 31:
        raise Damaged("its first page makes no sense")
    hashed = made_by == hash_of(_CHARKEY)
    return _File(fd, order, page_size, last, bucket, high, low, tuple(spares), hashed)


def _in_page(file: _File, page: bytes, key: bytes) -> bytes | None:
    if page[25] not in (_UNSORTED, _SORTED):
        return None
    items = _items(file, page)
    for found in items:
        value = next(items, None)
        if value is not None and _whole(file, found, key) == key:
            return _whole(file, value)
    return None


def _items(file: _File, page: bytes) -> Iterator[bytes]:
    """The items, stored from the page's end downwards."""
    (count,) = struct.unpack_from(f"{file.order}H", page, 20)
    end = file.page_size
    if _HEADER + 2 * count > end:
        raise Damaged("a page claims more items than it has room for")
    for start in struct.unpack_from(f"{file.order}{count}H", page, _HEADER):
        if not _HEADER <= start < end:
            raise Damaged("an item lies outside its page")
        yield page[start:end]
        end = start


def _whole(file: _File, item: bytes, wanted: bytes | None = None) -> bytes | None:
    """An item's content; None for one that cannot be ``wanted`` (by its size) or is of another type."""
    if item[0] == _KEYDATA:
        return item[1:]
    if item[0] != _OFFPAGE or len(item) < 12:
        return None
    number, size = file.number(item, 4), file.number(item, 8)
    if wanted is not None and size != len(wanted):
        return None
    if size > _LONGEST:
        raise Damaged("a value is too long")
    out = bytearray()
    while number and len(out) < size:
        page = file.page(number)
        (here,) = struct.unpack_from(f"{file.order}H", page, 22)
        if page[25] != _OVERFLOW or not here or _HEADER + here > file.page_size:
            raise Damaged("a long item is broken")
        out += page[_HEADER : _HEADER + here]
        number = file.number(page, 16)
    if len(out) != size:
        raise Damaged("a long item is broken")
    return bytes(out)

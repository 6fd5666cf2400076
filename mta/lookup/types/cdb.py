"""cdb: D. J. Bernstein's constant database (https://cr.yp.to/cdb/cdb.txt), read from a memory map."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from mta.errors import Deferred
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import cached_file, encoded
from mta.scope.scope import Scope

PURPOSE = "for cdb lookup"
_PAIR = struct.Struct("<II")


@dataclass(slots=True)
class Database:
    """The file's bytes; the map outlives the file's name."""

    data: mmap.mmap

    def get(self, key: bytes) -> bytes | None:
        """The first value of a key. Raises Deferred for a file that is not a whole cdb."""
        code = _hash(key)
        try:
            table, slots = _PAIR.unpack_from(self.data, (code & 255) * 8)
            if slots == 0:
                return None
            if table + slots * 8 > len(self.data):
                raise Deferred("cdb: corrupt cdb file")
            start = (code >> 8) % slots
            for step in range(slots):
                slot_code, place = _PAIR.unpack_from(self.data, table + (start + step) % slots * 8)
                if place == 0:
                    return None
                if slot_code == code:
                    key_size, size = _PAIR.unpack_from(self.data, place)
                    begin = place + 8 + key_size
                    if self.data[place + 8 : begin] == key:
                        if begin + size > len(self.data):
                            raise Deferred("cdb: corrupt cdb file")
                        return self.data[begin : begin + size]
        except struct.error:
            raise Deferred("cdb: corrupt cdb file") from None
        return None


def _hash(key: bytes) -> int:
    code = 5381
    for byte in key:
        code = ((code << 5) + code & 0xFFFFFFFF) ^ byte
    return code


def _open(path: str) -> Database:
    with open(encoded(path), "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if len(data) < 2048:
        raise ValueError("too short")
    return Database(data)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The value of a key, as it is in the file: case counts."""
    database = cached_file(scope, file, "cdb", _open, PURPOSE)
    value = database.get(key.encode("latin-1"))
    return None if value is None else value.decode("latin-1")


lookups.register("cdb")(LookupType("cdb", "single", find, absolute_file=False))

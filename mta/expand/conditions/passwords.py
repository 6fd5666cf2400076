"""``crypteq`` and the conditions that ask other systems for a password (manual 11.7); the latter are refused."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import functools
import hashlib
import hmac
from typing import Any

from mta.errors import ExpansionFailed
from mta.expand.base import conditions
from mta.expand.nodes import Condition
from mta.expand.parser import Parser
from mta.scope.scope import Scope
from mta.text.ascii import lower

_DIGESTS = {"{md5}": (hashlib.md5, 24, 32), "{sha1}": (hashlib.sha1, 28, 40)}
_CRYPT_DATA = 1 << 16  # more than struct crypt_data has in any libcrypt
_UNAVAILABLE = {"pam": 1, "radius": 1, "pwcheck": 1}


@conditions.register("crypteq")
def parse(parser: Parser, name: str) -> Condition:
    plain, crypted = (argument.run for argument in parser.condition_arguments(name, 2))
    return Condition(lambda scope: password_matches(plain(scope), crypted(scope)))


def password_matches(plain: str, crypted: str) -> bool:
    """Whether ``crypted`` is of ``plain``; the scheme stands in front, as ``{md5}``; without one it is crypt."""
    for prefix, (algorithm, base64_size, hex_size) in _DIGESTS.items():
        if lower(crypted[: len(prefix)]) == prefix:
            wanted = crypted[len(prefix) :]
            digest = algorithm(plain.encode("latin-1")).digest()
            if len(wanted) == base64_size:
                return hmac.compare_digest(base64.b64encode(digest), wanted.encode("latin-1"))
            return len(wanted) == hex_size and hmac.compare_digest(digest.hex(), lower(wanted))
    doubled = False
    if lower(crypted[:7]) == "{crypt}":
        crypted = crypted[7:]
    elif lower(crypted[:9]) == "{crypt16}":
        crypted, doubled = crypted[9:], True
    elif crypted.startswith("{"):
        raise ExpansionFailed(f'unknown encryption mechanism in "{crypted}"')
    if len(crypted) < 2 or "\0" in plain or "\0" in crypted:
        return False
    # an answer that starts with "*" is libcrypt's way to say that it cannot
    made = _crypt16(plain, crypted) if doubled else _crypt(plain, crypted)
    return not made.startswith("*") and hmac.compare_digest(made.encode("latin-1"), crypted.encode("latin-1"))


def _crypt16(plain: str, salt: str) -> str:
    first = _crypt(plain[:8], salt)
    return first + _crypt(plain[8:16], salt)[2:] if len(plain) > 8 else first


@functools.lru_cache(maxsize=1)
def _library() -> Any:
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt")):
        if not name:
            continue
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt_r.restype = ctypes.c_char_p
        library.crypt_r.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        return library
    return None


def _crypt(plain: str, salt: str) -> str:
    library = _library()
    if library is None:
        raise ExpansionFailed("crypteq needs libcrypt.so.1, which this machine does not have")
    data = ctypes.create_string_buffer(_CRYPT_DATA)
    made: bytes | None = library.crypt_r(plain.encode("latin-1"), salt.encode("latin-1"), data)
    return made.decode("latin-1") if made else "*"


@conditions.register(*_UNAVAILABLE)
def parse_unavailable(parser: Parser, name: str) -> Condition:
    parser.condition_arguments(name, _UNAVAILABLE[name])
    return _unsupported(name)


def _unsupported(name: str) -> Condition:
    def test(_scope: Scope) -> bool:
        raise ExpansionFailed(f'support for "{name}" not compiled')

    return Condition(test)

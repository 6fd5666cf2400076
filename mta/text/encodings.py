"""Encodings of numbers, bytes and words: base 32, 62 and 64, hex, RFC 2047, UTF-8 repair, IDNA.

Byte text in and out. A decoder answers None for what it cannot take, or says why in ``Converted.error``.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from typing import NamedTuple

from mta.text.ascii import WHITESPACE, lower

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
MAX_ENCODED_WORD = 75  # RFC 2047 section 2
_WORD_PAYLOAD = 67
_MASK64 = (1 << 64) - 1


class Converted(NamedTuple):
    """``text`` is the input where ``error`` says what was wrong with it."""

    text: str
    error: str = ""


# numbers


def to_base32(value: int) -> str:
    """Exim's base 32, letters first; zero is the empty string."""
    out = []
    while value:
        value, digit = divmod(value, 32)
        out.append(BASE32[digit])
    return "".join(reversed(out))


def from_digits(text: str, digits: str) -> int | None:
    """A number in the base of ``digits``, kept to 64 signed bits as Exim does; None for other characters."""
    value, base = 0, len(digits)
    for char in text:
        digit = digits.find(char)
        if digit < 0:
            return None
        value = (value * base + digit) & _MASK64
    return value - (1 << 64) if value >> 63 else value


def to_base62(value: int, width: int = 6) -> str:
    """The lowest ``width`` digits in base 62, as in message ids."""
    out = []
    for _ in range(width):
        value, digit = divmod(value, 62)
        out.append(BASE62[digit])
    return "".join(reversed(out))


# bytes


def encode_base64(text: str) -> str:
    """RFC 4648, one line."""
    return base64.b64encode(text.encode("latin-1")).decode("ascii")


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")
_BLANKS = re.compile(f"[{WHITESPACE}]+")


def decode_base64(text: str, *, white_space: bool = False) -> str | None:
    """RFC 4648 with all its padding and nothing else; ``white_space`` lets it stand between digits."""
    if white_space:
        text = _BLANKS.sub("", text)
    if not _BASE64.match(text):
        return None
    return binascii.a2b_base64(text).decode("latin-1")


_HEX = re.compile(r"[0-9A-Fa-f]*\Z")


def is_hex(text: str) -> bool:
    """Hex digits only; the empty string is."""
    return _HEX.match(text) is not None


# UTF-8

# lead byte, then up to as many continuation bytes as it asks for
_UTF8_TRY = re.compile(
    "[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|"
    "[\xe0-\xef][\x80-\xbf]?(?![\x80-\xbf])|[\xf0-\xf5][\x80-\xbf]{0,2}(?![\x80-\xbf])|[\xf5][\x80-\xbf]{3}|[\x80-\xff]"
)


def is_utf8(text: str) -> bool:
    """Well-formed UTF-8 of RFC 3629."""
    if text.isascii():
        return True
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def clean_utf8(text: str) -> str:
    """Each malformed sequence as one ``?`` (``${utf8clean:``)."""
    if is_utf8(text):
        return text

    def repair(found: re.Match[str]) -> str:
        return found.group() if is_utf8(found.group()) else "?"

    return _UTF8_TRY.sub(repair, text)


def utf8_to_latin1(text: str) -> str:
    """UTF-8 to ISO-8859-1, ``_`` for what it lacks; malformed sequences lose what they lack (``${from_utf8:``)."""
    if text.isascii():
        return text
    out: list[str] = []
    at, size = 0, len(text)
    while at < size:
        byte = ord(text[at])
        at += 1
        if byte < 0xC0:
            out.append(chr(byte))
            continue
        more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3 if byte < 0xF8 else 4 if byte < 0xFC else 5
        value = byte & (0x3F >> more)
        for _ in range(more):
            value = value << 6 | (ord(text[at]) & 0x3F if at < size else 0)
            at += 1 if at < size else 0
        out.append(chr(value) if value < 256 else "_")
    return "".join(out)


# RFC 2047

_NEEDS_CODING = re.compile(r'[^ -~]|[?=()<>@,;:\\".\[\]_]')
_PLAIN_IN_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/^`{|}~")
_CHARACTERS = re.compile("[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x00-\xff]")


def encode_rfc2047(text: str, charset: str = "UTF-8") -> str:
    """As encoded words with Q coding where RFC 2047 needs it; characters of UTF-8 are not torn apart."""
    if not _NEEDS_CODING.search(text):
        return text
    words: list[str] = []
    word: list[str] = []
    length = 0
    pieces = _CHARACTERS.findall(text) if lower(charset) in ("utf-8", "utf8") else text
    for piece in pieces:
        if length > _WORD_PAYLOAD:
            words.append("".join(word))
            word, length = [], 0
        coded = "".join(_code_q(char) for char in piece)
        word.append(coded)
        length += len(coded)
    words.append("".join(word))
    return " ".join(f"=?{charset}?Q?{word}?=" for word in words)


def _code_q(char: str) -> str:
    if char in _PLAIN_IN_WORD:
        return char
    return "_" if char == " " else f"={ord(char):02X}"


_ENCODED_WORD = re.compile(r"=\?([^?\x00-\x20]*)\?([QqBb])\?([^?]*)\?=")
_Q_TEXT = re.compile(r"(?:[!-<>-~\x80-\xff]|=[0-9A-Fa-f]{2})*\Z")
_Q_HEX = re.compile(r"=([0-9A-Fa-f]{2})")
# codecs of Python that are no character sets
_NO_CHARSET = frozenset(("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"))


def decode_rfc2047(text: str, charset: str = "UTF-8", *, check_lengths: bool = True, zero: str = "?") -> Converted:
    """Encoded words decoded and brought into ``charset`` ("" for no conversion); others are left as they stand.

    White space between two encoded words goes. ``zero`` stands for NUL. An unknown character set is an error,
    in the words of iconv, and ``text`` holds the words undecoded.
    """
    if "=?" not in text:
        return Converted(text)
    out: list[str] = []
    at = 0
    after_word = False
    for found in _ENCODED_WORD.finditer(text):
        data = _word_bytes(found, check_lengths)
        if data is None:
            continue
        between = text[at : found.start()]
        if not (after_word and not between.strip(WHITESPACE)):
            out.append(between)
        converted = recode(data, found.group(1), charset)
        if converted.error:
            return Converted(text, converted.error)
        out.append(converted.text.replace("\0", zero))
        at = found.end()
        after_word = True
    out.append(text[at:])
    return Converted("".join(out))


def _word_bytes(found: re.Match[str], check_lengths: bool) -> str | None:
    if check_lengths and found.end() - found.start() > MAX_ENCODED_WORD:
        return None
    payload = found.group(3)
    if found.group(2) in "Bb":
        return decode_base64(payload, white_space=True)
    if not _Q_TEXT.match(payload):
        return None
    return _Q_HEX.sub(lambda hexed: chr(int(hexed.group(1), 16)), payload.replace("_", " "))


def recode(data: str, source: str, target: str) -> Converted:
    """Byte text from one character set to another; bytes that the source cannot have are copied."""
    source, target = lower(source).partition("*")[0], lower(target)
    if not source or not target or source == target:
        return Converted(data)
    decoder = _charset(source)
    encoder = _charset(target)
    if decoder is None or encoder is None:
        reason = "failed: Invalid argument (maybe unsupported conversion)"
        return Converted(data, f'iconv_open("{target.upper()}", "{source}") {reason}')
    out: list[str] = []
    view = memoryview(data.encode("latin-1"))
    while view:
        try:
            out.append(_encode(codecs.decode(view, decoder), encoder))
            break
        except UnicodeDecodeError as error:
            if error.start:
                out.append(_encode(codecs.decode(view[: error.start], decoder), encoder))
            out.append(chr(view[error.start]))
            view = view[error.start + 1 :]
    return Converted("".join(out))


def _encode(text: str, codec: str) -> str:
    return codecs.encode(text, codec, "replace").decode("latin-1")


def _charset(name: str) -> str | None:
    try:
        info = codecs.lookup(name)
    except (LookupError, UnicodeError, ValueError):
        return None
    if not info._is_text_encoding or info.name.replace("-", "_") in _NO_CHARSET:
        return None
    return info.name


# IDNA


def domain_to_alabel(text: str) -> Converted:
    """A domain in UTF-8 as A-labels (RFC 5891, non-transitional UTS 46 mapping); ASCII as it is."""
    import idna

    if text.isascii():
        return Converted(text)
    if not is_utf8(text):
        return Converted(text, "string encoding error")
    try:
        mapped = idna.uts46_remap(text.encode("latin-1").decode("utf-8"), std3_rules=False, transitional=False)
        return Converted(".".join(_label_to_alabel(label) for label in mapped.split(".")))
    except (idna.IDNAError, UnicodeError) as error:
        return Converted(text, _idna_words(str(error)))


def _label_to_alabel(label: str) -> str:
    import idna

    if label.isascii():
        if len(label) > 63:
            raise idna.IDNAError("Label too long")
        if label.startswith("xn--") and _from_punycode(label) is None:
            raise idna.IDNAError("Invalid punycode")
        return label
    plain = label.replace("_", "")
    if plain == label:
        return idna.alabel(label).decode("ascii")
    idna.alabel(plain)
    return "xn--" + label.encode("punycode").decode("ascii")


def _idna_words(message: str) -> str:
    if "hyphen" in message:
        return "string start/ends with forbidden hyphen"
    if "too long" in message:
        return "domain label longer than 63 characters"
    if "punycode" in message.lower():
        return "string contains invalid punycode data"
    return "string contains a disallowed character"


def domain_from_alabel(text: str) -> Converted:
    """A domain with its A-labels as UTF-8; other labels as they are."""
    if "xn--" not in lower(text):
        return Converted(text)
    out = []
    for label in text.split("."):
        found = _from_punycode(label) if lower(label[:4]) == "xn--" else label
        if found is None:
            return Converted(text, "string contains invalid punycode data")
        out.append(found)
    return Converted(".".join(out))


def localpart_to_alabel(text: str) -> Converted:
    """Exim's own form for local parts: the whole of it in Punycode behind ``xn--``."""
    if text.isascii():
        return Converted(text)
    if not is_utf8(text):
        return Converted(text, "l_u2a: bad UTF-8 input")
    return Converted("xn--" + text.encode("latin-1").decode("utf-8").encode("punycode").decode("ascii"))


def localpart_from_alabel(text: str) -> Converted:
    """What ``localpart_to_alabel`` made, back in UTF-8."""
    if not text.startswith("xn--"):
        return Converted(text, "bad alabel prefix")
    found = _from_punycode(text)
    return Converted(text, "Invalid input") if found is None else Converted(found)


def _from_punycode(label: str) -> str | None:
    if not label.isascii() or len(label) > 1000:
        return None
    try:
        return label[4:].encode("ascii").decode("punycode").encode("utf-8").decode("latin-1")
    except (UnicodeError, ValueError, OverflowError):
        return None

"""Header lines in expansions: ``$h_``, ``$rh_``, ``$bh_`` and ``$lh_`` (manual 11.5)."""

from __future__ import annotations

from mta.mail.headers import Header
from mta.scope.scope import Scope
from mta.text.ascii import WHITESPACE
from mta.text.encodings import decode_rfc2047

# Several of these are joined with a comma, their values being lists of addresses.
_ADDRESS_TYPES = frozenset("BCFRST")
_MAXIMUM = 64 * 1024


def header_value(scope: Scope, kind: str, name: str) -> str:
    """All header lines called ``name`` as one text, maybe "". ``kind``: "r" raw, "l" list, "b" decoded, "" shown."""
    found = scope.message.headers.named(name) if name else []
    if not found:
        return ""
    if kind == "r":
        return "".join([line.value for line in found])[:_MAXIMUM]
    if kind == "l":
        return ":".join([_unended(line.value).replace(":", "::") for line in found])[:_MAXIMUM]
    text = found[0].value.strip(WHITESPACE)[:_MAXIMUM] if len(found) == 1 else _joined(found)
    if "=?" not in text:
        return text
    if kind == "":
        charset = scope.vars.get("headers_charset") or getattr(scope.site.options, "headers_charset", "") or "UTF-8"
        shown = decode_rfc2047(text, charset)
        if not shown.error:
            return shown.text
    return decode_rfc2047(text, "").text


def _unended(value: str) -> str:
    return value.removesuffix("\n")


def _joined(lines: list[Header]) -> str:
    values: list[str] = []
    separator = "\n"
    for line in lines:
        value = line.value.strip(WHITESPACE)
        if value:
            values.append(value)
        if line.type in _ADDRESS_TYPES:
            separator = ",\n"
    if len(values) == 1:
        return values[0][:_MAXIMUM]
    return separator.join(values)[:_MAXIMUM]

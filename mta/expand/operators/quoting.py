"""Operators that quote, escape and encode text."""

from __future__ import annotations

from mta.errors import ExpansionFailed
from mta.expand.base import operator
from mta.scope.scope import Scope
from mta.text import encodings, quoting


@operator("quote", pure=False)
def quote(_scope: Scope, text: str, argument: str | None) -> str:
    """``quote`` alone, or ``quote_TYPE`` by a lookup type's own rules."""
    return quoting.quote_word(text) if argument is None else _quote_for_lookup(text, argument)


def _quote_for_lookup(text: str, name: str) -> str:
    from mta.lookup.base import lookups

    kind, _, options = name.partition("_")  # ldap_dn
    found = lookups.get(kind)
    if found is None:
        raise ExpansionFailed(f'unknown lookup type "{kind}"')
    if found.quote is None:
        quoted = None if options else text
    else:
        quoted = found.quote(text, options or None)
    if quoted is None:
        raise ExpansionFailed(f'"{options}" unrecognized after "${{quote_{kind}"')
    return quoted


@operator("quote_local_part")
def quote_local_part(_scope: Scope, text: str, _argument: str | None) -> str:
    return quoting.quote_local_part(text)


@operator("rxquote")
def rxquote(_scope: Scope, text: str, _argument: str | None) -> str:
    return quoting.quote_regex(text)


@operator("escape", pure=False)
def escape(scope: Scope, text: str, _argument: str | None) -> str:
    return quoting.printing(text, top_bit_prints=scope.site.options.print_topbitchars)


@operator("escape8bit")
def escape8bit(_scope: Scope, text: str, _argument: str | None) -> str:
    return quoting.escape_8bit(text)


@operator("hexquote")
def hexquote(_scope: Scope, text: str, _argument: str | None) -> str:
    return quoting.hexquote(text)


@operator("xtextd")
def xtextd(_scope: Scope, text: str, _argument: str | None) -> str:
    return quoting.decode_plus_hex(text)


@operator("base64", "str2b64")
def base64(_scope: Scope, text: str, _argument: str | None) -> str:
    from mta.expand.operators.digests import certificate_der

    der = certificate_der(text)
    return encodings.encode_base64(text if der is None else der.decode("latin-1"))


@operator("base64d")
def base64d(_scope: Scope, text: str, _argument: str | None) -> str:
    decoded = encodings.decode_base64(text, white_space=True)
    if decoded is None:
        raise ExpansionFailed(f'string "{text}" is not well-formed for "base64d" operator')
    return decoded


@operator("hex2b64")
def hex2b64(_scope: Scope, text: str, _argument: str | None) -> str:
    if not encodings.is_hex(text):
        raise ExpansionFailed(f'"{text}" is not a hex string')
    if len(text) % 2:
        raise ExpansionFailed(f'"{text}" contains an odd number of characters')
    return encodings.encode_base64(bytes.fromhex(text).decode("latin-1"))


@operator("utf8clean")
def utf8clean(_scope: Scope, text: str, _argument: str | None) -> str:
    return encodings.clean_utf8(text)


@operator("from_utf8")
def from_utf8(_scope: Scope, text: str, _argument: str | None) -> str:
    return encodings.utf8_to_latin1(text)


@operator("rfc2047", pure=False)
def rfc2047(scope: Scope, text: str, _argument: str | None) -> str:
    return encodings.encode_rfc2047(text, scope.site.options.headers_charset or "UTF-8")


@operator("rfc2047d", pure=False)
def rfc2047d(scope: Scope, text: str, _argument: str | None) -> str:
    options = scope.site.options
    decoded = encodings.decode_rfc2047(text, options.headers_charset or "", check_lengths=options.check_rfc2047_length)
    if decoded.error:
        raise ExpansionFailed(decoded.error)
    return decoded.text


@operator("headerwrap")
def headerwrap(_scope: Scope, text: str, argument: str | None) -> str:
    """Folded at white space before ``headerwrap_COLUMNS_LIMIT``; cut at the limit (80 and 998)."""
    columns, limit = 80, 998
    parts = argument.split("_") if argument else []
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ExpansionFailed(f'non-digit after underscore in "headerwrap_{argument}"')
    if parts:
        columns = int(parts[0])
        limit = int(parts[1]) if len(parts) > 1 else limit
    return wrap_header(text, columns, limit)


def wrap_header(text: str, columns: int, limit: int) -> str:
    """Lines of at most ``columns`` bytes where white space allows, each next one indented by a tab."""
    out: list[str] = []
    rest = text[:limit]
    room = columns
    while len(rest) > room > 0:
        cut = max(rest.rfind(" ", 0, room + 1), rest.rfind("\t", 0, room + 1))
        if cut <= 0:
            ahead = [place for place in (rest.find(" ", 1), rest.find("\t", 1)) if place > 0]
            if not ahead:
                break
            cut = min(ahead)
        out.append(rest[:cut].rstrip(" \t"))
        rest = rest[cut + 1 :].lstrip(" \t")
        room = max(columns - 1, 1)
    out.append(rest)
    return "\n\t".join(line for line in out if line)


def _converted(result: encodings.Converted, source: str, target: str) -> str:
    if result.error:
        shown = quoting.printing(result.text)
        raise ExpansionFailed(f"error converting {source} ({shown}) to {target}: {result.error}")
    return result.text


@operator("utf8_domain_to_alabel")
def utf8_domain_to_alabel(_scope: Scope, text: str, _argument: str | None) -> str:
    return _converted(encodings.domain_to_alabel(text), "utf8", "alabel")


@operator("utf8_domain_from_alabel")
def utf8_domain_from_alabel(_scope: Scope, text: str, _argument: str | None) -> str:
    return _converted(encodings.domain_from_alabel(text), "alabel", "utf8")


@operator("utf8_localpart_to_alabel")
def utf8_localpart_to_alabel(_scope: Scope, text: str, _argument: str | None) -> str:
    return _converted(encodings.localpart_to_alabel(text), "utf8", "alabel")


@operator("utf8_localpart_from_alabel")
def utf8_localpart_from_alabel(_scope: Scope, text: str, _argument: str | None) -> str:
    return _converted(encodings.localpart_from_alabel(text), "alabel", "utf8")

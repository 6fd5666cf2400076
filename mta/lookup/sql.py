"""What SQL lookups share: the text of rows (manual section 9.21) and the quoting of section 9.22."""

from __future__ import annotations

from collections.abc import Sequence

from mta.text.ascii import WHITESPACE

_ESCAPES = str.maketrans(
    {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "'": "\\'", '"': '\\"', "\\": "\\\\", "\0": "\\0"}
)
_PGSQL_ESCAPES = _ESCAPES | {ord("'"): "''", 0: "\0"}


def quoted(value: str) -> str:
    """A field of several: in double quotes when it is empty, holds white space or begins with a quote."""
    if value and not any(char in WHITESPACE for char in value) and not value.startswith('"'):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Rows:
    """The text of a result as it grows: rows between newlines, None as long as there is nothing.

    One field is its value alone, several are ``name=value`` with a space after each. With ``skip_null`` (MySQL) a
    lone NULL adds nothing; otherwise it is empty, as it is among several fields.
    """

    __slots__ = ("_names", "_parts", "_skip_null")

    def __init__(self, names: Sequence[str], *, skip_null: bool = False) -> None:
        self._names = names
        self._skip_null = skip_null
        self._parts: list[str] = []

    def add(self, values: Sequence[str | None]) -> None:
        """One more row."""
        if len(values) != 1:
            pairs = zip(self._names, values, strict=True)
            self._parts.append("".join(f"{name}={quoted(value or '')} " for name, value in pairs))
        elif values[0] is not None or self._parts or not self._skip_null:
            self._parts.append(values[0] or "")

    def text(self) -> str | None:
        """What there is, None for no row."""
        return "\n".join(self._parts) if self._parts else None


def quote_backslash(text: str, option: str | None) -> str | None:
    """``${quote_mysql:...}``. A NUL, which Exim cannot hold, is written as MySQL wants it."""
    return None if option is not None else text.translate(_ESCAPES)


def quote_doubling(text: str, option: str | None) -> str | None:
    """``${quote_pgsql:...}``: single quotes are doubled, which is safe whatever the server does with backslashes."""
    return None if option is not None else text.translate(_PGSQL_ESCAPES)

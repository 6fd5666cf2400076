"""Macros of a configuration file (manual chapter 6, "Macros in the configuration file").

``Macros.substitute`` works on physical lines, in the order of definition; ``define`` refuses what
Exim refuses. Built-in macros (``_HAVE_TLS``) are asked for one by one, so that nothing is loaded for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mta.errors import ConfigError, Where

# A macro that doubles itself on each line would fill the memory within 30 lines.
MAX_LINE = 1 << 20

Builtin = Callable[[str], str | None]

_BUILTIN_NAME = re.compile(r"(?<![A-Za-z0-9_])_[A-Z][A-Z0-9]*_[A-Z0-9_]+")
_DEFINITION = re.compile(r"([A-Z][A-Za-z0-9_]*)[ \t\v\f\r]*(==?)[ \t\v\f\r]*", re.ASCII)
_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*\Z", re.ASCII)


def is_macro_name(text: str) -> bool:
    """Whether ``-D`` or a file may define a macro of this name."""
    return _NAME.match(text) is not None


def looks_like_definition(line: str) -> bool:
    """Whether a line (without leading white space) starts as ``NAME =`` does."""
    return _DEFINITION.match(line) is not None


@dataclass(slots=True)
class Macros:
    """``values`` in the order of definition; those of ``fixed`` came from the command line and never change.

    ``builtin(name)`` gives the value of a built-in macro or None. Unlike Exim, which takes a built-in name
    for any text that contains it, only whole names count: ``_HAVE_TLS`` does not make ``_HAVE_TLS_ALPN`` true.
    """

    values: dict[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    builtin: Builtin = lambda _name: None

    def substitute(self, line: str, where: Where) -> tuple[str, int]:
        """The line after replacement, and how many replacements there were; ConfigError when it grows too long."""
        start = 0
        found = _DEFINITION.match(line)
        if found:
            start = found.end(1)
        head, rest, count = line[:start], line[start:], 0
        if "_" in rest:
            rest, count = self._substitute_builtin(rest)
        for name, value in self.values.items():
            if name in rest:
                times = rest.count(name)
                count += times
                if len(rest) + times * (len(value) - len(name)) > MAX_LINE:
                    raise ConfigError(f'line is longer than {MAX_LINE} bytes after replacing macro "{name}"', where)
                rest = rest.replace(name, value)
        return head + rest, count

    def _substitute_builtin(self, text: str) -> tuple[str, int]:
        count = 0

        def replace(found: re.Match[str]) -> str:
            nonlocal count
            value = self.builtin(found.group())
            if value is None:
                return found.group()
            count += 1
            return value

        return _BUILTIN_NAME.sub(replace, text), count

    def define(self, line: str, where: Where) -> None:
        """Take ``NAME = value`` or ``NAME == value``; ConfigError in Exim's words when it may not be."""
        found = _DEFINITION.match(line)
        if found is None:
            raise ConfigError("malformed macro definition", where)
        name, again = found.group(1), found.group(2) == "=="
        if name in self.fixed:
            return
        if name in self.values and not again:
            raise ConfigError(f'macro "{name}" is already defined (use "==" if you want to redefine it)', where)
        if again and name not in self.values:
            raise ConfigError(f'can\'t redefine an undefined macro "{name}"', where)
        for other in self.values:
            if other in name and other != name:
                raise ConfigError(
                    f'"{name}" cannot be defined as a macro because previously defined macro "{other}" is a substring',
                    where,
                )
        self.values[name] = line[found.end() :]

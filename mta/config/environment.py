"""The environment of the process as keep_environment and add_environment have it (manual chapter 14).

``cleaned(main, environ)`` changes nothing by itself; the command line's entry does, once the configuration is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mta.scope.options import MainOptions
from mta.text.patterns import pattern

PURGED = "Warning: purging the environment.\n Suggested action: use keep_environment."


class Cleaned(NamedTuple):
    """The variables that stay or are set, as byte text; ``warning`` for the operator, or ""."""

    variables: dict[str, str]
    warning: str = ""


def cleaned(main: MainOptions, environ: Mapping[str, str], always: frozenset[str] = frozenset()) -> Cleaned:
    """What is left of ``environ``. Names of ``always`` stay and cause no warning: the service manager's."""
    wanted = main.keep_environment or ()
    kept = {name: value for name, value in environ.items() if name in always or _matches(wanted, name)}
    warning = PURGED if main.keep_environment is None and any(name not in always for name in environ) else ""
    for item in main.add_environment:
        name, equals, value = item.partition("=")
        if name and equals:
            kept[name] = value
    return Cleaned(kept, warning)


def _matches(items: tuple[str, ...], name: str) -> bool:
    """As in a string list (manual section 10.1) that is not expanded: regular expressions, ``*tail``, plain names."""
    yes = True
    for item in items:
        yes = not item.startswith("!")
        text = item if yes else item[1:].lstrip(" \t")
        if text.startswith("^"):
            found = pattern(text).matches(name)
        elif text.startswith("*"):
            found = name.endswith(text[1:])
        else:
            found = name == text
        if found:
            return yes
    return not yes

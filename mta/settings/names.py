"""The names that Exim 4.99 knows, so that what is not done yet is told apart from what is misspelt.

The lists are in names.json; each function reads them once a process.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pkgutil import get_data
from typing import Any


@lru_cache(maxsize=1)
def _names() -> dict[str, Any]:
    # get_data and not importlib.resources, which costs each start of the command 10 ms
    found: dict[str, Any] = json.loads(get_data("mta.settings", "names.json") or b"{}")
    return found


def main_options() -> frozenset[str]:
    """Every main option (manual chapter 14), experimental ones too."""
    return frozenset(_names()["main_options"])


def driver_options(section: str, driver: str) -> frozenset[str]:
    """Generic options of a section ("routers", "transports", "authenticators") and the private ones of a driver."""
    table = _names()["driver_options"]
    return frozenset(table.get(section, ())) | frozenset(table.get(driver, ()))


def drivers(section: str) -> frozenset[str]:
    """The drivers of a section."""
    return frozenset(_names()[f"{section.removesuffix('s')}_drivers"])


def command_line_flags() -> tuple[str, ...]:
    """The flags of the command line (manual chapter 5)."""
    return tuple(_names()["cli_flags"])


def debug_selectors() -> tuple[str, ...]:
    """What may follow ``-d`` with a plus or minus."""
    return tuple(_names()["debug_selectors"])


def expansion_names(kind: str) -> tuple[str, ...]:
    """Names of the string language (manual chapter 11).

    ``kind``: "items", "operators", "conditions", "conditions_symbolic", "variables" or "variable_families".
    """
    return tuple(_names()[f"expansion_{kind}"])


def lookup_types() -> tuple[str, ...]:
    """The types of lookup (manual chapter 9)."""
    return tuple(_names()["lookup_types"])


def rewrite_flags() -> tuple[str, ...]:
    """The flags of rewriting rules (manual 31.5)."""
    return tuple(_names()["rewrite_flags"])


def retry_error_names() -> tuple[str, ...]:
    """The error names of retry rules (manual 32.4), ``quota_<time>`` among them."""
    return tuple(_names()["retry_error_names"])


def retry_algorithms() -> tuple[str, ...]:
    """The letters of a retry rule's parameter sets (manual 32.5)."""
    return tuple(_names()["retry_algorithms"])

"""json: an element of a JSON file, chosen by a list of names and numbers (manual section 9.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mta.errors import Deferred
from mta.lookup.base import LookupType, lookups
from mta.lookup.files import cached_file
from mta.scope.scope import Scope
from mta.text.ascii import is_digits
from mta.text.lists import split_list


def _load(path: str) -> Any:
    return (json.loads(Path(path).read_bytes()),)


def find(scope: Scope, file: str, key: str, options: list[str]) -> str | None:
    """The element as text; a string without its quotes, an object or array as JSON."""
    try:
        (element,) = cached_file(scope, file, "json", _load, "for json search")
    except RecursionError:
        raise Deferred(f"{file} is nested too deeply") from None
    for name in split_list(key):
        if isinstance(element, list) and is_digits(name) and len(name) < 10 and int(name) < len(element):
            element = element[int(name)]
        elif isinstance(element, dict):
            wanted = name.encode("latin-1").decode("utf-8", "replace")
            if wanted not in element:
                return None
            element = element[wanted]
        else:
            return None
    text = element if isinstance(element, str) else json.dumps(element, ensure_ascii=False, separators=(", ", ": "))
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


lookups.register("json")(LookupType("json", "single", find, absolute_file=False))

"""MySQL's option files: what the groups [client] and one of the caller's choice say of a connection.

Later files and later lines win, as with MySQL's own programs; ``!include`` and ``!includedir`` are followed.
"""

from __future__ import annotations

from pathlib import Path

from mta.text.ascii import is_digits, strip

FILES = ("/etc/my.cnf", "/etc/mysql/my.cnf")
SHARED_GROUPS = ("client", "client-server", "client-mariadb")
DEPTH = 5


def read_group(group: str, files: tuple[str, ...] = FILES) -> dict[str, str]:
    """The options of a group by name, with dashes; files that cannot be read count as empty."""
    found: dict[str, str] = {}
    for name in files:
        _read(Path(name), frozenset((*SHARED_GROUPS, group)), found, DEPTH)
    if not is_digits(found.get("port", "0")):
        del found["port"]
    return found


def _read(path: Path, groups: frozenset[str], found: dict[str, str], depth: int) -> None:
    try:
        text = path.read_text("latin-1")
    except OSError:
        return
    wanted = False
    for raw in text.split("\n"):
        line = strip(raw)
        if line.startswith("["):
            wanted = line[1:].partition("]")[0] in groups
        elif line.startswith("!include") and depth:
            for included in _included(line):
                _read(included, groups, found, depth - 1)
        elif wanted and line and line[0] not in "#;!":
            name, equals, value = line.partition("=")
            if equals:
                found[strip(name).replace("_", "-")] = _unquoted(strip(value))


def _included(line: str) -> list[Path]:
    word, _, place = line.partition(" ")
    path = Path(strip(place))
    return sorted(path.glob("*.cnf")) if word == "!includedir" else [path]


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] else value

"""Expanding text for the tests of lookups with servers: a scope whose log is kept, and recorded cases.

A case file has a text to expand and Exim's answer to it on each line, between tabs; \\n, \\t and \\\\ are escaped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from mta.errors import MtaError
from mta.expand.compiler import compile_text
from mta.scope.expansion import Tainted
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site
from tests.peers import programs

HERE = Path(__file__).parent


class Log(list[str]):
    """What was written to the main log and to the debug output."""

    def text(self) -> str:
        return "\n".join(self)


def make_scope(log: Log | None = None, **options: object) -> Scope:
    """A scope with the main options given."""
    kept = Log() if log is None else log
    scope = Scope(Site(SimpleNamespace(**options)), Services(log_main=kept.append))  # type: ignore[arg-type]
    scope.trace = lambda _selector, line: kept.append(line)
    return scope


def answer(scope: Scope, text: str, **variables: str) -> str:
    """The expansion of a text, or ``Failed: `` and the message; the variables come from a peer."""
    scope.vars.update({name: Tainted(value) for name, value in variables.items()})
    try:
        return compile_text(text)(scope)
    except MtaError as error:
        return f"Failed: {error}"


def cases(name: str) -> list[tuple[str, str]]:
    """The lines of a case file, unescaped."""
    found = []
    for line in (HERE / name).read_text("latin-1").split("\n"):
        if line and not line.startswith("#"):
            text, expected = line.split("\t")
            found.append((text, unescape(expected)))
    return found


def unescape(text: str) -> str:
    return text.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\0", "\\")


def filled(text: str, places: Mapping[str, object]) -> str:
    """The text with each name of ``places`` replaced."""
    for name, value in places.items():
        text = text.replace(name, str(value))
    return text


def ask_exim(folder: Path, configuration: str, texts: list[str]) -> list[str]:
    """What Debian's Exim makes of each text."""
    program = programs.exim()
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "configure"
    path.write_text(f"spool_directory = {folder}/spool\nlog_file_path = {folder}/%slog\n{configuration}\n", "latin-1")
    path.chmod(0o644)
    found = []
    for text in texts:
        command = [program.encode(), b"-C", str(path).encode(), b"-be", text.encode("latin-1")]
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
        found.append(done.stdout.decode("latin-1").removesuffix("\n"))
    return found

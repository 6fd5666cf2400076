"""Lookups against the answers of Exim 4.96 (cases.txt: type, file, key, answer, between tabs).

An answer is ``no``, ``<value>$1<>$2``, or ``Failed: `` and the message.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mta.errors import Deferred, ExpansionFailed
from mta.lookup.find import parse_type, search
from mta.scope.scope import Scope
from mta.scope.services import Services
from mta.scope.site import Site

HERE = Path(__file__).parent
OURS = {
    ("cdb", "DIR/star", "k1"): "Failed: failed to open DIR/star for cdb lookup: too short",
    # For "*" of partial0 Exim cuts a byte off $1
    ("partial0-lsearch", "DIR/star", "foo"): "<default>foo<>",
    ("passwd", "/tmp", "foo"): "no",  # which braces belong to which type is for the expansion to say
    ("lsearch", "", "/tmp"): "Failed: failed to open  for linear search: No such file or directory",
    ("wildlsearch", "DIR/wildbad", "bad"): "Failed: unknown expansion operator",
}


def cases() -> list[tuple[str, str, str, str]]:
    found = []
    for line in (HERE / "cases.txt").read_text("latin-1").split("\n"):
        if line:
            kind, file, key, answer = line.split("\t")
            found.append((kind, file, key, answer))
    return found


class Expanded:
    """What the only expanded key in the data, ``*.$primary_hostname``, and the ``\\N``s come to."""

    constant = None

    def __init__(self, source: str) -> None:
        self.source = source

    def __call__(self, scope: Scope) -> str:
        return self.source.replace("$primary_hostname", "Our.Host.ex").replace("\\N", "")


def compile_text(text: str) -> Expanded:
    if "${nosuch" in text:
        raise ExpansionFailed("unknown expansion operator")
    return Expanded(text)


def make_scope(**options: object) -> Scope:
    site = Site(SimpleNamespace(**options))  # type: ignore[arg-type]
    return Scope(site, Services(compile_text=compile_text))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lookups")
    for file in (HERE / "data").iterdir():
        (path / file.name).write_bytes(file.read_bytes().replace(b"DIR", str(path).encode()))
    (path / "wildbad").write_text("${nosuch:x}: y\n")
    (path / "f").mkdir()
    return path


def unescape(text: str) -> str:
    return text.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\0", "\\")


def ask(scope: Scope, kind: str, file: str, key: str) -> str:
    try:
        hit = search(scope, parse_type(kind), file, key)
    except Deferred as failure:
        return f"Failed: {failure.message}"
    except ExpansionFailed as failure:
        return f"Failed: {failure.message}"
    if hit is None:
        return "no"
    return f"<{hit.value}>{hit.wild or ''}<>{hit.fixed or ''}".replace("\n", "\\n").replace("\t", "\\t")


@pytest.mark.parametrize(("kind", "file", "key", "expected"), cases())
def test_case(kind: str, file: str, key: str, expected: str, folder: Path) -> None:
    expected = OURS.get((kind, file, key), expected)
    real = [text.replace("DIR", str(folder)) for text in (kind, file, unescape(key))]
    answer = ask(make_scope(), *real).replace(str(folder), "DIR")
    assert answer == expected.replace(f'lookup of "{key}" gave DEFER: ', "")

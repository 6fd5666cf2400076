"""Reads the case files: a text, below it and indented the answer of Debian's Exim 4.96, both with escapes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
DATA = HERE / "data"
CASES = HERE / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.txt"))
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_IDS = re.compile(r"\(euid=\d+ egid=\d+\)")


class Case(NamedTuple):
    text: str
    answer: str  # what -be prints, without the last newline


def load(name: str) -> list[Case]:
    lines = (CASES / f"{name}.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    return [Case(_read(lines[at]), _read(lines[at + 1].removeprefix("    "))) for at in range(0, len(lines), 2)]


def _read(line: str) -> str:
    text = re.sub(r"\\(.)", lambda found: _ESCAPES[found.group(1)], line)
    return text.replace("@DATA@", str(DATA))


def settled(answer: str) -> str:
    """An answer without what differs from process to process."""
    return _IDS.sub("(ids)", answer)

"""Asks Exim about the filters of oracle.json again: ``python -m tests.filter.record_cases [FILE...]``.

The files hold more cases: a list of [filter, arguments, message or null].
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.filter.testing import MESSAGE, Bench
from tests.peers import programs

FILE = Path(__file__).with_name("oracle.json")


def oracle_bench(folder: Path) -> Bench:
    bench = Bench(folder)
    shutil.chown(folder / "spool", programs.exim_user())
    return bench


def record() -> None:
    """Ask Exim about the cases that are there, and about those in a file of [text, arguments, message]."""
    known = [case[:3] for case in json.loads(FILE.read_text())] if FILE.exists() else []
    for path in sys.argv[1:]:
        known += [case for case in json.loads(Path(path).read_text()) if case not in known]
    with tempfile.TemporaryDirectory(prefix="mta-oracle-") as name:
        bench = oracle_bench(Path(name))
        lines = []
        for text, arguments, message in known:
            told = bench.exim(text, arguments, MESSAGE if message is None else message)
            lines.append(json.dumps([text, arguments, message, told], ensure_ascii=True))
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    record()
